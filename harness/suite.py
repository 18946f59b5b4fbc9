"""Suites: TOML files that name what to measure. List-valued keys sweep.

::

    [suite]
    name = "mine"
    description = "what it is for"

    [measure]                       # optional; any field of MeasureSpec
    min_seconds = 2.0

    [[case]]
    workload = "llm-decoder"
    phase = ["prefill", "decode"]   # default: all the workload has
    preset = "tiny"
    precision = ["fp32", "bf16"]    # default: fp32
    batch_size = [1, 8]             # default: the preset's
    backend = "torch"               # default: torch
    shape = { prompt_tokens = 64 }  # default: the preset's
    options = { compile = [false, true] }
    energy_seconds = 30.0           # least window for energy; default: measure.energy_min_seconds
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from harness.suite_limits import check_axis, check_entry, check_measure, check_seconds
from results.configs import config_path
from results.errors import SuiteError, UnknownNameError, did_you_mean
from results.records import MeasureSpec, Phase, Precision, Scalar, Scenario

Values = list[Any]


class SuiteHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[suite]``."""

    name: str
    description: str = ""


class CaseEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[case]]``; every key but ``shape`` and ``options`` may be a list, which sweeps."""

    workload: str | list[str]
    phase: Phase | list[Phase] | None = None
    preset: str | list[str] = "tiny"
    precision: Precision | list[Precision] = "fp32"
    batch_size: int | list[int] | None = None
    backend: str | list[str] = "torch"
    shape: dict[str, int | list[int]] = {}
    options: dict[str, Scalar | list[Scalar]] = {}
    scenarios: tuple[Scenario, ...] = ("throughput", "latency")
    seed: int = 0
    energy_seconds: float | None = None


class Suite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole suite file. ``source`` is where it was read, for messages."""

    suite: SuiteHeader
    measure: MeasureSpec = MeasureSpec()
    case: list[CaseEntry]
    source: str = ""


def suite_names() -> list[str]:
    """Names of the suites that ship with chipmark."""
    return sorted(path.stem for path in config_path("suites").glob("*.toml"))


def load_suite(name: str) -> Suite:
    """The suite called ``name``, or in the file ``name`` (anything that ends in ``.toml``).

    Raises:
        UnknownNameError: no shipped suite has this name.
        SuiteError: the file is missing or wrong; file and key path are named.
    """
    if name.endswith(".toml"):
        path = Path(name)
    elif name in suite_names():
        path = config_path("suites") / f"{name}.toml"
    else:
        hint = f" (a file? use its whole name, {name}.toml)" if Path(f"{name}.toml").exists() else ""
        raise UnknownNameError("suite", name, suite_names(), where=hint.strip())
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SuiteError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SuiteError(f"{path}: is not UTF-8 text: {error.reason} at byte {error.start}") from error
    return parse_suite(text, str(path))


def parse_suite(text: str, source: str) -> Suite:
    """Validate the text of a suite file."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SuiteError(f"{source}: is not valid TOML: {error}") from error
    _check_keys(raw, source)
    try:
        suite = msgspec.convert(raw, Suite)
    except msgspec.ValidationError as error:
        raise SuiteError(f"{source}: {_located(str(error), raw)}") from error
    _check_values(suite, source)
    return msgspec.structs.replace(suite, source=source)


def _check_keys(raw: Mapping[str, Any], source: str) -> None:
    """Unknown keys, each with its path and the nearest known one."""
    tables: list[tuple[str, Any, type[msgspec.Struct]]] = [("", raw, Suite)]
    tables += [("suite", raw.get("suite"), SuiteHeader), ("measure", raw.get("measure"), MeasureSpec)]
    cases = raw.get("case")
    if isinstance(cases, list):
        tables += [(f"case[{n}]", case, CaseEntry) for n, case in enumerate(cases)]
    for path, table, kind in tables:
        if not isinstance(table, dict):
            continue
        known = [name for name in kind.__struct_fields__ if name != "source"]
        for key in table:
            if key not in known:
                place = f"{path}.{key}" if path else key
                raise SuiteError(f"{source}: {place}: unknown key{did_you_mean(key, known)}")


def _located(message: str, raw: Mapping[str, Any]) -> str:
    """A msgspec message (text, ``- at``, JSON path) as ``case[1].x: text``, with a suggestion."""
    text, _, path = message.partition(" - at `")
    place = path.rstrip("`").removeprefix("$").lstrip(".").replace("[...]", "")
    if not place and "required field" in text:
        return f"{text} at the top level"
    if text.startswith("Invalid enum value"):
        value = text.removeprefix("Invalid enum value ").strip("'")
        for key, choices in (("phase", Phase), ("precision", Precision), ("scenarios", Scenario)):
            if key in place:
                return f"{place}: unknown {key} {value!r}{did_you_mean(value, choices.__args__)}"  # type: ignore[attr-defined]
    return f"{place}: {text}" if place else text


def _check_values(suite: Suite, source: str) -> None:
    if not suite.case:
        raise SuiteError(f"{source}: case: is empty; give at least one [[case]]")
    check_measure(suite.measure, source)
    for number, entry in enumerate(suite.case):
        place = f"{source}: case[{number}]"
        check_entry(entry.scenarios, entry.seed, place)
        check_seconds(entry.energy_seconds, f"{place}.energy_seconds")
        for key, values in entry_axes(entry).items():
            check_axis(key, values, place)


def entry_axes(entry: CaseEntry) -> dict[str, Values]:
    """The sweep axes of a case entry in file order: key -> values (single values as a list)."""
    axes: dict[str, Values] = {}
    for key in ("workload", "phase", "preset", "precision", "batch_size", "backend"):
        axes[key] = _listed(getattr(entry, key))
    for name, value in entry.shape.items():
        axes[f"shape.{name}"] = _listed(value)
    for name, option in entry.options.items():
        axes[f"options.{name}"] = _listed(option)
    return axes


def _listed(value: Any) -> Values:
    return list(value) if isinstance(value, list) else [value]
