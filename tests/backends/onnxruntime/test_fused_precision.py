"""Providers that compile whole subgraphs: a stub computes with as many bits as it is told; only the result says so.

What real ones do is in ``tests/other_runtimes``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from backends.onnx_precision_options import told
from backends.onnx_probe_graphs import extremes, products
from backends.onnx_providers import BY_NAME, CPU, OPENVINO, QNN
from backends.onnx_rounding import rounded
from backends.onnxruntime_audit import Audit, read_profile
from backends.onnxruntime_precision import probe
from backends.onnxruntime_provider import Provider
from backends.onnxruntime_session import _precision_facts
from results.errors import UsageError
from results.records import PRECISIONS, Support
from tests.backends.onnxruntime.tiny_workloads import TinyWorkload, case_of

RECORDED = Path(__file__).parent / "recorded"
NPU = Provider("ChipProvider", "chip:npu", "npu", dataclasses.replace(CPU, title="Chip", int8="U8S8U8"))
ON_CPU = dataclasses.replace(NPU, kind="cpu")


class Fused:
    """A session of a provider whose profile has one event, and whose products are those of ``compute``."""

    def __init__(self, compute: Callable[[bytes, np.ndarray], np.ndarray]) -> None:
        self.compute = compute

    def __call__(self, model: bytes, options: Any) -> Fused:
        self.model = model
        self.prefix = str(options.profile_file_prefix)
        return self

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="a")]

    def get_providers(self) -> list[str]:
        return ["ChipProvider"]

    def run(self, _: None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        return [self.compute(self.model, feeds["a"])]

    def end_profiling(self) -> str:
        args = {"op_name": "Chip-subgraph", "provider": "ChipProvider", "input_type_shape": [], "output_type_shape": []}
        event = {"cat": "Node", "name": "Chip-subgraph_kernel_time", "dur": 5, "args": args}
        path = Path(f"{self.prefix}.json")
        path.write_text(json.dumps([event, {"cat": "Session", "name": "model_run", "dur": 6, "args": {}}]))
        return str(path)


def with_bits(bits: int) -> Fused:
    weights = {products(precision).model: products(precision).weights for precision in ("fp32", "fp16", "bf16")}

    def compute(model: bytes, a_MK: np.ndarray) -> np.ndarray:
        y = a_MK
        for weight in weights[model]:
            y = (rounded(y, bits) @ rounded(weight, bits)).astype(np.float32)
        return y

    return Fused(compute)


@pytest.mark.parametrize(
    ("precision", "bits", "place", "flags", "level", "reason"),
    [
        ("fp32", 24, NPU, set(), "native", ""),
        (
            "fp32",
            11,
            NPU,
            set(),
            "unsupported",
            "computes FP32 with 11 significant bits, as fp16 or tf32: ask for that",
        ),
        ("fp32", 8, NPU, set(), "unsupported", "with 8 significant bits, as bf16"),
        ("fp16", 11, NPU, set(), "native", ""),
        ("fp16", 24, NPU, set(), "emulated", "FP16 values are computed in FP32 by the Chip provider"),
        ("fp16", 8, NPU, set(), "unsupported", "computes FP16 with 8 significant bits, as bf16"),
        ("fp16", 11, ON_CPU, {"avx2"}, "emulated", "no fp16 multiplication unit in this CPU"),
        ("fp16", 11, ON_CPU, {"avx512_fp16"}, "native", ""),
        ("bf16", 8, ON_CPU, {"avx512_bf16"}, "native", ""),
        ("bf16", 8, ON_CPU, {"avx512_vnni"}, "emulated", "no bf16 multiplication unit"),
    ],
)
def test_floats_are_judged_by_their_bits(
    precision: Any, bits: int, place: Provider, flags: set[str], level: str, reason: str
) -> None:
    support = probe(precision, place, open_session=with_bits(bits), flags=flags)
    assert support.level == level
    assert reason in support.reason
    assert support.evidence["significant_bits"] == bits
    assert "does not tell its types" in str(support.evidence["executed"])


@pytest.mark.parametrize("bits", [11, 8])
def test_fp32_of_inputs_that_the_provider_rounds_is_refused(bits: int) -> None:
    rounding = Fused(lambda model, a: with_bits(24).compute(model, rounded(a, bits).astype(np.float32)))
    support = probe("fp32", NPU, open_session=rounding)
    assert support.level == "unsupported"
    assert support.reason.endswith("computes FP32 with products of 24 significant bits, but of inputs rounded to fewer")


def test_a_provider_that_ignores_what_it_is_told_is_not_emulating() -> None:
    """Its graph is plain FP32, and so is what it computes."""
    support = probe("bf16", ON_CPU, graph_precision="fp32", open_session=with_bits(24), flags={"avx512_bf16"})
    assert support.level == "unsupported"
    assert "computes BF16 with 24 significant bits, as fp32" in support.reason
    support = probe("bf16", ON_CPU, graph_precision="fp32", open_session=with_bits(8), flags={"avx512_bf16"})
    assert support.level == "native"


@pytest.mark.parametrize(
    ("error_steps", "level", "reason"), [(1.0, "native", ""), (50.0, "unsupported", "they saturate or overflow")]
)
def test_int8_is_judged_by_its_sums(error_steps: float, level: str, reason: str) -> None:
    found = extremes("U8S8U8")

    def compute(model: bytes, a_MK: np.ndarray) -> np.ndarray:
        if model == found.graph.model:
            return (found.want + error_steps * found.step).astype(np.float32)
        if len(model) > 20_000:  # other schemes
            raise RuntimeError("NOT_IMPLEMENTED")
        return np.zeros((8, 16), np.float32)

    support = probe("int8", NPU, open_session=Fused(compute))
    assert (support.level, support.evidence["scheme"]) == (level, "U8S8U8")
    assert reason in support.reason


@pytest.mark.parametrize(("documented", "level"), [("fp16, fp8", "native"), ("fp16, int8", "unsupported")])
def test_fp8_needs_a_vendor_who_documents_it(documented: str, level: str) -> None:
    place = dataclasses.replace(NPU, row=dataclasses.replace(NPU.row, precisions=documented))
    zeros = Fused(lambda model, a_MK: np.zeros((8, 16), np.float32))
    support = probe("fp8", place, open_session=zeros)
    assert support.level == level
    assert "fp8" in support.evidence or "dequantize" in support.reason
    assert probe("fp8", dataclasses.replace(place, kind="cpu"), open_session=zeros).level == "unsupported"


def fused_audit() -> Audit:
    return read_profile(json.loads((RECORDED / "openvino_whole.json").read_text())["events"])


def test_what_a_fused_case_executed_is_not_known_and_that_is_said() -> None:
    support = Support(level="native", evidence={"significant_bits": 24})
    facts = _precision_facts(case_of(TinyWorkload(), "infer"), fused_audit(), support, {"precision": "ACCURACY"}, {})
    assert (facts["precision_executed"], facts["precision_honoured"]) == (None, None)
    assert "compiles whole subgraphs" in str(facts["precision_executed_reason"])
    assert str(facts["precision_evidence"]).startswith("told, not observed (precision=ACCURACY)")
    assert facts["precision_probe"] == {"significant_bits": 24}


def test_kernels_left_on_the_cpu_say_nothing_of_the_rest() -> None:
    """One product on the CPU in FP32 is not what the subgraphs ran in."""
    shape = {"input_type_shape": [{"float": [2, 2]}, {"float": [2, 2]}], "output_type_shape": [{"float": [2, 2]}]}
    left = {"op_name": "MatMul", "provider": "CPUExecutionProvider", **shape}
    taken = {"op_name": "OpenVINO-EP-subgraph_1", "provider": OPENVINO.name, **shape}
    audit = read_profile([{"cat": "Node", "name": "x_kernel_time", "dur": 1, "args": args} for args in (left, taken)])
    facts = _precision_facts(
        case_of(TinyWorkload(), "infer", "int8"),
        audit,
        Support(level="native"),
        {},
        {"quantized_nodes": 9, "eligible_nodes": 10},
    )
    assert facts["precision_executed"] is None


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", BY_NAME)
def test_the_graph_has_the_precision_unless_the_provider_has_to_be_told(name: str, precision: Any) -> None:
    place = Provider(name, "x", BY_NAME[name].targets[0].kind, BY_NAME[name])
    found, graph_precision = told(place, precision)
    assert graph_precision == precision
    assert all(isinstance(value, str) for value in found.options.values())


def test_bf16_on_openvinos_cpu_is_an_fp32_graph_and_an_option() -> None:
    found, graph_precision = told(Provider(OPENVINO.name, "openvino:cpu", "cpu", OPENVINO, {"a": "b"}), "bf16")
    assert graph_precision == "fp32"
    assert json.loads(found.options["load_config"]) == {"CPU": {"INFERENCE_PRECISION_HINT": "bf16"}}
    assert (found.options["a"], found.options["precision"]) == ("b", "ACCURACY")
    assert told(Provider(QNN.name, "qnn:npu", "npu", QNN), "fp32").provider.options == {
        "enable_htp_fp16_precision": "0"
    }


def test_an_option_that_the_precision_sets_cannot_be_set() -> None:
    place = Provider(OPENVINO.name, "openvino:cpu", "cpu", OPENVINO, {"load_config": "{}"})
    with pytest.raises(UsageError, match=r"option provider\.load_config cannot be set: bf16 sets it"):
        told(place, "bf16")
    assert told(place, "fp32").provider.options["load_config"] == "{}"


@pytest.mark.parametrize("precision", ["int8", "fp8"])
@pytest.mark.parametrize(
    ("graph", "honoured"),
    [
        ({"quantized_nodes": 9, "eligible_nodes": 10}, None),
        ({"quantized_nodes": 8, "eligible_nodes": 10}, False),
        ({"quantized_nodes": 0, "eligible_nodes": 3}, False),
        ({"quantized_nodes": 0, "eligible_nodes": 0}, False),
        ({}, False),
    ],
)
def test_a_graph_that_was_not_quantized_is_not_8_bits_where_kernels_are_hidden(
    precision: Any, graph: dict[str, Any], honoured: Any
) -> None:
    case = case_of(TinyWorkload(), "infer", precision)
    facts = _precision_facts(case, fused_audit(), Support(level="native"), {}, graph)
    assert facts["precision_honoured"] is honoured
    if honoured is False and graph:
        said = f"{graph['quantized_nodes']} of {graph['eligible_nodes']} matrix products and convolutions"
        assert str(facts["precision_evidence"]).startswith(said)
    plain = _precision_facts(case_of(TinyWorkload()), fused_audit(), Support(level="native"), {}, graph)
    assert plain["precision_honoured"] is None
