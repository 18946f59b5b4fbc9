"""Today's prices through the gpuhunt package: the only part of chipmark that asks the network for them.

gpuhunt (MPL-2.0, the extra ``chipmark[prices]``) publishes a catalogue of each of several providers, which needs no
key, and asks some others directly. A provider that fails costs that provider alone.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import socket
import urllib.error
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from types import ModuleType
from typing import Any, NamedTuple

from results.errors import BackendUnavailable, PriceError, UnknownNameError
from results.price_import import Refusal, our_provider, take_rows
from results.price_import_reader import Row
from results.price_row import PriceRow

# gpuhunt's names. Those of which it publishes a catalogue:
PUBLISHED = ("aws", "azure", "gcp", "lambdalabs", "nebius", "oci", "runpod", "verda", "cloudrift")
# Those that it asks directly, and that need no key: module and class.
ASKED: Mapping[str, tuple[str, str]] = {
    "vastai": ("gpuhunt.providers.vastai", "VastAIProvider"),
    "vultr": ("gpuhunt.providers.vultr", "VultrProvider"),
}
TIMEOUT_S = 30.0  # of one answer; gpuhunt itself waits for ever
# gpuhunt's own settings: a folder to read from in place of the network, and another place to fetch from.
FOLDER_VARIABLE, URL_VARIABLE = "GPUHUNT_CATALOG_DIR", "GPUHUNT_CATALOG_URL"
INSTALL_HINT = "pip install 'chipmark[prices]'"


class Failure(NamedTuple):
    """A provider of which nothing was fetched, and why."""

    provider: str  # ours
    reason: str


class Refreshed(NamedTuple):
    """What was fetched."""

    rows: list[PriceRow]
    refused: list[Refusal]
    failed: list[Failure]


def fetch_prices(providers: Sequence[str], today: date) -> Refreshed:
    """Fetch prices.

    Args:
        providers: in our spelling or gpuhunt's; none: those that publish a catalogue.
        today: the rows' date, unless the catalogue names an earlier one.

    Raises:
        UnknownNameError: a provider that gpuhunt has no keyless prices of.
        BackendUnavailable: gpuhunt is not installed, or not as we know it.
        PriceError: nothing could be fetched; says why.
    """
    names = _gpuhunt_names(providers)
    if os.environ.get(FOLDER_VARIABLE):
        raise PriceError(
            f"${FOLDER_VARIABLE} is set: gpuhunt would read old files of no known date; unset it, or give the files to "
            "'chipmark prices import'"
        )
    gpuhunt = _gpuhunt()
    fetched = Refreshed([], [], [])
    with _quiet() as log, _timeout():
        catalog = _catalog(gpuhunt, names)
        for name in names:
            _fetch(gpuhunt, catalog, name, today, fetched, log)
    if not fetched.rows:
        reasons = dict.fromkeys(f"{failure.provider}: {failure.reason}" for failure in fetched.failed)
        raise PriceError(f"no prices could be fetched: {'; '.join(list(reasons)[:3])}")
    return fetched


def _gpuhunt_names(providers: Sequence[str]) -> list[str]:
    ours = {our_provider(name): name for name in (*PUBLISHED, *ASKED)}
    for name in providers:
        if our_provider(name) not in ours:
            raise UnknownNameError("provider", name, ours, "--provider")
    return list(dict.fromkeys(ours[our_provider(name)] for name in providers)) or list(PUBLISHED)


def _gpuhunt() -> ModuleType:
    try:
        return importlib.import_module("gpuhunt")
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "gpuhunt":
            raise BackendUnavailable("fetching prices needs the package gpuhunt", INSTALL_HINT) from error
        raise BackendUnavailable(f"gpuhunt cannot be imported: {_reason(error)}", INSTALL_HINT) from error


def _catalog(gpuhunt: ModuleType, names: Sequence[str]) -> Any:
    """A catalogue with what is published loaded, if any of that is wanted; failures are told by :func:`_fetch`."""
    try:
        catalog = gpuhunt.Catalog(balance_resources=False, auto_reload=False)
    except (AttributeError, TypeError) as error:
        raise BackendUnavailable(f"this gpuhunt is not as we know it: {_reason(error)}", INSTALL_HINT) from error
    if set(names) & set(PUBLISHED):
        try:
            catalog.load()
        except Exception as error:  # whatever a network and another's program may raise
            logging.getLogger("gpuhunt").error("%s", _reason(error))
    return catalog


def _fetch(
    gpuhunt: ModuleType, catalog: Any, name: str, today: date, fetched: Refreshed, log: list[logging.LogRecord]
) -> None:
    provider = our_provider(name)
    try:
        if name in ASKED:
            module, class_name = ASKED[name]
            asked = getattr(importlib.import_module(module), class_name)
            catalog.add_provider(getattr(asked, "from_env", asked)())
        items = catalog.query(provider=[name])
        as_of, version = _date(catalog, name, today)
        elsewhere = f" from ${URL_VARIABLE}" if os.environ.get(URL_VARIABLE) else ""
        source = f"gpuhunt {_version(gpuhunt)} {name}{version}, fetched {today}{elsewhere}"
        rows = (Row(number, _cells(item)) for number, item in enumerate(items, 1))
        taken = take_rows(rows, "gpuhunt", provider, as_of, source)
    except Exception as error:  # of another's program: costs this provider alone
        fetched.failed.append(Failure(provider, _reason(error)))
        return
    fetched.rows.extend(taken.rows)
    fetched.refused.extend(refusal._replace(reason=f"{provider}: {refusal.reason}") for refusal in taken.refused)
    if not taken.rows:
        fetched.failed.append(Failure(provider, _logged(log, name) if not items else "no price of it can be taken"))


def _date(catalog: Any, name: str, today: date) -> tuple[str, str]:
    """The rows' date, and the catalogue's version for their source.

    A catalogue is published when its provider could be read, which may be long ago: then its own date is the true one.
    """
    version = str(getattr(getattr(catalog, "catalog", {}).get(name), "version", ""))[:40]
    if not version:
        return str(today), ""
    found = re.match(r"(20\d\d)-?(\d\d)-?(\d\d)(?!\d)", version, re.ASCII)
    with contextlib.suppress(ValueError):  # no date after all
        if found:
            return str(min(today, date(int(found[1]), int(found[2]), int(found[3])))), f" catalogue {version}"
    return str(today), f" catalogue {version}"


def _cells(item: Any) -> dict[str, str]:
    names = ("instance_name", "location", "price", "cpu", "memory", "gpu_count", "gpu_name", "gpu_memory", "spot")
    return {name: "" if (value := getattr(item, name)) is None else str(value) for name in names}


def _version(gpuhunt: ModuleType) -> str:
    from importlib import metadata

    try:
        return metadata.version("gpuhunt")
    except metadata.PackageNotFoundError:
        return str(getattr(gpuhunt, "__version__", "of unknown version"))


def _logged(log: Sequence[logging.LogRecord], name: str) -> str:
    """Why gpuhunt says that there is nothing of a provider; it logs what it does not raise."""
    for record in [*(r for r in log if name in map(str, _values(r))), *log]:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            return _reason(error)
    return " ".join(log[-1].getMessage().split())[:200] if log else "gpuhunt has no offers of it"


def _values(record: logging.LogRecord) -> tuple[object, ...]:
    return record.args if isinstance(record.args, tuple) else ()


def _reason(error: BaseException) -> str:
    """An error of somebody else's, on one line; what lies under a network's is what tells."""
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        error = error.reason
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class _Collector(logging.Handler):
    """Keeps log records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextlib.contextmanager
def _quiet() -> Iterator[list[logging.LogRecord]]:
    """Collect what gpuhunt logs (tracebacks too) in place of printing it."""
    collector, logger = _Collector(), logging.getLogger("gpuhunt")
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(collector)
    try:
        yield collector.records
    finally:
        logger.propagate = propagate
        logger.removeHandler(collector)


@contextlib.contextmanager
def _timeout() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
