"""What is held against what, and that computing it leaves no trace."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from backends import torch_reference
from tests.backends.torch.toy_workloads import ToyConv, ToyDecoder, ToyMlp, make_case


def test_eager_fp32_on_the_cpu_is_its_own_reference(backend, cpu):
    assert backend.reference(ToyMlp(), make_case(ToyMlp(), "train", threads=1), cpu) == ("self", {})


@pytest.mark.parametrize(
    ("toy", "phase", "shape"),
    [(ToyMlp, "infer", (4, 4, 16)), (ToyMlp, "train", (8,)), (ToyDecoder, "decode", (8, 4, 48))],
)
def test_outputs_of_the_first_steps_are_stacked(backend, cpu, toy, phase, shape):
    _, outputs = backend.reference(toy(), make_case(toy(), phase, "bf16"), cpu)
    (array,) = outputs.values()
    assert array.shape == shape
    assert array.dtype == np.float32


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_reduced_precision_is_compared_with_fp32(backend, cpu, precision):
    case = make_case(ToyMlp(), "infer", precision)
    text, outputs = backend.reference(ToyMlp(), case, cpu)
    assert text == "torch eager fp32 on cpu"
    model = ToyMlp().model("tiny", case.seed)
    with torch.no_grad():
        want = model(**ToyMlp().batch("tiny", "infer", 4, {}, case.seed + 1)).numpy()
    np.testing.assert_array_equal(outputs["logits"][0], want)


def test_rearranged_fp32_is_compared_with_plain_fp32(backend, cpu):
    case = make_case(ToyConv(), "infer", channels_last=True)
    text, outputs = backend.reference(ToyConv(), case, cpu)
    assert text == "torch eager fp32 on cpu"
    model = ToyConv().model("tiny", case.seed)
    with torch.no_grad():
        want = model(**ToyConv().batch("tiny", "infer", 4, {}, case.seed + 1)).numpy()
    np.testing.assert_array_equal(outputs["logits"][0], want)


def test_settings_are_put_back(backend, cpu):
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    before = torch.get_num_threads()
    backend.reference(ToyMlp(), make_case(ToyMlp(), "infer", "bf16", threads=before + 1), cpu)
    assert torch.get_float32_matmul_precision() == "high"
    assert torch.backends.cudnn.allow_tf32 is True
    assert torch.get_num_threads() == before


def test_fp32_of_an_accelerator_is_checked_on_the_cpu_if_that_is_quick(backend, cpu, monkeypatch):
    """No accelerator is needed: the reference runs on the CPU."""
    elsewhere = msgspec.structs.replace(cpu, id="cuda:0", kind="cuda")
    case = make_case(ToyMlp(), "infer", device="cuda:0")
    text, outputs = backend.reference(ToyMlp(), case, elsewhere)
    assert text == "torch eager fp32 on cpu"
    assert outputs["logits"].shape == (4, 4, 16)
    one_step = ToyMlp.flops_forward * 4
    monkeypatch.setattr(torch_reference, "MAX_CPU_FLOPS", one_step * 3 - 1)
    assert backend.reference(ToyMlp(), case, elsewhere)[1]["logits"].shape == (2, 4, 16)
    monkeypatch.setattr(torch_reference, "MAX_CPU_FLOPS", one_step - 1)
    assert backend.reference(ToyMlp(), case, elsewhere) is None
