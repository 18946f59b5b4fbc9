"""The workloads that measure ceilings, through the torch backend on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backends.torch_facts import describe_inputs
from results.records import CaseSpec
from workloads import REGISTRY
from workloads.memory_bandwidth_model import SAMPLE_STRIDE

SHAPES = {"gemm": {"rows": 64}, "memory-bandwidth": {"array_mib": 1}}


def case_of(name, preset, precision="fp32", **options):
    return CaseSpec(
        workload=name, workload_version=1, phase="infer", preset=preset, precision=precision, batch_size=1,
        shape=SHAPES[name], backend="torch", device="cpu", options=options, seed=3,
    )  # fmt: skip


def test_gemm_facts_count_the_flops_that_work_says(backend, cpu):
    case = case_of("gemm", "tiny-wide")
    facts = backend.prepare(REGISTRY.get("gemm"), case, cpu).facts
    work = REGISTRY.get("gemm").work("tiny-wide", "infer", case.batch_size, case.shape)
    assert sum(sum(by_dtype.values()) for by_dtype in facts["matmul_flops"].values()) == work.flops
    assert facts["precision_honoured"] is True


@pytest.mark.parametrize("precision", ["fp16", "bf16", "int8"])
def test_gemm_takes_each_precision_as_other_workloads_do(backend, cpu, precision):
    workload, case = REGISTRY.get("gemm"), case_of("gemm", "tiny", precision)
    assert backend.supports(workload, case, cpu).level in ("native", "emulated")
    step = backend.prepare(workload, case, cpu)
    step.run(0)
    _, expected = backend.reference(workload, case, cpu)
    error = np.linalg.norm(step.outputs()["logits"] - expected["logits"][0]) / np.linalg.norm(expected["logits"])
    assert 1e-5 < error < 0.03
    assert step.facts["precision_executed"] == precision


def test_a_copy_has_no_products_and_is_judged_by_its_inputs(backend, cpu):
    workload, case = REGISTRY.get("memory-bandwidth"), case_of("memory-bandwidth", "tiny-copy")
    assert backend.supports(workload, case, cpu).level == "native"
    step = backend.prepare(workload, case, cpu)
    assert (step.facts["precision_executed"], step.facts["precision_honoured"]) == ("fp32", True)
    assert step.facts["precision_evidence"] == "no matrix products by definition; inputs are float32"
    for i in range(6):
        step.run(i)
        wanted = workload.batch("tiny-copy", "infer", case.batch_size, case.shape, case.seed + 1 + i % 4)["a"]
        assert np.array_equal(step.outputs()["logits"], wanted[::SAMPLE_STRIDE].numpy())
    assert backend.reference(workload, case, cpu) == ("self", {})


def test_inputs_of_another_type_are_not_what_was_asked_for():
    half = {"a": torch.zeros(2, dtype=torch.float16), "b": torch.zeros(2)}
    facts = describe_inputs(half, "fp32")
    assert (facts["precision_executed"], facts["precision_honoured"]) == ("mixed", False)


@pytest.mark.parametrize(
    ("precision", "options", "reason"),
    [
        ("bf16", {}, "memory-bandwidth is defined in fp32 only"),
        ("int8", {}, "memory-bandwidth is defined in fp32 only"),
        ("fp32", {"compile": True}, "option compile: memory-bandwidth writes into memory that it keeps"),
        ("fp32", {"channels_last": True}, "option channels_last: memory-bandwidth has no convolutions"),
    ],
)
def test_what_memory_bandwidth_cannot_be(backend, cpu, precision, options, reason):
    case = case_of("memory-bandwidth", "tiny-triad", precision, **options)
    support = backend.supports(REGISTRY.get("memory-bandwidth"), case, cpu)
    assert (support.level, support.reason) == ("unsupported", reason)


def test_the_device_tells_its_last_level_cache(cpu):
    assert "last_level_cache_bytes" in cpu.details
