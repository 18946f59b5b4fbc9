"""What a case's options make of its provider: options of its own, threads, graph capture."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from backends.onnx_provider_options import NUMBER, PROVIDER_OPTIONS, Values
from backends.onnxruntime_provider import Provider
from results.errors import UsageError, did_you_mean
from results.records import Scalar

PREFIX = "provider."  # of provider options in a suite


def tuned(provider: Provider, options: Mapping[str, Scalar]) -> Provider:
    """``provider`` with the case's options; what it would ignore is refused.

    Args:
        provider: as it was found.
        options: of the case, checked.

    Raises:
        UsageError: the provider has no such option, or it takes no such value.
    """
    row, own = provider.row, dict(provider.options)
    for name, value in options.items():
        if name.startswith(PREFIX):
            option = name.removeprefix(PREFIX)
            _check(provider, option, str(value))
            own[option] = str(value)
    if "threads" in options and row.threads and provider.kind == "cpu":
        own[row.threads] = str(options["threads"])
    if options.get("cuda_graph") and row.cuda_graph:
        own[row.cuda_graph] = "1"
    return dataclasses.replace(provider, options=own)


def untunable(provider: Provider, options: Mapping[str, Scalar]) -> str:
    """Why the provider cannot do what a case's options ask for, or ``""``."""
    if options.get("cuda_graph") and not provider.row.cuda_graph:
        return f"{provider.row.title} captures no CUDA graphs"
    if options.get("ep_context") and not provider.row.keeps_compiled:
        return f"{provider.row.title} keeps no compiled models"
    return ""


def _check(provider: Provider, option: str, value: str) -> None:
    where = f"onnxruntime: option {PREFIX}{option}"
    known = PROVIDER_OPTIONS.get(provider.name, {})
    if option not in known:
        raise UsageError(f"{where}: {provider.row.title} has none that chipmark knows{did_you_mean(option, known)}")
    if not _takes(known[option], value):
        raise UsageError(f"{where} must be {' or '.join(known[option])}, not {value!r}")


def _takes(values: Values, value: str) -> bool:
    if values == NUMBER:
        return value.isascii() and value.isdigit()
    return not values or value in values
