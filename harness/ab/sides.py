"""The two sides of a comparison, ready to be run: a source tree and an interpreter each."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from harness.ab import worktrees
from harness.ab.order import SIDES, Side
from harness.ab.request import WORKING_TREE, AbRequest
from results.ab_record import AbSide
from results.errors import UsageError

PROBE_TIMEOUT_S = 120.0
# What makes an interpreter find other modules than its own.
_NOT_PASSED_ON = ("PYTHONHOME", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__")
_SOURCE_FOLDERS = ("backends", "configs", "harness", "results", "workloads")
_PROBE = """
import json, sys
found = {"python": "%d.%d.%d" % sys.version_info[:3]}
if sys.version_info < (3, 11):
    found["fault"] = "is Python %s, chipmark needs 3.11" % found["python"]
else:
    try:
        import harness
        found["home"] = list(harness.__path__)[0]
        import harness.cli.run, harness.origin, harness.session
        found["fault"] = harness.origin.foreign_package()
    except ImportError as error:
        found["fault"] = "cannot import chipmark: %s; install its dependencies there" % error
print("PROBE" + json.dumps(found))
"""


class ReadySide(NamedTuple):
    """``tree`` is None where each interpreter has a chipmark of its own."""

    record: AbSide
    tree: Path | None
    digest: str | None  # of the source files when the side was made ready

    def environment(self) -> dict[str, str]:
        """Variables with which the interpreter takes chipmark from the side's tree, and from nowhere else."""
        variables = {key: value for key, value in os.environ.items() if key not in _NOT_PASSED_ON}
        variables["PYTHONSAFEPATH"] = "1"  # not from the folder the user stands in
        if self.tree is not None:
            others = variables.get("PYTHONPATH", "")  # plugins
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(self.tree), others)))
        return variables

    def was_changed(self) -> bool:
        """Whether the source files are others than when the side was made ready."""
        return self.tree is not None and source_digest(self.tree) != self.digest


@contextmanager
def ready_sides(request: AbRequest) -> Iterator[dict[Side, ReadySide]]:
    """Check out, probe and describe both sides; what was checked out is removed on leaving.

    Raises:
        UsageError: a revision or an interpreter that is not there or does not run chipmark.
    """
    pythons: dict[Side, str] = {
        "a": _interpreter(request.python_a, "--python-a"),
        "b": _interpreter(request.python_b, "--python-b"),
    }
    refs: dict[Side, str | None] = {"a": request.ref_a, "b": request.ref_b}
    with ExitStack() as stack:
        yield {side: _ready(side, refs[side], pythons[side], stack) for side in SIDES}


def _ready(side: Side, ref: str | None, python: str, stack: ExitStack) -> ReadySide:
    commit = None
    if ref is None:
        tree = worktrees.HOME if _is_source_tree(worktrees.HOME) else None
        commit = worktrees.describe(worktrees.HOME) if (worktrees.HOME / ".git").exists() else None
        name = "chipmark as it runs"
    else:
        root = worktrees.checkout_root(worktrees.HOME)
        if ref in WORKING_TREE:
            tree, commit, name = root, worktrees.describe(root), "WORKTREE"
        else:
            commit, name = worktrees.resolve(root, ref), ref
            tree = stack.enter_context(worktrees.worktree(root, commit))
    record = AbSide(label="", ref=ref, commit=commit, python=python, python_version="")
    ready = ReadySide(record, tree, source_digest(tree) if tree else None)
    found = _probe(side, ready)
    label = name if commit is None or commit.startswith(name) else f"{name} ({commit[:12]}{_dirty(commit)})"
    record = AbSide(label=label, ref=ref, commit=commit, python=python, python_version=found["python"])
    return ready._replace(record=record)


def _dirty(commit: str) -> str:
    return "-dirty" if commit.endswith("-dirty") else ""


def _interpreter(given: str | None, option: str) -> str:
    """The interpreter's absolute path, links kept: that of a virtual environment is one.

    Raises:
        UsageError: there is no such program.
    """
    if given is None:
        return sys.executable
    path = Path(given).expanduser()
    if path.is_dir():  # a virtual environment
        path = path / "bin" / "python"
    found = shutil.which(str(path))
    if found is None:
        raise UsageError(f"{option} {given}: no such interpreter; give its path or a virtual environment's folder")
    return os.path.abspath(found)


def _probe(side: Side, ready: ReadySide) -> Mapping[str, Any]:
    """Ask the side's interpreter which chipmark it runs.

    Raises:
        UsageError: not the one it should, or none.
    """
    place = f"side {side.upper()}: {ready.record.python}"
    try:
        done = subprocess.run(
            [ready.record.python, "-c", _PROBE],
            env=ready.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=PROBE_TIMEOUT_S, check=False,
        )  # fmt: skip
        line = next((line for line in done.stdout.splitlines() if line.startswith("PROBE")), None)
        found: dict[str, Any] = json.loads(line.removeprefix("PROBE")) if line else {}
    except (OSError, subprocess.SubprocessError, ValueError, UnicodeDecodeError) as error:
        raise UsageError(f"{place} does not run as a Python interpreter: {error}") from error
    if not found:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise UsageError(f"{place} does not run as a Python interpreter: {last}")
    if found.get("fault"):
        raise UsageError(f"{place} {found['fault']}")
    home = Path(found["home"]).resolve().parent
    if ready.tree is not None and home != ready.tree.resolve():
        raise UsageError(f"{place} takes chipmark from {home} instead of {ready.tree}")
    return found


def _is_source_tree(home: Path) -> bool:
    """Whether ``home`` holds chipmark alone, rather than a whole environment's packages."""
    return (home / "pyproject.toml").is_file()


def source_digest(tree: Path) -> str:
    """A digest of chipmark's sources and configuration in ``tree``."""
    digest = hashlib.sha256()
    for folder in _SOURCE_FOLDERS:
        for path in sorted((tree / folder).rglob("*")):
            if path.suffix in (".py", ".toml", ".csv") and path.is_file():
                digest.update(f"{path.relative_to(tree)}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()
