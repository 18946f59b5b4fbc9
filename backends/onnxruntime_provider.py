"""A session on one execution provider of ONNX Runtime, which raises instead of running elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backends.onnx_provider_row import ProviderRow


@dataclass(frozen=True)
class Provider:
    """An execution provider of ONNX Runtime as a device of chipmark.

    Attributes:
        name: ONNX Runtime's name of it.
        device_id: what ``--device`` takes.
        kind: kind of the device.
        row: what the table says of it.
        options: provider options, passed on.
    """

    name: str
    device_id: str
    kind: str
    row: ProviderRow
    options: Mapping[str, str] = field(default_factory=dict)


def make_session(model: Path | bytes, options: Any, provider: Provider, disabled_optimizers: Sequence[str] = ()) -> Any:
    """A session on ``provider`` that raises instead of retrying on another provider."""
    import onnxruntime

    source = model if isinstance(model, bytes) else str(model)
    session = onnxruntime.InferenceSession(
        source,
        options,
        providers=[(provider.name, dict(provider.options))],
        disabled_optimizers=list(disabled_optimizers),
    )
    session.disable_fallback()
    return session
