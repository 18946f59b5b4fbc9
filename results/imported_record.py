"""Results that were measured elsewhere, with another tool: kept apart from our own.

They are never compared by verdict with results of chipmark, and dollars derived from them are never called
results of whoever published them.
"""

from __future__ import annotations

from typing import Literal

from results.price_match import MarketRange, PriceMatch
from results.record import Record

# History of the stored format of imported results.
#   1  first version
IMPORTED_SCHEMA_VERSION = 1

NOT_VERIFIED = "computed from the published times of its runs, not verified by its publisher"
DERIVED = "derived by chipmark, same chip, different machine"
# published: by the named publisher, with a citation. imported: measured by the user with another tool.
Origin = Literal["published", "imported"]
Quantity = Literal["throughput", "latency", "time_to_train", "power", "energy_per_query"]


class Citation(Record, frozen=True, kw_only=True):
    """Where a result can be looked up, as its publisher asks it to be cited."""

    publisher: str  # MLCommons, a vendor, ...
    title: str  # MLPerf Inference v6.0
    submitter: str
    division: str = ""  # closed, open
    category: str = ""  # available, preview, rdi, on-premise, ...
    suite: str = ""  # datacenter, edge
    benchmark: str
    scenario: str = ""
    result_id: str = ""  # id or place of the result
    url: str = ""
    retrieved: str  # ISO date, or "unknown"
    trademark: str = ""  # the notice that its publisher asks for


class ImportedResult(Record, frozen=True, kw_only=True):
    """One number of one system. Values are as published; SI conversion is only of units of time and energy."""

    row: int  # line (CSV) or position from 1 (JSON) in the file
    origin: Origin
    quantity: Quantity
    value: float
    unit: str  # token/s, sample/s, query/s, s, W, J
    better: Literal["higher", "lower"]
    citation: Citation
    system: str
    accelerator: str | None  # as written there; None: none (CPU)
    device: str | None = None  # row of the device table, by exact name or not at all
    device_reason: str = ""
    processor: str = ""
    num_nodes: int | None = None
    num_accelerators: int | None = None  # of the whole system
    num_accelerators_reason: str = ""
    value_per_accelerator: float | None = None  # throughput only
    value_per_accelerator_reason: str = ""
    phase: Literal["train", "infer", "prefill", "decode"] | None = None
    precision: str = ""  # as written there
    batch_size: int | None = None
    software: str = ""
    power_w: float | None = None  # of the same run, by its publisher's meter
    power_scope: str = ""
    accuracy: str = ""
    inferred: bool = False  # by the publisher from another scenario, not measured
    computed: bool = False  # by the rules from published times of runs, not verified by the publisher
    notes: str = ""  # as written there
    doubts: tuple[str, ...] = ()  # what does not fit together in the row


class Refusal(Record, frozen=True, kw_only=True):
    """A row that was not imported."""

    row: int
    reason: str


class ImportedFile(Record, frozen=True, kw_only=True):
    """What ``chipmark import`` stores: one file of results with its provenance."""

    schema_version: int = IMPORTED_SCHEMA_VERSION
    format: Literal["mlperf-inference", "mlperf-training", "results"]
    source: str  # name of the file that was read, without its folder
    source_sha256: str
    imported_at: str  # ISO 8601, UTC
    chipmark_version: str
    results: tuple[ImportedResult, ...]
    refused: tuple[Refusal, ...] = ()


class ImportedCost(Record, frozen=True, kw_only=True):
    """Dollars derived from an imported throughput and what its chip is offered for; never a result of its publisher."""

    label: str = DERIVED
    result: ImportedResult
    accelerators: int | None = None  # that are priced
    price: PriceMatch | None = None  # where an instance was named
    market: MarketRange | None = None  # else the range of the market
    usd_per_1m: tuple[float, float, float] | None = None  # items of the result's unit; min, median, max
    usd_per_run: tuple[float, float, float] | None = None  # time to train
    reason: str = ""  # why there are no dollars
