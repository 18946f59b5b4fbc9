"""What a sampled meter polls: channels of a counter or a power value, grouped by scope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

# NVIDIA states +-5 % for board power (nvidia-smi manual); up to 11 % were seen against an external
# meter (steady-state errors in the data of arXiv 2312.02741). Mostly a gain of the card, so it cancels
# between runs on one card.
U_SENSOR = 0.05


class Channel(NamedTuple):
    """One value to poll. Values are integers: microjoules of a counter, microwatts of a power.

    Attributes:
        kind: ``counter`` counts energy up; ``power`` is a power now, or an average.
        read: the value now, in uJ or uW. Raises whatever goes wrong; the text becomes the reason.
        source: API and field, for the record.
        wrap_uj: a counter starts again from 0 after ``wrap_uj`` (its largest value + its least step
            is ``wrap_uj``, as the sensor documents it); None: it never does, and a step back is a fault.
        averaging_s: each power value is an average of so long; None: not known or none.
        part_time: the sensor looks at part of each period only.
        update_s: its documented period, if any; what is seen while measuring goes first.
        least_uw: least step of a power value, if known: one that fine does not stay the same for long.
    """

    kind: Literal["counter", "power"]
    read: Callable[[], int]
    source: str
    wrap_uj: int | None = None
    averaging_s: float | None = None
    part_time: bool = False
    update_s: float | None = None
    least_uw: int | None = None


class Domain(NamedTuple):
    """One scope of one device: energies of ``parts`` are disjoint and add up (two sockets, say).

    Attributes:
        scope: a key of ``results.energy_record.SCOPES``.
        device_id: UUID, bus id or path of what is read.
        parts: each is a channel for the energy.
        check: a second source for the same scope, compared and never added: a power value beside a
            counter.
        u_sensor: relative uncertainty of the sensor itself, 95 %; None: nobody says.
        power_limit_w: enforced limit of this scope, if known.
        power_limit_default_w: its default.
        driver: version of the driver.
    """

    scope: str
    device_id: str
    parts: tuple[Channel, ...]
    check: Channel | None = None
    u_sensor: float | None = U_SENSOR
    power_limit_w: float | None = None
    power_limit_default_w: float | None = None
    driver: str | None = None
