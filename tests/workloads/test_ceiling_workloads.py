"""``gemm`` and ``memory-bandwidth``: what they compute, count and move, against independent arithmetic."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from results.errors import UnknownNameError, UsageError
from results.records import Phase
from workloads import REGISTRY
from workloads.base import Workload
from workloads.gemm import Gemm
from workloads.gemm_model import GemmModel
from workloads.memory_bandwidth import MemoryBandwidth
from workloads.memory_bandwidth_model import SAMPLE_STRIDE
from workloads.requests import unsuited_reason

SMALL = {"array_mib": 1}
SIZES = ("tiny", "edge", "standard")


@pytest.mark.parametrize("preset", list(Gemm.spec.presets))
@pytest.mark.parametrize("batch_size", [1, 3])
def test_gemm_flops_are_those_that_are_counted(preset: str, batch_size: int) -> None:
    workload = Gemm()
    shape = workload.spec.presets[preset].shape
    with torch.device("meta"):
        model = GemmModel(workload.config(preset))
        x = torch.empty(batch_size * shape["rows"], model.product.in_features)
        with FlopCounterMode(display=False) as counter:
            y = model(x)
    work = workload.work(preset, "infer", batch_size, shape)
    assert work.flops == counter.get_total_flops()
    assert work.min_values == x.numel() + y.numel() + sum(p.numel() for p in model.parameters())
    assert (work.items, work.item_unit, work.steps, work.tokens, work.bytes) == (batch_size, "matmul", 1, None, None)


@pytest.mark.parametrize("size", SIZES)
def test_each_size_has_a_square_product_and_two_others_of_as_many_flops(size: str) -> None:
    workload = Gemm()
    square, wide, tall = (workload.spec.presets[name] for name in (size, f"{size}-wide", f"{size}-tall"))
    assert square.shape["rows"] == square.model["depth"] == square.model["columns"]
    assert wide.model["columns"] > wide.shape["rows"] > wide.model["depth"]
    assert tall.shape["rows"] > tall.model["depth"] > tall.model["columns"]
    flops = {workload.work(f"{size}{part}", "infer", 1, workload.spec.presets[f"{size}{part}"].shape).flops
             for part in ("", "-wide", "-tall")}  # fmt: skip
    assert len(flops) == 1


def test_gemm_is_the_product_of_normal_numbers() -> None:
    workload, shape = Gemm(), {"rows": 50}
    x = workload.batch("tiny-tall", "infer", 2, shape, seed=1)["x"]
    model = workload.model("tiny-tall", seed=0)
    weight = model.product.weight.detach()
    assert x.shape == (100, 384)
    assert abs(float(x.mean())) < 0.05
    assert float(x.std()) == pytest.approx(1, abs=0.05)
    with torch.no_grad():
        y = model(x)
    expected = torch.einsum("mk,nk->mn", x.double(), weight.double())
    torch.testing.assert_close(y.double(), expected, rtol=1e-4, atol=1e-4)
    assert float(y.std()) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("dtype", "limit"), [(torch.bfloat16, 1e-2), (torch.float16, 1e-3)])
def test_one_product_is_far_below_the_limits_of_the_gate(dtype: torch.dtype, limit: float) -> None:
    workload = Gemm()
    x = workload.batch("tiny", "infer", 1, workload.spec.presets["tiny"].shape, seed=1)["x"]
    model = workload.model("tiny", seed=0)
    with torch.no_grad():
        low, exact = copy.deepcopy(model).to(dtype)(x.to(dtype)).float(), model(x)
    error = float((low - exact).norm() / exact.norm())
    assert 1e-5 < error < limit


def bandwidth(
    kind: str, shape: dict[str, int] = SMALL, seed: int = 1
) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    workload = MemoryBandwidth()
    return workload.model(f"tiny-{kind}", 0), workload.batch(f"tiny-{kind}", "infer", 1, shape, seed)


def test_the_copy_writes_the_whole_array() -> None:
    model, batch = bandwidth("copy")
    sample = model(**batch)
    assert torch.equal(model.out, batch["a"])
    assert torch.equal(sample, batch["a"][::SAMPLE_STRIDE])
    assert len(sample) == 64


def test_the_triad_writes_the_whole_array() -> None:
    model, batch = bandwidth("triad")
    sample = model(**batch)
    expected = batch["a"].double() + 3 * batch["b"].double()
    torch.testing.assert_close(model.out.double(), expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(sample, model.out[::SAMPLE_STRIDE])
    assert not torch.equal(batch["a"], batch["b"])


@pytest.mark.parametrize("kind", ["copy", "triad"])
def test_the_output_is_allocated_once_and_no_memory_after_that(kind: str) -> None:
    """An allocation per step would measure the allocator and page faults."""
    model, batch = bandwidth(kind)
    model(**batch)
    place = model.out.data_ptr()
    with torch.profiler.profile(profile_memory=True) as profile:
        for _ in range(3):
            model(**batch)
    assert model.out.data_ptr() == place
    assert max(event.cpu_memory_usage for event in profile.key_averages()) < 1000


@pytest.mark.parametrize("kind", ["copy", "triad"])
@pytest.mark.parametrize("batch_size", [1, 2])
def test_the_bytes_are_those_of_the_arrays(kind: str, batch_size: int) -> None:
    workload, shape = MemoryBandwidth(), {"array_mib": 3}
    batch = workload.batch(f"tiny-{kind}", "infer", batch_size, shape, 0)
    model = workload.model(f"tiny-{kind}", 0)
    model(**batch)
    arrays = [*batch.values(), model.out]
    work = workload.work(f"tiny-{kind}", "infer", batch_size, shape)
    assert work.bytes == work.items == sum(array.numel() * array.element_size() for array in arrays)
    assert work.bytes == {"copy": 2, "triad": 3}[kind] * 3 * 2**20 * batch_size
    assert (work.flops, work.item_unit, work.steps, work.min_values) == (0, "byte", 1, None)


@pytest.mark.parametrize(("name", "preset", "shape"), [
    ("gemm", "tiny-wide", {"rows": 8}), ("memory-bandwidth", "tiny-triad", SMALL),
])  # fmt: skip
def test_weights_and_batches_follow_the_seed_and_the_global_generator_rests(
    name: str, preset: str, shape: dict[str, int]
) -> None:
    workload: Workload = REGISTRY.get(name)
    torch.manual_seed(11)
    before = torch.get_rng_state()
    one, same, other = (workload.batch(preset, "infer", 1, shape, seed) for seed in (1, 1, 2))
    models = [workload.model(preset, seed) for seed in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), before)
    assert not models[0].training
    for key, tensor in one.items():
        assert tensor.device.type == "cpu"
        assert torch.equal(tensor, same[key])
        assert not torch.equal(tensor, other[key])
    for weight, equal, different in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(weight, equal)
        assert not torch.equal(weight, different)


@pytest.mark.parametrize(("name", "phase", "batch_size", "shape", "message"), [
    ("gemm", "train", 1, {"rows": 8}, "no phase 'train'"),
    ("gemm", "infer", 0, {"rows": 8}, "batch_size is 0"),
    ("gemm", "infer", 1, {"columns": 8}, "shape has no 'rows'"),
    ("gemm", "infer", 1, {"rows": 0}, "rows is 0"),
    ("memory-bandwidth", "decode", 1, SMALL, "no phase 'decode'"),
    ("memory-bandwidth", "infer", 1, {"array_mib": 0.5}, "array_mib is 0.5"),
])  # fmt: skip
def test_bad_requests_are_refused(
    name: str, phase: Phase, batch_size: int, shape: dict[str, int], message: str
) -> None:
    workload = REGISTRY.get(name)
    preset = next(iter(workload.spec.presets))
    for ask in (workload.work, lambda *request: workload.batch(*request, 0)):
        with pytest.raises(UsageError, match=message):
            ask(preset, phase, batch_size, shape)
    with pytest.raises(UsageError, match="has no loss"):
        workload.loss(torch.nn.Identity(), {})
    with pytest.raises(UnknownNameError, match="did you mean 'tiny"):
        workload.model("tinny", 0)


def test_what_a_workload_has_no_meaning_for_is_said() -> None:
    assert unsuited_reason(MemoryBandwidth.spec, "infer", "bf16") == "memory-bandwidth is defined in fp32 only"
    assert unsuited_reason(MemoryBandwidth.spec, "infer", "fp32") == ""
    assert unsuited_reason(Gemm.spec, "infer", "int8") == ""
    assert unsuited_reason(Gemm.spec, "train", "fp32") == "gemm has no train phase"


@pytest.mark.parametrize("name", ["gemm", "memory-bandwidth"])
def test_the_spec_is_whole_and_needs_no_torch(name: str) -> None:
    code = (
        "import workloads, sys, json\n"
        f"w = workloads.REGISTRY.get({name!r})\n"
        "for preset, p in w.spec.presets.items():\n"
        "    assert w.work(preset, 'infer', p.batch_size, p.shape).item_unit == w.spec.item_unit\n"
        "print(json.dumps([w.spec.name, list(w.spec.presets), [m for m in ('torch', 'numpy') if m in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found, presets, loaded = json.loads(done.stdout)
    assert found == name
    assert loaded == []
    assert {preset.split("-")[0] for preset in presets} == set(SIZES)
