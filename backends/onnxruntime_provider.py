"""A session on one execution provider of ONNX Runtime, which raises instead of running elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backends.onnx_provider_row import ProviderRow
from results.errors import ChipmarkError


@dataclass(frozen=True)
class Provider:
    """An execution provider of ONNX Runtime, and the hardware that it is to use, as a device of chipmark.

    Attributes:
        name: ONNX Runtime's name of it.
        device_id: what ``--device`` takes.
        kind: kind of the device.
        row: what the table says of it.
        options: provider options, passed on.
        hardware: the devices of a plugin provider (``OrtEpDevice``); empty for one that was built in.
        identity: names and versions of hardware and software that compiled code depends on.
    """

    name: str
    device_id: str
    kind: str
    row: ProviderRow
    options: Mapping[str, str] = field(default_factory=dict)
    hardware: tuple[Any, ...] = ()
    identity: str = ""


class ProviderAbsent(ChipmarkError):
    """A session was asked for on a provider that is not there, or not any more."""

    def __init__(self, provider: Provider) -> None:
        given = ", ".join(f"{name}={value}" for name, value in provider.options.items())
        super().__init__(
            f"{provider.device_id}: ONNX Runtime opens no session on {provider.name} here and would run on the CPU "
            "instead; the hardware, its driver or a library is missing (`chipmark devices` says more)"
            + (f", or it refuses an option ({given})" if given else "")
        )


def make_session(model: Path | bytes, options: Any, provider: Provider, disabled_optimizers: Sequence[str] = ()) -> Any:
    """A session on ``provider`` that raises instead of retrying on another provider.

    ONNX Runtime only warns where a provider is absent or cannot be set up, and gives a session on the CPU; a
    plugin provider that is asked for by its name is not used at all (1.32).

    Args:
        model: an ONNX file, or the bytes of one.
        options: fresh session options; a plugin provider is added to them.
        provider: where to run.
        disabled_optimizers: names of graph optimizers that must not run.

    Raises:
        ProviderAbsent: ONNX Runtime would run on the CPU instead.
    """
    import onnxruntime

    # Refused here, because ONNX Runtime would warn, not raise.
    if provider.name not in onnxruntime.get_available_providers():
        raise ProviderAbsent(provider)
    if provider.hardware:
        options.add_provider_for_devices(list(provider.hardware), dict(provider.options))
    session = onnxruntime.InferenceSession(
        model if isinstance(model, bytes) else str(model),
        options,
        providers=[] if provider.hardware else [(provider.name, dict(provider.options))],
        disabled_optimizers=list(disabled_optimizers),
        # Else a provider that cannot be made is replaced by the CPU's, with a line printed.
        enable_fallback=0,
    )
    if provider.name not in session.get_providers():
        raise ProviderAbsent(provider)
    session.disable_fallback()
    return session
