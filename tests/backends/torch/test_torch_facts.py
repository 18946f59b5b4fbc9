"""What the trace sees, against torch's own FLOP counter, hand counts, and models that do otherwise."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from backends.torch_facts import ProductTrace, describe
from tests.backends.torch.toy_workloads import ToyConv, ToyMlp, ToyRawWeights, ToyStubborn, make_case


@pytest.mark.parametrize(("phase", "precision"), [("infer", "bf16"), ("train", "fp16")])
def test_a_model_that_computes_in_fp32_regardless_is_found_out(backend, cpu, phase, precision):
    workload = ToyStubborn()
    step = backend.prepare(workload, make_case(workload, phase, precision), cpu)
    assert step.facts["precision_honoured"] is False
    assert step.facts["precision_executed"] == "fp32"


def test_weights_that_int8_does_not_reach_are_found_out(backend, cpu, flags):
    """One of three products is a linear layer; the others use bare parameters."""
    flags("avx2")
    workload = ToyRawWeights()
    assert backend.supports(workload, make_case(workload, "infer", "int8"), cpu).level == "emulated"
    facts = backend.prepare(workload, make_case(workload, "infer", "int8"), cpu).facts
    assert facts["num_converted_layers"] == facts["num_linear_layers"] == 1
    assert facts["precision_executed"] == "mixed"
    assert facts["precision_honoured"] is False
    assert "of those with weights: int8 20.00%" in facts["precision_evidence"]


@pytest.mark.parametrize(("toy", "phase"), [(ToyMlp, "infer"), (ToyMlp, "train"), (ToyConv, "train")])
def test_traced_flops_are_those_of_torchs_own_counter(backend, cpu, toy, phase):
    workload = toy()
    facts = backend.prepare(workload, make_case(workload, phase), cpu).facts
    traced = sum(sum(by_dtype.values()) for by_dtype in facts["matmul_flops"].values())
    model = workload.model("tiny", 0).train(phase == "train")
    batch = workload.batch("tiny", phase, 4, {}, 0)
    with FlopCounterMode(display=False) as counter:
        if phase == "train":
            workload.loss(model, batch).backward()
        else:
            model(**batch)
    assert traced == counter.get_total_flops() > 0


@pytest.mark.parametrize(
    ("layer", "macs"),
    [
        # 4 images of 8 x 8 positions; every output sums over 3 x 3 of the group's 2 channels
        (nn.Conv2d(4, 6, 3, padding=1, groups=2), 4 * 64 * 6 * 2 * 9),
        # every input value is spread over 2 x 2 positions of 6 channels
        (nn.ConvTranspose2d(4, 6, 2, stride=2), 4 * 64 * 4 * 6 * 4),
    ],
)
def test_flops_of_other_convolutions(layer, macs):
    """Counted by hand: torch's counter forgets groups in the weight gradient."""
    x = torch.randn(4, 4, 8, 8, requires_grad=True)
    with ProductTrace("cpu") as trace:
        layer(x).sum().backward()
    assert trace.flops["convolution", "float32"] == 2 * macs
    assert trace.flops["convolution_backward", "float32"] == 2 * 2 * macs


def test_facts_name_the_attention_kernel():
    q = torch.randn(1, 2, 8, 16)
    with torch.no_grad(), ProductTrace("cpu") as trace:
        torch.nn.functional.scaled_dot_product_attention(q, q, q)
    facts = describe(trace, "fp32", tf32=False)
    assert facts["attention_kernel"] == ["_scaled_dot_product_flash_attention_for_cpu"]
    assert facts["matmul_flops"] == {
        "_scaled_dot_product_flash_attention_for_cpu": {"float32": 2 * 2 * (2 * 8 * 8 * 16)}
    }


def test_attention_backward_counts_twice_the_forward_pass():
    q, k, v = (torch.randn(1, 2, 8, 16, requires_grad=True) for _ in range(3))
    with ProductTrace("cpu") as trace:
        torch.nn.functional.scaled_dot_product_attention(q, k, v).sum().backward()
    name = "_scaled_dot_product_flash_attention_for_cpu"
    assert trace.flops[f"{name}_backward", "float32"] == 2 * trace.flops[name, "float32"] > 0


@pytest.mark.parametrize(("precision", "honoured"), [("int8", True), ("fp32", False)])
def test_attention_in_the_carrier_type_does_not_count_against_int8(precision, honoured):
    """Recipes for INT8 and FP8 convert products with weights only; the total is still told."""
    a, b = torch.ones(32, 32, dtype=torch.int8), torch.ones(32, 32, dtype=torch.int8)
    with torch.no_grad(), ProductTrace("cpu") as trace:
        torch._int_mm(a, b)
        torch.bmm(torch.ones(1, 32, 32), torch.ones(1, 32, 32))
    facts = describe(trace, precision, tf32=False)
    assert facts["precision_honoured"] is honoured
    assert facts["precision_executed"] == "mixed"
    assert "int8 50.00%" in facts["precision_evidence"]


def test_products_on_another_kind_of_device_are_not_honoured():
    with torch.no_grad(), ProductTrace("cuda") as trace:
        torch.randn(4, 4) @ torch.randn(4, 4)
    facts = describe(trace, "fp32", tf32=False)
    assert facts["precision_honoured"] is False
    assert "1 products ran off the device" in facts["precision_evidence"]


def test_tf32_is_called_tf32():
    with torch.no_grad(), ProductTrace("cpu") as trace:
        torch.randn(4, 4) @ torch.randn(4, 4)
    assert describe(trace, "fp32", tf32=True)["precision_executed"] == "tf32"
    assert describe(trace, "fp32", tf32=False)["precision_executed"] == "fp32"


def test_without_products_nothing_is_honoured():
    with ProductTrace("cpu") as trace:
        torch.randn(4, 4).relu()
    facts = describe(trace, "fp32", tf32=False)
    assert (facts["precision_executed"], facts["precision_honoured"]) == ("none", False)
    assert "no matrix products" in facts["precision_evidence"]
