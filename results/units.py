"""Numbers for people: three significant digits, a scaled unit, ``n/a`` for None.

Stored values are SI base units; nothing else in chipmark scales them. The text is plain ASCII.
"""

from __future__ import annotations

from collections.abc import Sequence

NOT_AVAILABLE = "n/a"

_TIME = ((1.0, " s"), (1e-3, " ms"), (1e-6, " us"), (1e-9, " ns"))
_DECIMAL = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_BINARY = ((2.0**40, " TiB"), (2.0**30, " GiB"), (2.0**20, " MiB"), (2.0**10, " KiB"), (1.0, " B"))
_SMALL = ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"))


def digits3(value: float) -> str:
    """Three significant digits without an exponent where that stays short."""
    rounded = float(f"{value:.3g}")
    if rounded == 0:
        return "0"
    if abs(rounded) >= 1000:
        return f"{rounded:,.0f}" if abs(rounded) < 1e9 else f"{rounded:.2e}"
    return f"{rounded:#.3g}".rstrip(".")


def seconds(value: float | None) -> str:
    """``0.00123`` -> ``1.23 ms``; above 1000 s it stays in seconds."""
    return NOT_AVAILABLE if value is None else _scaled(value, _TIME)


def count(value: float | None) -> str:
    """``12345`` -> ``12.3k``; small counts may have decimals."""
    return NOT_AVAILABLE if value is None else _scaled(value, _DECIMAL)


def rate(value: float | None) -> str:
    """``12345`` -> ``12.3k/s``."""
    return NOT_AVAILABLE if value is None else f"{count(value)}/s"


def flops(value: float | None) -> str:
    """``1.2e12`` -> ``1.20 TFLOP/s``."""
    if value is None:
        return NOT_AVAILABLE
    text = count(value)
    return f"{text.rstrip('PTGMk')} {text[len(text.rstrip('PTGMk')) :]}FLOP/s"


def bandwidth(value: float | None) -> str:
    """Bytes a second with decimal prefixes, as memory is sold: ``3.35e12`` -> ``3.35 TB/s``."""
    return NOT_AVAILABLE if value is None else _with_unit(value, "B/s")


def number(value: float | None) -> str:
    """A plain number: ``12345`` -> ``12.3k``, ``0.25`` -> ``0.250``."""
    if value is None:
        return NOT_AVAILABLE
    return _scaled(value, _DECIMAL) if value == 0 or abs(value) >= 1 else digits3(value)


def memory(value: float | None) -> str:
    """Bytes with binary prefixes: ``1610612736`` -> ``1.50 GiB``."""
    return NOT_AVAILABLE if value is None else _scaled(value, _BINARY)


def joules(value: float | None) -> str:
    """``1234`` -> ``1.23 kJ``."""
    return NOT_AVAILABLE if value is None else _with_unit(value, "J")


def half_width(value: float | None) -> str:
    """A relative half-width in percent, two digits: ``0.0512`` -> ``5.1 %``; never rounded down to nothing."""
    if value is None:
        return NOT_AVAILABLE
    rounded = float(f"{100 * value:.2g}")
    if rounded > 999:
        return ">999 %"
    return "<0.1 %" if rounded < 0.1 else f"{rounded:,.0f} %" if rounded >= 10 else f"{rounded:.1f} %"


def watts(value: float | None) -> str:
    """``0.25`` -> ``250 mW``."""
    return NOT_AVAILABLE if value is None else _with_unit(value, "W")


def percent(value: float | None) -> str:
    """A share between 0 and 1: ``0.9876`` -> ``98.8 %``."""
    return NOT_AVAILABLE if value is None else f"{digits3(100 * value)} %"


def ratio(value: float | None) -> str:
    """A small dimensionless number, in scientific notation: ``0.00123`` -> ``1.23e-03``."""
    if value is None:
        return NOT_AVAILABLE
    return "0" if value == 0 else f"{value:.2e}"


def usd(value: float | None) -> str:
    """US dollars: ``0.76444`` -> ``$0.764``, ``1234.5`` -> ``$1,230``."""
    if value is None:
        return NOT_AVAILABLE
    if value != 0 and abs(value) < 1e-5:
        return f"${value:.2e}"
    rounded = float(f"{value:.3g}")
    if rounded == 0 or abs(rounded) >= 1e-4:
        return f"${digits3(value)}"
    return f"${rounded:.7f}"


def _with_unit(value: float, unit: str) -> str:
    scales = _DECIMAL if float(f"{abs(value):.3g}") >= 1 or value == 0 else _SMALL
    text = _scaled(value, scales)
    number = text.rstrip("PTGMkmun")
    return f"{number} {text[len(number) :]}{unit}"


def _scaled(value: float, scales: Sequence[tuple[float, str]]) -> str:
    """Scale by the largest factor that leaves at least 1 after rounding to three digits.

    ``scales`` runs from the largest factor to the smallest. Choosing after rounding keeps
    999.9 us from becoming ``1000 us``.
    """
    if value == 0:
        return f"0{dict(scales).get(1.0, '')}"
    for factor, suffix in scales:
        if float(f"{abs(value) / factor:.3g}") >= 1:
            return f"{digits3(value / factor)}{suffix}"
    factor, suffix = scales[-1]
    return f"{digits3(value / factor)}{suffix}"
