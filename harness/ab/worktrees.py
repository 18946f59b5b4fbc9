"""Git revisions of chipmark's own checkout as folders: temporary worktrees, always removed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from results.errors import UsageError, did_you_mean

HOME = Path(__file__).resolve().parent.parent.parent
SIGNALS = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}
# Set inside git's hooks; they would send our commands to another repository.
_GIT_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX")


def checkout_root(home: Path) -> Path:
    """``home``, if it is the checkout of a repository of its own.

    Raises:
        UsageError: git is missing, or chipmark was installed without its repository.
    """
    done = _git(home, "rev-parse", "--show-toplevel")
    top = Path(done.stdout.strip()).resolve() if done.returncode == 0 else None
    if top != home.resolve():
        why = _last_line(done.stderr) if done.returncode else f"its folder belongs to the repository {top}"
        raise UsageError(
            f"--ab compares revisions of chipmark's repository, but chipmark runs from {home}, "
            f"which is not a git checkout of it ({why}); run it from a clone"
        )
    return home


def resolve(root: Path, ref: str) -> str:
    """The full hash of the commit that ``ref`` names.

    Raises:
        UsageError: there is no such commit.
    """
    done = _git(root, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}") if _may_be_ref(ref) else None
    if done is None or done.returncode != 0:
        names = _git(root, "for-each-ref", "--format=%(refname:short)").stdout.split()
        raise UsageError(f"--ab: {root} has no revision {ref!r}{did_you_mean(ref, [*names, 'HEAD', 'WORKTREE'])}")
    return done.stdout.strip()


def describe(root: Path) -> str | None:
    """The commit of a checkout, ``-dirty`` if it was changed; None if git cannot tell."""
    done = _git(root, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    return done.stdout.strip() or None if done.returncode == 0 else None


@contextmanager
def worktree(root: Path, commit: str) -> Iterator[Path]:
    """A temporary folder with ``commit`` checked out; removed on leaving, whatever ends the block.

    Raises:
        UsageError: git cannot make it.
    """
    parent = Path(tempfile.mkdtemp(prefix="chipmark-ab-"))
    folder = parent / "tree"
    try:
        # Without hooks: what a user's repository does after a checkout is no part of the comparison.
        done = _git(root, "-c", f"core.hooksPath={os.devnull}", "worktree", "add", "--detach", str(folder), commit)
        if done.returncode != 0:
            raise UsageError(f"--ab: git cannot check out {commit[:12]}: {_last_line(done.stderr)}")
        yield folder
    finally:
        _remove(root, parent, folder)


def _remove(root: Path, parent: Path, folder: Path) -> None:
    """Remove the worktree and git's entry for it; a second Ctrl-C waits until that is done."""
    with _signals_wait():
        _git(root, "worktree", "remove", "--force", "--force", str(folder))
        shutil.rmtree(parent, ignore_errors=True)


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Within the block signals are noted only, and acted on after it.

    Not by blocking them: another thread (of a numeric library) would receive them all the same.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # no other thread may change handlers, or is interrupted by one
        return
    came: list[int] = []
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    for number in previous:
        signal.signal(number, lambda received, frame: came.append(received))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
    for number in dict.fromkeys(came):
        signal.raise_signal(number)


def _may_be_ref(ref: str) -> bool:
    return bool(ref.strip()) and not ref.startswith("-") and "\0" not in ref


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in _GIT_VARIABLES}
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            start_new_session=True,  # a terminal's Ctrl-C is for us to act on
        )  # fmt: skip
    except FileNotFoundError as error:
        raise UsageError("--ab needs git, which is not installed here") from error


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["git says nothing"])[-1]
