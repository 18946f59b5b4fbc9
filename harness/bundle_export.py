"""``chipmark export``: the ONNX Runtime cases of a suite as a bundle."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from backends.bundle_format import case_name
from harness import environment, plan
from harness.error_text import one_line
from harness.suite import Suite, load_suite
from results.errors import ChipmarkError, OutputError, UsageError
from results.records import CaseSpec, MeasureSpec
from workloads import REGISTRY as WORKLOADS

if TYPE_CHECKING:
    from backends.bundle_write import BundleWriter

BACKEND = "onnxruntime"


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: the folder, its size, cases that are in it, and those that are not, with the reason."""

    path: Path
    num_bytes: int
    num_cases: int
    failed: dict[str, str]


def export_bundle(
    suite_name: str, filters: plan.Filters, out: Path, with_weights: bool, say: Callable[[str], None]
) -> Exported:
    """Export every inference case of ``suite_name`` that ONNX Runtime can run, into the new folder ``out``.

    A case that cannot be exported is left out, and said so in the bundle. ``out`` appears when it is whole.

    Raises:
        UsageError: anything wrong with the request, or nothing could be exported.
        OutputError: the folder is there already, or cannot be written.
    """
    from backends.bundle_write import BundleWriter

    plan.check_filters(filters)
    suite = load_suite(suite_name)
    cases = [case for case in plan.combine(suite, filters) if case.phase != "train"]
    _check_packages()
    with _new_folder(out) as folder:
        writer, failed = BundleWriter(folder, with_weights), dict[str, str]()
        done = _export_each(writer, cases, failed, say)
        if not done:
            raise UsageError(f"nothing of suite {suite.suite.name!r} could be exported: {next(iter(failed.values()))}")
        now = environment.describe()
        writer.finish(
            suite=suite.suite.name,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            failed=failed,
            packages={"chipmark": now.chipmark_version, **now.packages},
            suite_text=suite_text(suite, done, plan.own_energy_seconds(suite, filters)),
        )
        num_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Exported(path=out, num_bytes=num_bytes, num_cases=len(done), failed=failed)


def _export_each(
    writer: BundleWriter, cases: Sequence[CaseSpec], failed: dict[str, str], say: Callable[[str], None]
) -> list[CaseSpec]:
    done = []
    for number, case in enumerate(cases, 1):
        say(f"exporting {number} of {len(cases)}: {case_name(case)}")
        try:
            writer.add(WORKLOADS.get(case.workload), case)
            done.append(case)
        except (Exception, SystemExit) as error:  # of torch, onnx or a plugin: the other cases go on
            plain = isinstance(error, ChipmarkError)
            failed[case_name(case)] = str(error) if plain else f"{type(error).__name__}: {one_line(error)}"
            say(f"not exported: {failed[case_name(case)]}")
    return done


def suite_text(suite: Suite, cases: Sequence[CaseSpec], energy_seconds: Mapping[str, float]) -> str:
    """A suite file with exactly these cases, and the limits of ``suite``.

    Args:
        suite: that they are from.
        cases: without a device.
        energy_seconds: case id -> least window for energy in seconds, where it has its own.
    """
    lines = ["# Written by chipmark export: the cases of this bundle.", "[suite]"]
    lines += _table({"name": suite.suite.name, "description": suite.suite.description})
    default = msgspec.to_builtins(MeasureSpec())
    measure = {k: v for k, v in msgspec.to_builtins(suite.measure).items() if v != default[k] and v is not None}
    lines += ["", "[measure]", *_table(measure)] if measure else []
    for case in cases:
        fields = ("workload", "phase", "preset", "precision", "batch_size", "backend", "seed", "shape", "options")
        own = {name: getattr(case, name) for name in fields if getattr(case, name) not in ({}, None)}
        energy = {"energy_seconds": energy_seconds[case.id]} if case.id in energy_seconds else {}
        lines += ["", "[[case]]", *_table({**own, "scenarios": list(case.scenarios), **energy})]
    return "\n".join(lines) + "\n"


def _table(values: dict[str, Any]) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in values.items()]


def _toml(value: Any) -> str:
    """Strings, numbers, booleans, lists and tables of them; JSON's strings are TOML's."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(key)} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return msgspec.json.encode(value).decode()


def _check_packages() -> None:
    from backends.onnx_source import missing_packages

    if reason := missing_packages():
        raise UsageError(f"export: {reason}")


class _new_folder:  # noqa: N801  # used as a function
    """A folder beside ``out`` that becomes ``out`` when all went well, and else is removed."""

    def __init__(self, out: Path) -> None:
        self._out = out
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise OutputError(f"{out}: is there already and not empty; give a new folder with --output")

    def __enter__(self) -> Path:
        try:
            self._out.parent.mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(prefix=f".{self._out.name}-", dir=self._out.parent))
            self._folder.chmod(0o755)
        except OSError as error:
            raise OutputError(f"{self._out}: cannot be written: {error.strerror}") from error
        return self._folder

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                if self._out.is_dir():
                    self._out.rmdir()
                os.rename(self._folder, self._out)
        except OSError as failed:
            error = failed
        if error is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise OutputError(f"{self._out}: cannot be written: {error.strerror}") from error
