"""The built-in workloads on the CPU: what is traced is what they say they do."""

from __future__ import annotations

import pytest

from backends import torch_support
from backends.base import GATE_STEPS, gate_is_enough
from harness import numerics
from tests.backends.torch.toy_workloads import make_case
from workloads import REGISTRY

BUILT_IN = ("image-classifier", "llm-decoder", "text-encoder")
CELLS = [(name, phase) for name in BUILT_IN for phase in REGISTRY.get(name).spec.phases]


@pytest.mark.parametrize(("name", "phase"), CELLS)
def test_traced_flops_are_the_analytic_ones(backend, cpu, name, phase):
    """Two independent counts of the same step must agree to the last FLOP."""
    workload = REGISTRY.get(name)
    case = make_case(workload, phase, new_tokens=1)
    facts = backend.prepare(workload, case, cpu).facts
    traced = sum(sum(by_dtype.values()) for by_dtype in facts["matmul_flops"].values())
    assert traced == workload.work("tiny", phase, case.batch_size, case.shape).flops
    assert facts["precision_evidence"] == "of the product FLOPs of one eager step: fp32 100.00%"


@pytest.mark.parametrize("name", BUILT_IN)
def test_layers_of_the_largest_preset_are_counted_without_making_its_weights(name, monkeypatch):
    workload, devices = REGISTRY.get(name), set()
    build = type(workload).model

    def watched(self, preset, seed):
        model = build(self, preset, seed)
        devices.update(parameter.device.type for parameter in model.parameters())
        return model

    monkeypatch.setattr(type(workload), "model", watched)
    num_linear, num_convolution = torch_support.count_layers(workload, "standard")
    assert devices == {"meta"}
    assert (num_convolution > num_linear) == (name == "image-classifier")


@pytest.mark.parametrize(("name", "phase"), CELLS)
@pytest.mark.parametrize("precision", ["fp16", "bf16", "fp8", "int8"])
def test_reduced_precision_is_executed_and_near_fp32(backend, cpu, name, phase, precision):
    workload = REGISTRY.get(name)
    case = make_case(workload, phase, precision)
    if backend.supports(workload, case, cpu).level == "unsupported":
        assert precision in ("fp8", "int8")
        return
    step = backend.prepare(workload, case, cpu)
    assert step.facts["precision_executed"] == precision
    assert step.facts["precision_honoured"] is True
    outputs = []
    while len(outputs) < GATE_STEPS[phase] and not gate_is_enough(outputs):
        step.run(len(outputs))
        outputs.append(step.outputs())
    verdict = numerics.judge(case, outputs, backend.reference(workload, case, cpu), workload.spec.has_top1)
    assert verdict.verdict == "pass", verdict.reason
    if phase != "train" and workload.spec.has_top1:
        assert [check.name for check in verdict.checks] == ["rel_l2", "top1_agreement"]
