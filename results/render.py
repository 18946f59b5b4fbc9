"""Turning summaries and costs into text: the formats, and what all of them share.

``table`` is for terminals and needs rich; ``markdown``, ``json`` and ``csv`` do not. Nothing is
said by colour alone.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from results.case_summary import CaseSummary, RunHeader, RunSummary
from results.functional_only import marks_of
from results.notes import one_line
from results.records import CaseSpec, Device, Scalar
from results.rows import COLUMNS, flat_row

FORMATS = ("table", "markdown", "json", "csv")
# The least width tables are made for, and the width where there is no terminal to ask.
TABLE_WIDTH = 100
# What begins like this is a formula to a spreadsheet, and may come from the name of a file or a device.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# Packages whose versions belong beside every table; with the other builds and the plugins of the last.
HEADER_PACKAGES = ("torch", "onnxruntime")


def render_summary(summary: RunSummary, output_format: str, width: int = TABLE_WIDTH, color: bool = False) -> str:
    """A run's summary as text in one of :data:`FORMATS`, ending in a newline."""
    if output_format == "json":
        return json_text(summary)
    if output_format == "csv":
        return _summary_csv(summary)
    if output_format == "markdown":
        from results.render_markdown import markdown

        return markdown(summary)
    from results.render_table import table

    return table(summary, width=width, color=color)


def _summary_csv(summary: RunSummary) -> str:
    names, rows = [column.name for column in COLUMNS], list(map(flat_row, summary.cases))
    if summary.electricity:
        from results.electricity import CSV_COLUMNS, Tariff, csv_fields

        names += CSV_COLUMNS
        tariff = Tariff(summary.electricity.tariff_usd_per_kwh, summary.electricity.pue)
        pairs = zip(rows, summary.electricity.cases, strict=True)
        rows = [row | csv_fields(tariff, cost) for row, cost in pairs]
    return csv_text(names, rows)


def json_text(record: msgspec.Struct) -> str:
    """A derived record as indented JSON; None is null."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2).decode() + "\n"


def csv_text(names: Sequence[str], rows: Iterable[Mapping[str, Scalar]]) -> str:
    """RFC 4180 text with a header; None is an empty cell, lines end in a bare line feed.

    Text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    return "".join([_csv_line(names), *(_csv_line([_no_formula(row.get(name)) for name in names]) for row in rows)])


def _csv_line(cells: Sequence[Scalar]) -> str:
    out = io.StringIO()
    # Only what is in the line's end is sure to be quoted in a cell, and a bare carriage return must be.
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().removesuffix("\r\n") + "\n"


def _no_formula(value: Scalar) -> Scalar:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def terminal_width() -> int:
    """The terminal's width; :data:`TABLE_WIDTH` where standard output is not one."""
    if not sys.stdout.isatty():
        return TABLE_WIDTH
    # A table that is folded into fewer columns cannot be read: rather let the terminal wrap it.
    return max(TABLE_WIDTH, shutil.get_terminal_size((TABLE_WIDTH, 24)).columns)


def terminal_color() -> bool:
    """Whether standard output may be coloured (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def header_lines(run: RunHeader, cases: Sequence[CaseSpec]) -> list[str]:
    """Which run this is, on what, with what."""
    environment = run.environment
    created = run.created_at.replace("T", " ").replace("+00:00", " UTC").replace("Z", " UTC")
    packages = environment.packages
    named = [*HEADER_PACKAGES, *(name for name in packages if name.startswith(f"{HEADER_PACKAGES[-1]}-"))]
    versions = [f"{name} {packages[name]}" for name in named if name in packages]
    lines = [
        f"run {run.run_id}, suite {run.suite}, {created}",
        *(f"{device_id}: {name} ({backends})" for device_id, name, backends in _used_devices(run, cases)),
        ", ".join([f"chipmark {environment.chipmark_version}", f"python {environment.python_version}", *versions]),
        *([f"options of every case: {options}"] if (options := shared_by(cases).options_text) else []),
    ]
    return list(map(one_line, lines))


def _used_devices(run: RunHeader, cases: Sequence[CaseSpec]) -> list[tuple[str, str, str]]:
    """Id, name and backends of each device that a case names, in order of appearance."""
    found: dict[tuple[str, str], list[str]] = {}
    for case in cases:
        device = find_device(run.devices, case)
        name = device.name if device else "unknown device"
        key = (case.device, f"{name}, functional only" if marks_of(device) else name)
        backends = found.setdefault(key, [])
        if case.backend not in backends:
            backends.append(case.backend)
    return [(device_id, name, ", ".join(backends)) for (device_id, name), backends in found.items()]


def find_device(devices: Sequence[Device], case: CaseSpec) -> Device | None:
    """The device a case ran on, as its own backend describes it if possible."""
    same_id = [device for device in devices if device.id == case.device]
    own = [device for device in same_id if device.backend == case.backend]
    return next(iter(own or same_id), None)


def counts_line(counts: Mapping[str, int]) -> str:
    """``24 ok, 3 unsupported, 0 failed``, and the other statuses where there are any."""
    always = ("ok", "unsupported", "failed")
    rest = [name for name, number in counts.items() if number and name not in always]
    return ", ".join(f"{counts[name]} {name}" for name in (*always, *rest))


def shape_text(case: CaseSpec) -> str:
    """``prompt_length=16 new_tokens=4``, in the order stored."""
    return " ".join(f"{key}={value}" for key, value in case.shape.items())


class Shared(NamedTuple):
    """What all cases of a table have in common, so that its rows need not repeat it."""

    one_device: bool
    options: Mapping[str, Scalar]

    @property
    def options_text(self) -> str:
        """``compile threads=1``."""
        return options_text(self.options)


def shared_by(cases: Sequence[CaseSpec]) -> Shared:
    """Whether there is one device, and the options that every case has with the same value."""
    options = dict(cases[0].options) if cases else {}
    for case in cases:
        options = {key: value for key, value in options.items() if case.options.get(key) == value}
    return Shared(len({case.device for case in cases}) <= 1, options)


def options_text(options: Mapping[str, Scalar]) -> str:
    """``compile threads=1``, sorted by name."""
    return " ".join(key if value is True else f"{key}={value}" for key, value in sorted(options.items()))


def backend_text(case: CaseSpec, shared: Shared) -> str:
    """The backend, its device when several occur, and the options that not all cases have."""
    name = case.backend if shared.one_device else f"{case.backend} {case.device}"
    own = {key: value for key, value in case.options.items() if key not in shared.options}
    return f"{name} {options_text(own)}".rstrip()


def precision_text(case: CaseSpec, support: str | None) -> str:
    """The precision, and ``emul`` where its products are computed in a wider type."""
    return f"{case.precision} emul" if support == "emulated" else case.precision


def status_text(case: CaseSummary) -> str:
    """The status, and how many replicates ended ok where there are several."""
    if case.num_replicates > 1 and case.status != "missing":
        return f"{case.status} {case.num_ok}/{case.num_replicates}"
    return case.status
