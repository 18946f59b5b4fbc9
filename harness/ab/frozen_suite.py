"""The suite of an A/B comparison, written out case by case.

Each side would expand a suite with its own presets and its own shipped files. So that both measure
the same cases, the chipmark that is running expands it once, and both are given the result.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from harness.suite import Suite
from results.errors import OutputError
from results.records import CaseSpec, MeasureSpec, Scalar

FILE = "suite.toml"


def write_suite(path: Path, suite: Suite, cases: Sequence[CaseSpec]) -> None:
    """Write ``cases`` as a suite file.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        path.write_text(suite_text(suite, cases), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}; choose another place with --out") from error


def suite_text(suite: Suite, cases: Sequence[CaseSpec]) -> str:
    """TOML with every case spelled out.

    Of the measuring limits only those that differ from the defaults are written, and none of energy, which
    is not measured unless asked for: an older chipmark on one side may not know the others.
    """
    defaults = msgspec.structs.asdict(MeasureSpec())
    limits = {
        k: v
        for k, v in msgspec.structs.asdict(suite.measure).items()
        if v != defaults[k] and k != "replicates" and not k.startswith("energy")
    }
    parts = [_table("[suite]", {"name": suite.suite.name, "description": suite.suite.description})]
    if limits:
        parts.append(_table("[measure]", limits))
    parts += [_table("[[case]]", _case_fields(case)) for case in cases]
    return "\n".join(parts)


def _case_fields(case: CaseSpec) -> dict[str, object]:
    return {
        "workload": case.workload,
        "phase": case.phase,
        "preset": case.preset,
        "precision": case.precision,
        "batch_size": case.batch_size,
        "backend": case.backend,
        "shape": case.shape,
        "options": case.options,
        "scenarios": case.scenarios,
        "seed": case.seed,
    }


def _table(header: str, fields: Mapping[str, object]) -> str:
    return "\n".join([header, *(f"{key} = {_value(value)}" for key, value in fields.items()), ""])


def _value(value: object) -> str:
    """A TOML value. Strings of JSON without escapes for non-ASCII are strings of TOML."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(str(k))} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _scalar(value)  # type: ignore[arg-type]


def _scalar(value: Scalar) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)
