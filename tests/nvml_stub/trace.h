/* Power that follows the time: a square wave, or steps from a file, and its exact integral. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long long monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long double floor_to(double ms, double update) {
    long double ticks = (long double)(long long)(ms / update);
    return ticks * update;
}

/* Energy of a wave in mJ from 0 to ms; low comes after high. */
static long double wave_mj(const char *numbers, long double ms) {
    double high = 0, low = 0, period = 1, duty = 1;
    sscanf(numbers, "%lf:%lf:%lf:%lf", &high, &low, &period, &duty);
    long double whole = (long double)(long long)(ms / period), part = ms - whole * period, up = period * duty;
    long double high_ms = whole * up + (part < up ? part : up);
    return (high * high_ms + low * (ms - high_ms)) / 1000;
}

/* Energy of a file's steps in mJ from 0 to ms; the first holds before its time, the last for ever. */
static long double file_mj(const char *path, long double ms) {
    FILE *file = fopen(path, "r");
    double seconds, power, last = -1;
    long double from = 0, sum = 0;
    if (!file) return 0;
    while (fscanf(file, "%lf %lf", &seconds, &power) == 2) {
        long double until = seconds * 1000 < ms ? seconds * 1000 : ms;
        if (until > from) { sum += (last < 0 ? power : last) * (until - from); from = until; }
        last = power;
    }
    fclose(file);
    return (sum + (ms > from && last > 0 ? last * (ms - from) : 0)) / 1000;
}

static long double trace_mj(const char *trace, long double ms) {
    if (ms <= 0) return 0;
    return strncmp(trace, "file:", 5) ? wave_mj(trace + 5, ms) : file_mj(trace + 5, ms);
}
