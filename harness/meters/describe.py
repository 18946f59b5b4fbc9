"""What meters can read, in words for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from harness.meters.base import Capability
from harness.meters.metered import no_meter_reason
from results.energy_record import SCOPES
from results.records import Device
from results.units import joules, seconds, watts


def readable(answer: Capability) -> str:
    """``gpu_board (one accelerator board) by SOURCE; period 100 ms; ...``, only what is known."""
    texts = [f"{_scope(answer.scope)} by {answer.source or 'a source it does not name'}"]
    period = "not known until measured" if answer.update_s is None else seconds(answer.update_s)
    texts.append(f"period {period}")
    if answer.averaging_s is not None:
        texts.append(f"averages over {seconds(answer.averaging_s)}")
    if answer.part_time:
        texts.append("looks at part of each period only")
    steps = [_small(answer.resolution_j, joules, "uJ"), _small(answer.resolution_w, watts, "uW")]
    if any(steps):
        texts.append(f"in steps of {' and '.join(filter(None, steps))}")
    if answer.beside:
        texts.append(f"beside it {', '.join(_scope(scope) for scope in answer.beside)}")
    return "; ".join(texts)


def unreadable(answer: Capability) -> str:
    """The reason, and what would grant it."""
    return f"{answer.reason}; to grant it: {answer.remedy}" if answer.remedy else answer.reason


def not_measurable(device: Device, answers: Mapping[str, Capability], broken: Sequence[str]) -> str:
    """Why no meter reads ``device``, with what would change that; ``broken`` meters could not be asked."""
    told = {name: msgspec.structs.replace(answer, reason=unreadable(answer)) for name, answer in answers.items()}
    text = no_meter_reason(device, told)
    text = f"{text}; broken and not asked: {', '.join(broken)}" if broken else text
    return f"{text}; an external meter can be read (chipmark run --wall-meter FILE)"


def _scope(scope: str) -> str:
    return f"{scope} ({SCOPES[scope]})" if scope in SCOPES else scope or "a scope it does not name"


def _small(value: float | None, text: Callable[[float], str], unit: str) -> str:
    """A least step; some are below a thousandth of the unit, which ``units`` does not scale."""
    if value is None:
        return ""
    return f"{value * 1e6:.3g} {unit}" if value < 1e-3 else text(value)
