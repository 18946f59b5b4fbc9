"""Which distribution the installed ``onnxruntime`` module came from; two of them in one place overwrite each other.

Read from the metadata beside the packages: nothing is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

from results.errors import BackendUnavailable

# The build for CPUs, which plugins join.
PLAIN = "onnxruntime"
# What every build of ONNX Runtime for Python puts in the same place; its plugins do not.
_SHARED_FILE = "onnxruntime/__init__.py"


def builds_on(path: Iterable[str] | None = None) -> list[Distribution]:
    """The distributions that hold the module ``onnxruntime`` in the first folder of ``path`` that has one.

    Args:
        path: folders as in ``sys.path``, which it is by default.
    """
    for folder in map(Path, sys.path if path is None else path):
        metadata = sorted((*folder.glob("onnxruntime*.dist-info"), *folder.glob("ort_*.dist-info")))
        found: list[Distribution] = [known for known in map(PathDistribution, metadata) if _holds_module(known)]
        if found:
            return found
    return []


def check_single(path: Iterable[str] | None = None) -> None:
    """Refuse two builds of ONNX Runtime that are installed over each other.

    Raises:
        BackendUnavailable: there are two; what they are and how to mend it.
    """
    found = builds_on(path)
    if len(found) < 2:
        return
    listed = " and ".join(f"{known.name} {known.version}" for known in found)
    names = " ".join(known.name for known in found)
    raise BackendUnavailable(
        f"{len(found)} builds of ONNX Runtime are installed over each other in {found[0].locate_file('')}: {listed}; "
        "they share the module onnxruntime, so that nobody knows which one's files are left",
        f"keep one: pip uninstall -y {names}, then pip install the one that is wanted",
    )


def _holds_module(known: Distribution) -> bool:
    return any(str(file) == _SHARED_FILE for file in known.files or ())
