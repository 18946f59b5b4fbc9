/* A libnvidia-ml.so.1 that answers from a text file, so that tests run the real pynvml.
 *
 * CHIPMARK_NVML_STUB names the file. It is read at every call, so it may change at any time.
 * A line is "key value value ...": successive calls that ask for the key get successive values,
 * and the last one for ever after; the first nvmlInit starts again. A value "error:N" makes the call
 * return N (nvmlReturn_t). A key that is not there is NVML_ERROR_NOT_SUPPORTED. Without an nvmlInit
 * that nvmlShutdown has not taken back, calls return NVML_ERROR_UNINITIALIZED.
 *
 *   driver 580.65.06
 *   card.0.uuid GPU-...          card.0.pci 0000:17:00.0      cards are numbered from 0 without gaps
 *   card.0.sm_clock 1980 1410    and the other keys below
 *   card.0.field.74 u64:0 u64:5  field values, u64 or u32
 *   card.0.field.186.scope.1 u32:9   a field in another scope than 0
 *   card.0.processes 12/1048576,13/none   pid/bytes; "-" is an empty list
 *   mig.0.uuid MIG-...           mig.0.parent 1               slices of cards
 *   init error:9                 card.0.handle error:15       no library; no handle
 *
 * Power that follows the time, see trace.h: where energy_mj, power_mw or a field has the value
 * "trace" or "trace*1.5", it is that of
 *   card.0.trace wave:420000:180000:37:0.5      mW high, mW low, period in ms, share of high
 *   card.0.trace file:PATH                      lines "seconds milliwatts", each until the next
 *   t0_ns 123                                   when that began, by CLOCK_MONOTONIC
 *   card.0.update_ms 100                        all values are published so often, for what lies before
 *   card.0.window_ms.power_mw 1000             averaging time of a power: update_ms if not given
 *   card.0.reset_ms 2000                        the energy counter starts again so long after t0
 * Every answer about a card is an error
 *   card.0.fail_after_ms 1500:15                from so long after t0
 *   card.0.fail_after_reads 25:15               after so many energies were read in this process
 *
 * To leave a function out, compile with -DnvmlDeviceGetX=absent_X.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

enum { UNINITIALIZED = 1 };
enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };
enum { TYPE_U32 = 1, TYPE_U64 = 3 };
enum { MAX_KEYS = 256, LINE = 4096, FIRST_MIG = 1000 };

typedef unsigned int u32;
typedef unsigned long long u64;
typedef void *device;

static struct { char key[128]; int calls; } seen[MAX_KEYS];

static int inits, energy_reads[FIRST_MIG];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* ctypes lets threads call at once */

static int *calls_of(const char *key) {
    int i = 0;
    for (; i < MAX_KEYS - 1 && seen[i].key[0]; i++)
        if (!strcmp(seen[i].key, key)) return &seen[i].calls;
    snprintf(seen[i].key, sizeof seen[i].key, "%s", key);
    return &seen[i].calls;
}

/* The next value of key into out; SUCCESS, NOT_SUPPORTED or the error that the value asks for. */
static int look_up_alone(const char *key, char *out, size_t size, int advance) {
    const char *path = getenv("CHIPMARK_NVML_STUB");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[LINE];
    int found = 0;
    if (!file) return NOT_SUPPORTED;
    while (!found && fgets(line, sizeof line, file)) {
        char *rest, *word = strtok_r(line, " \n", &rest);
        if (!word || strcmp(word, key)) continue;
        int *calls = calls_of(key), index = 0;
        while ((word = strtok_r(NULL, " \n", &rest))) {
            snprintf(out, size, "%s", word);
            found = 1;
            if (index++ == *calls) break;
        }
        if (advance) ++*calls;
    }
    fclose(file);
    if (!found) return NOT_SUPPORTED;
    return strncmp(out, "error:", 6) ? SUCCESS : atoi(out + 6);
}

static int look_up(const char *key, char *out, size_t size, int advance) {
    pthread_mutex_lock(&lock);
    int status = inits ? look_up_alone(key, out, size, advance) : UNINITIALIZED;
    pthread_mutex_unlock(&lock);
    return status;
}

static long number_of(device handle) { return (long)handle - 1; }

static int ask_key(device handle, const char *what, char *out, size_t size, int advance) {
    char key[128];
    long number = number_of(handle);
    if (number >= FIRST_MIG) snprintf(key, sizeof key, "mig.%ld.%s", number - FIRST_MIG, what);
    else snprintf(key, sizeof key, "card.%ld.%s", number, what);
    return look_up(key, out, size, advance);
}

static double option(device handle, const char *what, double otherwise) {
    char text[LINE];
    return ask_key(handle, what, text, sizeof text, 0) == SUCCESS ? atof(text) : otherwise;
}

static double now_ms(void) { /* since t0 */
    char text[LINE];
    return (double)(monotonic_ns() - (look_up("t0_ns", text, sizeof text, 0) == SUCCESS ? atoll(text) : 0)) / 1e6;
}

/* The error of a card that has failed by now, else SUCCESS. */
static int failed(device handle) {
    char text[LINE], *code;
    long number = number_of(handle);
    if (number >= FIRST_MIG) return SUCCESS;
    if (ask_key(handle, "fail_after_ms", text, sizeof text, 0) == SUCCESS && now_ms() >= strtod(text, &code))
        return atoi(code + 1);
    if (ask_key(handle, "fail_after_reads", text, sizeof text, 0) == SUCCESS
        && energy_reads[number] >= strtol(text, &code, 10)) return atoi(code + 1);
    return SUCCESS;
}

/* "trace*F" as a number, of the energy counter in mJ or of a power in mW. */
static void traced(device handle, const char *what, char *text, size_t size) {
    char trace[LINE], key[128];
    double factor = text[5] == '*' ? atof(text + 6) : 1, update = option(handle, "update_ms", 100);
    if (ask_key(handle, "trace", trace, sizeof trace, 0) != SUCCESS) return;
    long double tick = floor_to(now_ms(), update), value;
    if (!strcmp(what, "energy_mj")) {
        double reset = option(handle, "reset_ms", -1);
        value = trace_mj(trace, tick) - (reset >= 0 && tick >= reset ? trace_mj(trace, reset) : 0);
    } else {
        snprintf(key, sizeof key, "window_ms.%s", what);
        double window = option(handle, key, update);
        value = (trace_mj(trace, tick) - trace_mj(trace, tick - window)) / window * 1000;
    }
    snprintf(text, size, "%llu", (u64)(value * factor + 0.5L));
}

static int ask_text(device handle, const char *what, char *out, size_t size, int advance) {
    int is_name = !strcmp(what, "uuid") || !strcmp(what, "pci"), status = is_name ? SUCCESS : failed(handle);
    if (status == SUCCESS) status = ask_key(handle, what, out, size, advance);
    if (status == SUCCESS && !strncmp(out, "trace", 5)) traced(handle, what, out, size);
    return status;
}

static int ask_u64(device handle, const char *what, u64 *out) {
    char text[LINE];
    int status = ask_text(handle, what, text, sizeof text, 1);
    if (status == SUCCESS) *out = strtoull(text, NULL, 0);
    return status;
}

static int ask_u32(device handle, const char *what, u32 *out) {
    u64 value;
    int status = ask_u64(handle, what, &value);
    if (status == SUCCESS) *out = (u32)value;
    return status;
}

/* ---- library and handles ---- */
int nvmlInitWithFlags(u32 flags) {
    char text[LINE];
    (void)flags;
    pthread_mutex_lock(&lock);
    int status = look_up_alone("init", text, sizeof text, 0);
    if (status == NOT_SUPPORTED) status = SUCCESS;
    if (status == SUCCESS && !inits++) memset(seen, 0, sizeof seen);
    pthread_mutex_unlock(&lock);
    return status;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) {
    pthread_mutex_lock(&lock);
    int status = inits ? SUCCESS : UNINITIALIZED;
    if (inits) inits--;
    pthread_mutex_unlock(&lock);
    return status;
}

const char *nvmlErrorString(int code) {
    static char text[64];
    if (code == NOT_SUPPORTED) return "Not Supported";
    if (code == NOT_FOUND) return "Not Found";
    snprintf(text, sizeof text, "stub error %d", code);
    return text;
}

int nvmlSystemGetDriverVersion(char *out, u32 size) { return look_up("driver", out, size, 1); }

static int find(const char *what, const char *wanted, int mig, device *out) {
    char text[LINE];
    for (long i = 0;; i++) {
        device handle = (device)(i + 1 + (mig ? FIRST_MIG : 0));
        if (ask_text(handle, what, text, sizeof text, 0) != SUCCESS) return NOT_FOUND;
        if (strcmp(text, wanted)) continue;
        *out = handle;
        int status = ask_key(handle, "handle", text, sizeof text, 0);
        return status == NOT_SUPPORTED ? SUCCESS : status;
    }
}

int nvmlDeviceGetCount_v2(u32 *count) {
    char text[LINE];
    for (*count = 0; ask_text((device)(long)(*count + 1), "uuid", text, sizeof text, 0) == SUCCESS; ++*count) {}
    return SUCCESS;
}
int nvmlDeviceGetHandleByIndex_v2(u32 index, device *out) {
    u32 count;
    nvmlDeviceGetCount_v2(&count);
    if (index >= count) return INVALID_ARGUMENT;
    *out = (device)(long)(index + 1);
    return SUCCESS;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, device *out) {
    return find("uuid", uuid, !strncmp(uuid, "MIG-", 4), out);
}
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, device *out) { return find("pci", bus, 0, out); }
int nvmlDeviceGetUUID(device handle, char *out, u32 size) { return ask_text(handle, "uuid", out, size, 0); }
int nvmlDeviceGetName(device handle, char *out, u32 size) { return ask_text(handle, "name", out, size, 0); }
struct pci_info { char legacy[16]; u32 domain, bus, device, device_id, subsystem_id; char bus_id[32]; };
int nvmlDeviceGetPciInfo_v3(device handle, struct pci_info *out) {
    memset(out, 0, sizeof *out);
    int status = ask_text(handle, "pci", out->bus_id, sizeof out->bus_id, 0);
    if (status == SUCCESS) sscanf(out->bus_id, "%x:%x:%x", &out->domain, &out->bus, &out->device);
    return status;
}
int nvmlDeviceGetCudaComputeCapability(device handle, int *major, int *minor) {
    char text[LINE];
    int status = ask_text(handle, "compute_capability", text, sizeof text, 0);
    if (status == SUCCESS) sscanf(text, "%d.%d", major, minor);
    return status;
}
int nvmlDeviceIsMigDeviceHandle(device handle, u32 *out) { *out = number_of(handle) >= FIRST_MIG; return SUCCESS; }
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(device handle, device *out) {
    u32 parent;
    int status = ask_u32(handle, "parent", &parent);
    if (status == SUCCESS) *out = (device)(long)(parent + 1);
    return status;
}

/* ---- one number each ---- */
#define GETTER(function, key) int function(device handle, u32 *out) { return ask_u32(handle, key, out); }
#define GETTER_OF(function, key) int function(device handle, u32 kind, u32 *out) { (void)kind; return ask_u32(handle, key, out); }
#define PAIR(function, key) int function(device handle, u32 *now, u32 *later) { \
    int status = ask_u32(handle, key, now); if (status == SUCCESS) *later = *now; return status; }
GETTER(nvmlDeviceGetEnforcedPowerLimit, "power_limit_mw")
GETTER(nvmlDeviceGetPowerManagementDefaultLimit, "power_limit_default_mw")
GETTER(nvmlDeviceGetPowerUsage, "power_mw")
GETTER(nvmlDeviceGetPersistenceMode, "persistence_mode")
GETTER(nvmlDeviceGetComputeMode, "compute_mode")
GETTER(nvmlDeviceGetVirtualizationMode, "virtualization_mode")
GETTER_OF(nvmlDeviceGetClockInfo, "sm_clock")
GETTER_OF(nvmlDeviceGetApplicationsClock, "application_clock")
GETTER_OF(nvmlDeviceGetDefaultApplicationsClock, "application_clock_default")
GETTER_OF(nvmlDeviceGetTemperature, "temperature")
PAIR(nvmlDeviceGetMigMode, "mig_mode")
PAIR(nvmlDeviceGetEccMode, "ecc_mode")

int nvmlDeviceGetTotalEnergyConsumption(device handle, u64 *out) {
    int status = ask_u64(handle, "energy_mj", out);
    __sync_fetch_and_add(&energy_reads[number_of(handle) % FIRST_MIG], 1);
    return status;
}
int nvmlDeviceGetCurrentClocksEventReasons(device handle, u64 *out) { return ask_u64(handle, "event_bits", out); }
int nvmlDeviceGetCurrentClocksThrottleReasons(device handle, u64 *out) { return ask_u64(handle, "event_bits", out); }
int nvmlDeviceGetTotalEccErrors(device handle, u32 type, u32 counter, u64 *out) {
    (void)type, (void)counter;
    return ask_u64(handle, "ecc_errors", out);
}

/* ---- structures ---- */
struct memory_v1 { u64 total, free, used; };
struct memory_v2 { u32 version; u64 total, reserved, free, used; };
struct process { u32 pid; u64 used; u32 gpu_instance, compute_instance; };
struct field { u32 id, scope; long long timestamp, latency; u32 type; int status; u64 value; };

int nvmlDeviceGetMemoryInfo(device handle, struct memory_v1 *out) {
    memset(out, 0, sizeof *out);
    return ask_u64(handle, "memory_used", &out->used);
}
int nvmlDeviceGetMemoryInfo_v2(device handle, struct memory_v2 *out) {
    u32 version = out->version;
    memset(out, 0, sizeof *out);
    out->version = version;
    return ask_u64(handle, "memory_used", &out->used);
}

int nvmlDeviceGetComputeRunningProcesses_v3(device handle, u32 *count, struct process *out) {
    char text[LINE];
    /* pynvml asks twice: for the number, then for the list; both get the same value */
    int status = ask_text(handle, "processes", text, sizeof text, out != NULL), n = 0;
    if (status != SUCCESS) return status;
    char *rest;
    for (char *word = strtok_r(text, ",", &rest); word && strcmp(word, "-"); word = strtok_r(NULL, ",", &rest), n++) {
        char *bytes = strchr(word, '/');
        if (!out || n >= (int)*count) continue;
        memset(&out[n], 0, sizeof out[n]);
        out[n].pid = (u32)strtoul(word, NULL, 10);
        out[n].used = bytes && strcmp(bytes, "/none") ? strtoull(bytes + 1, NULL, 10) : ~0ULL;
    }
    status = out || !n ? SUCCESS : INSUFFICIENT_SIZE;
    *count = (u32)n;
    return status;
}

int nvmlDeviceGetFieldValues(device handle, int count, struct field *fields) {
    for (int i = 0; i < count; i++) {
        char key[64], text[LINE];
        snprintf(key, sizeof key, fields[i].scope ? "field.%u.scope.%u" : "field.%u", fields[i].id, fields[i].scope);
        fields[i].status = ask_text(handle, key, text, sizeof text, 1);
        fields[i].value = 0;
        if (fields[i].status != SUCCESS) continue;
        fields[i].type = strncmp(text, "u64:", 4) ? TYPE_U32 : TYPE_U64;
        fields[i].value = strtoull(text[0] == 'u' ? text + 4 : text, NULL, 10);
    }
    return SUCCESS;
}
