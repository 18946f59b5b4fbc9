"""Notice when one of the four packages is somebody else's.

They are top-level names, so another distribution or a folder on ``PYTHONPATH`` may shadow one. This
module imports none of them: it must work in just that situation.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

PACKAGES = ("backends", "results", "workloads")


def foreign_package() -> str | None:
    """One line that names the package that is not chipmark's, or None if all share one folder."""
    home = Path(__file__).resolve().parent.parent
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent.parent != home:
            place = origin or (spec and list(spec.submodule_search_locations or [])) or "nowhere"
            return (
                f"module {name!r} comes from {place}, not from chipmark ({home}); "
                "run chipmark in a virtual environment of its own"
            )
    return None
