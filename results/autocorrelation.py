"""How many independent samples a correlated series of step times is worth.

``n_eff = n / tau``, where tau is the integrated autocorrelation time ``1 + 2 * sum(rho_k)``. The
sum is cut at the smallest lag M with ``M >= 5 * tau(M)`` (A. Sokal, Monte Carlo Methods in
Statistical Mechanics, 1997, sec. 3): further terms add noise only. Two series are
looked at, as is done for quantiles of Markov chains (Vehtari et al., Rank-normalization, folding,
and localization, Bayesian Analysis 2021, secs. 4.1 and 4.3): the ranks of the times, because a few
enormous samples would otherwise hide how the rest hangs together, and "is above the percentile",
because disturbances come in bursts that ranks hardly notice.

tau is never taken to be below 1: a series that alternates would be worth more than its length, and
nothing here shall rest on more samples than were taken.

Steps within a cycle differ by design (decoding gets dearer per token) and every cycle holds each
of them once. That is no correlation: the mean of each place in the cycle is taken out first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SOKAL_WINDOW = 5
# With fewer cycles the means of the places in a cycle say too little: each cycle then counts as one sample.
MIN_CYCLES = 10
# A longer series gives tau by its last so many samples; the transform would take too much memory.
MAX_SERIES = 2**20


def autocorrelation_time(series: np.ndarray) -> float:
    """Integrated autocorrelation time of a series, in samples; at least 1.

    A constant series, or one of fewer than 4 samples, has 1.

    Args:
        series: real numbers in the order taken, shape [n].
    """
    import numpy as np

    series = np.asarray(series[-MAX_SERIES:], dtype=np.float64)
    count = len(series)
    if count < 4:
        return 1.0
    centred = series - series.mean()
    length = 1 << (2 * count - 1).bit_length()  # zero padding: no wrap-around
    spectrum = np.fft.rfft(centred, length)
    covariance = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, length)[:count]
    if covariance[0] <= 1e-12 * max(1.0, float(np.square(series).sum())):  # constant up to rounding
        return 1.0
    taus = 2 * np.cumsum(covariance / covariance[0]) - 1
    wide_enough = np.arange(count) >= SOKAL_WINDOW * taus
    window = int(np.argmax(wide_enough)) if wide_enough.any() else count - 1
    return max(1.0, float(taus[window]))


def effective_samples(samples: np.ndarray, cycle: int = 1, above: int | None = None) -> float:
    """How many independent samples ``samples`` are worth, between 1 and their number.

    Args:
        samples: times in the order taken, shape [n]; whole cycles.
        cycle: steps of a cycle.
        above: a percentile in the unit of ``samples``: what the samples are worth for telling it.
            None: for telling the middle.
    """
    import numpy as np

    count = len(samples)
    cycles = count // cycle
    if cycle > 1 and cycles < MIN_CYCLES:
        return float(cycles)
    tau = autocorrelation_time(_without_cycle(_ranks(samples), cycle))
    if above is not None:
        tau = max(tau, autocorrelation_time(_without_cycle((samples > above).astype(np.float64), cycle)))
    return count / min(tau, max(count, 1))


def _ranks(samples: np.ndarray) -> np.ndarray:
    """Mean ranks: equal samples share one."""
    import numpy as np

    _, inverse, counts = np.unique(samples, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.take(ends - (counts - 1) / 2, inverse)


def _without_cycle(series: np.ndarray, cycle: int) -> np.ndarray:
    """``series`` less the mean of each place in the cycle; a partial last cycle is left out."""
    if cycle == 1:
        return series
    grid = series[: len(series) // cycle * cycle].reshape(-1, cycle)
    residuals: np.ndarray = grid - grid.mean(axis=0)
    return residuals.ravel()
