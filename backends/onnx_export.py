"""Exports a workload's forward pass to ONNX, once: later cases find it in the cache.

The graph has the case's static shapes, one input for each tensor of the batch, and one output, ``logits``; floating
point ends are FP32 in every precision. A decoder that is an ``ExportsCache`` has one graph of variable lengths for
both phases, with its key/value cache as inputs and outputs (``onnx_flat_cache``), which has the type of the weights.
The ``prefill`` graph of another decoder returns the logits of the last position, like ``CachedDecoder.extend``, but
no cache.

Shape suffixes: B batch, S sequence, V vocabulary.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import io
import logging
import sys
import time
import uuid
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from backends.onnx_cache import MODEL_FILE, CacheEntry, Info, obtain
from backends.onnx_flat_cache import INPUT_NAME, export_arguments, has_flat_cache
from backends.onnx_fp32_ends import narrow_convolutions, with_fp32_ends
from results.errors import ChipmarkError
from results.records import CaseSpec
from workloads.base import Workload

if TYPE_CHECKING:
    from torch import Tensor, nn

OUTPUT_NAME = "logits"
PACKAGES = ("torch", "onnx", "onnxscript")
# Raise when this module writes different graphs, or tells other things, for the same case.
_FORMAT = 6
# Weights beyond this go to a file beside the graph. It is written without copies of them (a graph that holds them is
# copied three times), and ONNX Runtime maps it instead of reading it whole. A graph must end at 2 GiB anyway.
EXTERNAL_DATA_BYTES = 32 * 2**20
_EXPORT_OPTIONS: dict[str, Any] = {"dynamo": True, "optimize": True, "opset_version": 20}
# The first opset whose convolutions take BF16.
_BF16_OPSET = 22
# Warnings about the exporter's own use of interfaces say nothing about the graph.
_CHURN = (DeprecationWarning, FutureWarning, PendingDeprecationWarning)
_NOISY_LOGGERS = ("torch.onnx", "onnxscript", "onnx_ir")


def exported_model(workload: Workload, case: CaseSpec) -> CacheEntry:
    """The ONNX model of ``case``: in FP16 and BF16 the model is cast before export, and casts are put at both ends.

    So weights and every operator have the type, and the exporter knows it; converters of finished graphs have to
    leave operators out by lists.

    ``entry.info`` holds ``export_s``, ``export_warnings``, ``output`` and ``num_parameters``; use the entry as a
    context manager.

    Raises:
        ChipmarkError: the model cannot be exported.
    """
    return obtain(export_ingredients(workload, case), lambda folder: _export(workload, case, folder))


def export_ingredients(workload: Workload, case: CaseSpec) -> dict[str, object]:
    """Everything an exported graph depends on, for its cache key."""
    preset, flat = workload.spec.presets[case.preset], has_flat_cache(workload, case.phase)
    return {
        "format": _FORMAT,
        "workload": workload.spec.name,
        "workload_version": workload.spec.version,
        "preset": case.preset,
        "preset_model": msgspec.to_builtins(preset.model),
        # With its cache going in and out, one graph serves both phases and all lengths.
        "phase": "prefill, decode" if flat else case.phase,
        "batch_size": case.batch_size,
        "shape": {} if flat else dict(case.shape),
        "seed": case.seed,
        "dtype": _weights_dtype(case),
        "source": source_digest(getattr(workload, "inner", workload)),
        # Where the weights are not those that the source makes (bundle_workload).
        "weights": getattr(workload, "weights", ""),
        "packages": {name: package_version(name) for name in PACKAGES},
        "options": _export_options(case),
    }


def package_version(name: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def source_digest(workload: Workload) -> str:
    """SHA-256 over the source that defines the workload and its model.

    A workload inside a package counts with all of the package's folder, for the model and the
    layers it is made of usually lie beside it. Without source (an interactive session) the
    digest never repeats, so nothing is taken from the cache.
    """
    module = sys.modules.get(type(workload).__module__)
    try:
        file = Path(inspect.getsourcefile(type(workload)) or "")
        own = file.read_bytes()
    except (TypeError, OSError):
        return uuid.uuid4().hex
    digest = hashlib.sha256(own)
    if getattr(module, "__package__", None):
        for other in sorted(file.parent.rglob("*.py")):
            digest.update(f"\0{other.relative_to(file.parent).as_posix()}\0".encode())
            digest.update(other.read_bytes())
    return digest.hexdigest()


def inputs_of(workload: Workload, case: CaseSpec, seed: int) -> dict[str, Tensor]:
    """The batch of ``seed``, floating point inputs in FP32."""
    return workload.batch(case.preset, case.phase, case.batch_size, case.shape, seed)


def _weights_dtype(case: CaseSpec) -> str:
    return {"fp16": "float16", "bf16": "bfloat16"}.get(case.precision, "float32")


def _export_options(case: CaseSpec) -> dict[str, Any]:
    return {**_EXPORT_OPTIONS, "opset_version": _BF16_OPSET} if case.precision == "bf16" else _EXPORT_OPTIONS


def _export(workload: Workload, case: CaseSpec, folder: Path) -> Info:
    import torch

    start = time.perf_counter()
    model = workload.model(case.preset, case.seed).to(getattr(torch, _weights_dtype(case)))
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    batch = inputs_of(workload, case, case.seed + 1)
    if has_flat_cache(workload, case.phase):
        output = "logits of the last position, the greedy token, and the longer key/value cache"
        graph, arguments, options = export_arguments(model, batch[INPUT_NAME])
    else:
        graph, output = _as_graph(model, case)
        arguments, options = (), {"kwargs": batch, "output_names": [OUTPUT_NAME]}
    if _weights_dtype(case) != "float32":
        graph = with_fp32_ends(graph, _weights_dtype(case), has_flat_cache(workload, case.phase))
    num_bytes = sum(p.numel() * p.element_size() for p in model.state_dict().values())
    with _quiet() as heard:
        try:
            program = torch.onnx.export(graph.eval(), arguments, verbose=False, **options, **_export_options(case))
            _keep_names(program, [*options.get("kwargs", ())])
            if case.precision == "bf16":
                narrow_convolutions(program)
            program.save(folder / MODEL_FILE, external_data=num_bytes > EXTERNAL_DATA_BYTES)
            del program
        except torch.onnx.OnnxExporterError as error:
            raise ChipmarkError(
                f"{case.workload}/{case.preset} {case.phase} cannot be exported to ONNX: {_cause(error)}; "
                "measure it with the torch backend"
            ) from error
    _empty(model)
    return {
        "export_s": time.perf_counter() - start,
        "export_warnings": sorted(set(heard)),
        "opset": _export_options(case)["opset_version"],
        "output": output,
        "num_parameters": num_parameters,
    }


def _keep_names(program: Any, names: Sequence[str]) -> None:
    """The exporter writes the names of inputs in lower case (torch 2.13), and they are given by name."""
    for value in program.model.graph.inputs:
        value.name = next((name for name in names if name.lower() == value.name), value.name)


def _empty(model: nn.Module) -> None:
    """Give the weights' memory back: the exporter keeps references to them for as long as the process lives."""
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.new_empty(0)


def _as_graph(model: nn.Module, case: CaseSpec) -> tuple[nn.Module, str]:
    """The module to export and what its output is."""
    if case.phase != "prefill" or not hasattr(model, "extend"):
        return model, "forward"
    from torch import nn

    direct = "last_only" in inspect.signature(model.forward).parameters

    class LastPosition(nn.Module):  # type: ignore[misc]  # torch counts as untyped
        """Returns logits_BV of the last position."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, **batch: Tensor) -> Tensor:
            if direct:
                logits_BV: Tensor = self.model(**batch, last_only=True)
                return logits_BV
            logits_BSV: Tensor = self.model(**batch)
            return logits_BSV[:, -1]

    text = "logits of the last position; the key/value cache is not returned"
    return LastPosition(), text if direct else f"{text}; logits of every position are computed"


@contextlib.contextmanager
def _quiet() -> Iterator[list[str]]:
    """Keeps the exporter's prints, log lines and warnings off the terminal.

    Yields a list that afterwards holds the first line of each warning, without file names.
    """
    heard: list[str] = []
    loggers = [logging.getLogger(name) for name in _NOISY_LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield heard
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
    for warning in caught:
        text = str(warning.message)
        if text and not issubclass(warning.category, _CHURN):
            heard.append(f"{warning.category.__name__}: {text.splitlines()[0]}")


def _cause(error: BaseException) -> str:
    """The innermost error's first line: the exporter wraps it in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
