"""The layers that prices are found in, one laid over another.

From below: the table that chipmark ships; catalogues that were imported, of which the newer price counts; the user's
own file; a table named on the command line. What a user wrote takes the place of all that catalogues ask for the same
offer, whatever its date, for it is what is paid.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from results.errors import PriceError
from results.price_keys import covers, date_rank, offer_key
from results.price_match import Layer
from results.price_row import PriceRow
from results.price_table import PriceTable, load_prices

USER_FILE_VARIABLE = "CHIPMARK_PRICES"


def user_prices_path() -> Path | None:
    """The user's own price file: ``$CHIPMARK_PRICES``, else ``chipmark/prices.csv`` in the folder for settings.

    None for a user without a home, as some containers run under.
    """
    named = os.environ.get(USER_FILE_VARIABLE)
    if named:
        return Path(named)
    settings = _settings()
    return settings / "prices.csv" if settings else None


def _settings() -> Path | None:
    settings = os.environ.get("XDG_CONFIG_HOME")
    try:
        return (Path(settings) if settings else Path.home() / ".config") / "chipmark"
    except RuntimeError:  # there is no home
        return None


def imported_prices_path() -> Path | None:
    """Where imported and fetched catalogues go, unless they are written elsewhere: beside the user's settings."""
    settings = _settings()
    return settings / "imported-prices.csv" if settings else None


def table_to_write(out: Path | None) -> Path:
    """Where imported rows go: ``out``, else :func:`imported_prices_path`.

    Raises:
        PriceError: neither is there.
    """
    path = out or imported_prices_path()
    if path is None:
        raise PriceError("there is no home directory to keep prices in: give --out FILE")
    return path


def existing_layers() -> list[tuple[Path, Layer]]:
    """The files between the shipped table and one that is named, in their order."""
    found: list[tuple[Path, Layer]] = []
    imported, user = imported_prices_path(), user_prices_path()
    if imported is not None and os.path.lexists(imported):
        found.append((imported, "imported"))
    if user is not None and (os.environ.get(USER_FILE_VARIABLE) or os.path.lexists(user)):
        found.append((user, "user"))
    return found


def load_layers(given: Path | None = None) -> PriceTable:
    """The shipped table, under imported catalogues, under the user's file, under ``given``.

    Raises:
        PriceError: as :func:`load_prices`, for any of them.
    """
    table = load_prices()
    for path, layer in existing_layers():
        table = lay_over(table, load_prices(path, layer), newest=layer == "imported")
    if given is not None:
        table = lay_over(table, load_prices(given, "given"))
    return table


def lay_over(below: PriceTable, above: PriceTable, newest: bool = False) -> PriceTable:
    """``below`` with the rows of ``above`` in the place of those with the same key.

    A row above that states no region, or no memory, is for all of them: it says what its owner pays.

    Args:
        below: earlier layers.
        above: a later one.
        newest: whether an older row above gives way to a newer one below, as between two catalogues.
    """
    own: dict[tuple[str, ...], list[PriceRow]] = {}
    for row in _not_older(above.rows, below.rows) if newest else above.rows:
        own.setdefault(offer_key(row), []).append(row)
    replaced, rows, layers = dict(below.replaced), [], []
    for row, layer in zip(below.rows, below.layers, strict=True):
        if not any(covers(other, row) for other in own.get(offer_key(row), ())):
            rows.append(row)
            layers.append(layer)
            continue
        key = (*offer_key(row), row.region)
        if key not in replaced or date_rank(replaced[key]) < date_rank(row):
            replaced[key] = row
    return PriceTable(
        name=f"{below.name} under {above.name}",
        sha256=below.sha256 | above.sha256,
        rows=rows + [row for kept in own.values() for row in kept],
        layers=layers + [layer for kept in own.values() for layer in above.layers[:1] * len(kept)],
        replaced=replaced,
        notes=[*below.notes, *above.notes],
    )


def _not_older(above: Sequence[PriceRow], below: Sequence[PriceRow]) -> Iterator[PriceRow]:
    """Rows of ``above`` but those for which ``below`` has a newer price of the same offer."""
    there: dict[tuple[str, ...], list[PriceRow]] = {}
    for row in below:
        there.setdefault(offer_key(row), []).append(row)
    for row in above:
        newer = (other for other in there.get(offer_key(row), ()) if date_rank(other) > date_rank(row))
        if not any(covers(row, other) for other in newer):
            yield row
