"""The same seed gives the same bits, another seed others, and the global generator rests."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from workloads import REGISTRY
from workloads.base import Workload

NAMES = ("image-classifier", "llm-decoder", "text-encoder")
PHASES = [(name, phase) for name in NAMES for phase in REGISTRY.get(name).spec.phases]


def tiny_batch(workload: Workload, phase: str, seed: int) -> dict[str, torch.Tensor]:
    return workload.batch("tiny", phase, 4, workload.spec.presets["tiny"].shape, seed)


@pytest.fixture
def _poisoned_memory() -> Iterator[None]:
    """Uninitialised memory is NaN, so that a forgotten parameter shows."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("_poisoned_memory")
@pytest.mark.parametrize("name", NAMES)
def test_weights_follow_the_seed(name: str) -> None:
    workload = REGISTRY.get(name)
    one, same, other = (workload.model("tiny", seed) for seed in (1, 1, 2))
    assert not one.training
    assert all(p.dtype == torch.float32 and p.device.type == "cpu" for p in one.parameters())
    for key, tensor in one.state_dict().items():
        assert torch.equal(tensor, same.state_dict()[key]), key
        if tensor.is_floating_point():
            assert tensor.isfinite().all(), key
    weights = [p for p in one.parameters() if p.dim() > 1]
    others = [p for p in other.parameters() if p.dim() > 1]
    assert not any(torch.equal(a, b) for a, b in zip(weights, others, strict=True))
    assert len({weight.flatten()[0].item() for weight in weights}) == len(weights)


@pytest.mark.parametrize(("name", "phase"), PHASES)
def test_batches_follow_the_seed(name: str, phase: str) -> None:
    workload = REGISTRY.get(name)
    one, same, other = (tiny_batch(workload, phase, seed) for seed in (1, 1, 2))
    assert one.keys() == same.keys() == other.keys()
    for key, tensor in one.items():
        assert torch.equal(tensor, same[key])
        assert not torch.equal(tensor, other[key])


@pytest.mark.parametrize("name", NAMES)
def test_the_global_generator_is_neither_moved_nor_read(name: str) -> None:
    workload = REGISTRY.get(name)
    seen = []
    for seed in (11, 12):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        model = workload.model("tiny", 0)
        seen.append([*model.parameters(), *tiny_batch(workload, "train", 0).values()])
        assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(*seen, strict=True))


def test_weights_and_inputs_of_one_seed_are_not_correlated() -> None:
    """They would be if both started from the same stream."""
    workload = REGISTRY.get("image-classifier")
    weights = workload.model("tiny", 0).stem.conv.weight.flatten()
    pixels = tiny_batch(workload, "infer", 0)["pixels"].flatten()[: weights.numel()]
    correlation = torch.corrcoef(torch.stack((weights.detach(), pixels)))[0, 1]
    assert abs(float(correlation)) < 0.15


def test_a_preset_device_of_the_caller_is_not_followed() -> None:
    """Contract: weights and inputs are made on the CPU."""
    workload = REGISTRY.get("text-encoder")
    with torch.device("meta"):
        model, batch = workload.model("tiny", 0), tiny_batch(workload, "train", 0)
    assert {tensor.device.type for tensor in [*model.parameters(), *batch.values()]} == {"cpu"}


@pytest.mark.parametrize("module", ["image_classifier", "llm_decoder", "text_encoder", "requests"])
def test_spec_modules_do_not_import_torch(module: str) -> None:
    code = (
        f"import workloads.{module}, workloads, sys, json\n"
        "for name in ('image-classifier', 'llm-decoder', 'text-encoder'):\n"
        "    workload = workloads.REGISTRY.get(name)\n"
        "    preset = workload.spec.presets['standard']\n"
        "    workload.work('standard', workload.spec.phases[0], preset.batch_size, preset.shape)\n"
        "print(json.dumps([m for m in ('torch', 'numpy', 'pandas') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
