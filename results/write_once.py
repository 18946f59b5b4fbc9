"""Files that are written once and never changed, and a lock against two writers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from results.store_writer import write_atomically

try:
    import fcntl
except ImportError:  # Windows: no advisory locks; two writers are then the user's care
    fcntl = None  # type: ignore[assignment]


def write_once(path: Path, content: bytes) -> None:
    """Make ``path`` with ``content``: after a crash it is absent or complete, never overwritten.

    Raises:
        FileExistsError: it is there already.
        OSError: it cannot be written.
    """
    complete = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        write_atomically(complete, content)
        try:
            os.link(complete, path)  # unlike a rename, this never replaces
        except FileExistsError:
            raise
        except OSError:  # a disk without hard links
            if path.exists():
                raise FileExistsError(17, "exists already", str(path)) from None
            complete.replace(path)
        _sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            complete.unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    with contextlib.suppress(OSError):  # not every system can sync a folder
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold an advisory lock on the file ``path``, which is made if need be.

    Raises:
        BlockingIOError: another process holds it.
        OSError: it cannot be made.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(file)
