"""Counted FLOPs of real steps against the workloads' own formulas, exactly."""

from __future__ import annotations

import pytest
import torch

from backends import torch_flops
from backends.base import CountsFlops
from results.records import CaseSpec
from tests.backends.torch.toy_workloads import ToyMlp, make_case
from workloads import REGISTRY

CELLS = [
    ("llm-decoder", "train", "fp32"), ("llm-decoder", "prefill", "bf16"), ("llm-decoder", "decode", "fp32"),
    ("text-encoder", "train", "fp32"), ("text-encoder", "infer", "fp16"),
    ("image-classifier", "train", "bf16"), ("image-classifier", "infer", "fp32"),
]  # fmt: skip


def tiny(name: str, phase: str, precision: str, **options: object) -> CaseSpec:
    spec = REGISTRY.get(name).spec
    preset = spec.presets["tiny"]
    return CaseSpec(
        workload=name, workload_version=spec.version, phase=phase, preset="tiny", precision=precision,
        batch_size=preset.batch_size, shape=preset.shape, backend="torch", device="cpu", options=options,
    )  # fmt: skip


@pytest.mark.parametrize(("name", "phase", "precision"), CELLS)
def test_counted_is_analytic(backend, cpu, name, phase, precision):
    workload, case = REGISTRY.get(name), tiny(name, phase, precision)
    work = workload.work("tiny", phase, case.batch_size, case.shape)
    step = backend.prepare(workload, case, cpu)
    assert isinstance(step, CountsFlops)
    step.run(0)  # the first steps of a phase may differ: they must not
    if work.steps > 1:
        for i in range(1, work.steps):
            step.run(i)
    assert step.count_flops(max(1, work.steps), work.steps) == (work.flops, "")


def test_counting_runs_the_steps_it_is_asked_for(backend, cpu):
    case = make_case(ToyMlp, "infer", "fp32")
    step = backend.prepare(ToyMlp(), case, cpu)
    seen = []
    run = step.run
    step.run = lambda i: (seen.append(i), run(i))
    one, three = step.count_flops(4, 1).flops, step.count_flops(5, 3).flops
    assert seen == [4, 5, 6, 7]
    assert three == 3 * one == 3 * case.batch_size * ToyMlp.flops_forward


@pytest.mark.parametrize("enable_gqa", [False, True])
def test_fused_attention_counts_every_product_once_and_backward_twice_forward(enable_gqa):
    """torch itself counts nothing on the CPU, and the recomputed scores elsewhere."""
    q = torch.randn(2, 4, 16, 8, requires_grad=True)
    k, v = (torch.randn(2, 2 if enable_gqa else 4, 24, 8, requires_grad=True) for _ in range(2))

    def run(i):
        torch.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=enable_gqa).sum().backward()

    forward = 2 * 2 * 4 * 16 * 24 * (8 + 8)
    assert torch_flops.count_flops(run, [0], "fp32", False).flops == 3 * forward


@pytest.mark.parametrize(
    ("precision", "compiled", "reason"), [("fp32", True, "compiled"), ("int8", False, "int8"), ("fp8", False, "fp8")]
)
def test_what_cannot_be_counted_is_not_run(precision, compiled, reason):
    found = torch_flops.count_flops(lambda i: pytest.fail("ran"), [0], precision, compiled)
    assert found.flops is None
    assert reason in found.reason
