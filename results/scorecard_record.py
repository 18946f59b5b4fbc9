"""Two scorecards for each device, training and inference; every cell says where it is from."""

from __future__ import annotations

from typing import Literal

from results.cost_record import CostTerms
from results.record import Record

SCORECARD_SCHEMA_VERSION = 1

# measured: by chipmark, on this device. derived: from measured numbers and the price table or the device table.
# published: by somebody else, cited. imported: by the user with another tool. empty: neither, for the reason given.
CellKind = Literal["measured", "derived", "published", "imported", "empty"]


# chipmark: our own. published: of others, cited. imported: measured by the user with another tool.
CardOrigin = Literal["chipmark", "published", "imported"]


class Cell(Record, frozen=True, kw_only=True):
    """One number of a scorecard, of one kind only."""

    kind: CellKind
    value: float | None = None
    low: float | None = None  # of a range: beside the value, or where there is no single number
    high: float | None = None
    unit: str = ""
    half_width: float | None = None  # 95 %, relative
    source: str = ""  # run and case, price row, citation
    reason: str = ""  # why it is empty
    notes: tuple[str, ...] = ()


class Scorecard(Record, frozen=True, kw_only=True):
    """One workload, preset, shape and precision on one device: training or inference.

    A row that cannot be of the workload, or that its publisher does not report, is not in ``cells``.
    """

    mode: Literal["training", "inference"]
    origin: CardOrigin
    workload: str  # workload/preset and shape, or a published benchmark and its scenario
    precision: str
    batch_size: int | None
    backend: str
    run_id: str = ""  # of our own
    case_ids: dict[str, str] = {}  # phase -> case; prefill and decode of one workload share a card
    cells: dict[str, Cell]  # row of the scorecard -> number
    notes: tuple[str, ...] = ()  # true of the whole card: invalid, emulated, failed guards, trademark


class DeviceScorecards(Record, frozen=True, kw_only=True):
    """All scorecards of one device; own and published ones are never in one card."""

    device: str  # as its driver or publisher writes it
    row: str | None  # of the device table
    role: Literal["training", "inference", "both"] | None  # of that row
    training: tuple[Scorecard, ...]
    inference: tuple[Scorecard, ...]


class ScorecardReport(Record, frozen=True, kw_only=True):
    """What ``chipmark cost --scorecards --format json`` prints."""

    schema_version: int = SCORECARD_SCHEMA_VERSION
    run_ids: tuple[str, ...]
    terms: CostTerms = CostTerms()  # of the dollars
    devices: tuple[DeviceScorecards, ...]
    warnings: tuple[str, ...] = ()
