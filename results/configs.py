"""Where the data files are that a user may edit (suites, price table, device table)."""

from __future__ import annotations

from pathlib import Path

from results.errors import UsageError

_HERE = Path(__file__).resolve().parent


def config_path(name: str) -> Path:
    """The file or folder ``configs/<name>``.

    In a checkout ``configs`` lies beside the four packages; a wheel carries a copy under
    ``results/data/configs``.

    Args:
        name: a relative path, for example ``"prices.csv"`` or ``"suites/quick.toml"``.

    Raises:
        UsageError: neither place holds it.
    """
    places = [_HERE.parent / "configs" / name, _HERE / "data" / "configs" / name]
    for place in places:
        if place.exists():
            return place
    looked = " and ".join(str(place) for place in places)
    raise UsageError(f"configs/{name} is missing (looked at {looked}); reinstall chipmark")
