"""Static quantization of an exported ONNX model to INT8 or FP8 (QDQ format), cached like the export."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from backends.onnx_cache import MODEL_FILE, CacheEntry, Info, obtain
from backends.onnx_export import (
    EXTERNAL_DATA_BYTES,
    export_ingredients,
    exported_model,
    inputs_of,
    package_version,
)
from backends.onnx_flat_cache import INPUT_NAME, has_flat_cache
from backends.onnx_fp8 import convert_to_fp8
from backends.onnx_provider_row import Int8Scheme
from backends.onnxruntime_decoder import Arrays, cache_shape, decoder_feeds
from results.records import CaseSpec, Phase
from workloads.base import Workload

# Raise when this module quantizes the same model differently.
_FORMAT = 3
NUM_CALIBRATION_BATCHES = 4
# Far from the seeds that are scored and timed: case.seed + 1, + 2, ...
CALIBRATION_SEED_OFFSET = 10_000
# Quantizing elementwise operators too costs accuracy and, on a CPU, wins no time.
OP_TYPES = ("Conv", "Gemm", "MatMul")
Fp8Scheme = Literal["F8F8"]
FP8: Fp8Scheme = "F8F8"


def quantized_model(workload: Workload, case: CaseSpec, scheme: Int8Scheme | Fp8Scheme) -> CacheEntry:
    """The INT8 or FP8 model of ``case``; exports the FP32 model first where it is needed.

    Activations are per tensor with ranges from seeded calibration batches (minimum and maximum), around 0 where
    they are signed; weights are symmetric per output channel. Products write FP32 (only convolutions have quantized
    outputs) unless the scheme names a third type.

    ``entry.info`` holds what ``exported_model`` tells and ``quantize_s``, ``quantized_nodes``,
    ``eligible_nodes``, ``quantization``, ``calibration_seeds`` and ``calibration_shape``. ``export_s`` is None where
    the FP32 model came from the cache.
    """
    seeds = [case.seed + CALIBRATION_SEED_OFFSET + i for i in range(NUM_CALIBRATION_BATCHES)]
    calibration = _calibration_case(workload, case)
    ingredients = {
        "model": export_ingredients(workload, case),
        "quantize_format": _FORMAT,
        "scheme": scheme,
        "op_types": OP_TYPES,
        "calibration_seeds": seeds,
        "calibration_phase": calibration.phase,
        "calibration_shape": dict(calibration.shape),
        "onnxruntime": package_version("onnxruntime"),
    }

    def build(folder: Path) -> Info:
        with exported_model(workload, case) as exported:
            start = time.perf_counter()
            batches = _batches(workload, calibration, seeds)
            if has_flat_cache(workload, case.phase):
                batches = _both_phases(exported.model_path, batches)
            counts = _quantize(exported.model_path, folder, "S8S8" if scheme == FP8 else scheme, batches)
            if scheme == FP8:
                convert_to_fp8(folder / MODEL_FILE, exported.model_path, _is_large(exported.model_path))
            return {
                **exported.info,
                "export_s": None if exported.cached else exported.info["export_s"],
                "export_cached": exported.cached,
                "export_note": exported.note,
                "quantize_s": time.perf_counter() - start,
                "quantization": f"static QDQ {scheme}, per-channel weights, min-max",
                "calibration_seeds": seeds,
                "calibration_shape": dict(calibration.shape),
                **counts,
            }

    return obtain(ingredients, build)


def _calibration_case(workload: Workload, case: CaseSpec) -> CaseSpec:
    """Whose batches the ranges are taken from: ``case`` itself, but for a graph that serves several cases.

    A decoder's graph is the same for both phases and all lengths, so its ranges must not hang on which of them came
    first: prompts of the preset's own length.
    """
    if not has_flat_cache(workload, case.phase):
        return case
    phase: Phase = "prefill" if "prefill" in workload.spec.phases else case.phase
    return msgspec.structs.replace(case, phase=phase, shape=workload.spec.presets[case.preset].shape)


def _batches(workload: Workload, case: CaseSpec, seeds: Iterable[int]) -> Iterator[Arrays]:
    for seed in seeds:
        yield {name: x.numpy() for name, x in inputs_of(workload, case, seed).items()}


def _both_phases(model: Path, prompts: Iterable[Arrays]) -> Iterator[Arrays]:
    """Each prompt over an empty cache, and its last token once more over the cache that comes of it."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    cache = cache_shape(session)
    for prompt in prompts:
        feeds = decoder_feeds(session, "prefill", prompt)
        yield feeds
        present = session.run(cache.present, feeds)
        yield {INPUT_NAME: prompt[INPUT_NAME][:, -1:], **dict(zip(cache.past, present, strict=True))}


def _quantize(model: Path, folder: Path, scheme: Int8Scheme, batches: Iterator[Arrays]) -> dict[str, object]:
    """Write the quantized model into ``folder``; returns how many nodes were quantized.

    The model is not pre-optimized: the exporter has folded constants and normalizations already,
    and sessions of models that were saved optimized can fail (a second MatMulAddFusion adds
    initializers under names that the first one took; ONNX Runtime 1.32).
    """
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # untyped base
        def get_next(self) -> Arrays | None:
            return next(batches, None)

    kinds = {"U8": quantization.QuantType.QUInt8, "S8": quantization.QuantType.QInt8}
    quantizes_outputs = len(scheme) == len("U8S8U8")
    target = folder / MODEL_FILE
    with _quiet_root():
        quantization.quantize_static(
            str(model),
            str(target),
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=list(OP_TYPES),
            per_channel=True,
            activation_type=kinds[scheme[:2]],
            weight_type=kinds[scheme[2:4]],
            calibrate_method=quantization.CalibrationMethod.MinMax,
            use_external_data_format=_is_large(model),
            extra_options={
                "WeightSymmetric": True,
                # What wants signed activations wants them around 0.
                "ActivationSymmetric": scheme.startswith("S8"),
                "OpTypesToExcludeOutputQuantization": [] if quantizes_outputs else ["Gemm", "MatMul"],
            },
        )
    return _count_nodes(target)


def _is_large(model: Path) -> bool:
    return sum(file.stat().st_size for file in model.parent.iterdir()) > EXTERNAL_DATA_BYTES


def _count_nodes(model: Path) -> dict[str, object]:
    import onnx

    nodes = list(onnx.load(str(model), load_external_data=False).graph.node)
    dequantized = {name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output}
    eligible = [node for node in nodes if node.op_type in OP_TYPES]
    quantized = [node for node in eligible if dequantized.issuperset(node.input[:2])]
    return {"quantized_nodes": len(quantized), "eligible_nodes": len(eligible)}


@contextlib.contextmanager
def _quiet_root() -> Iterator[None]:
    """The quantizer logs advice to the root logger; what matters of it is counted afterwards."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
