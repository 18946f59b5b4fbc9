"""``Work.min_values`` holds what a step cannot do without moving, as seen while it runs, and no more."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from workloads import REGISTRY
from workloads.base import Workload
from workloads.llm_decoder import LlmDecoder


class Readers(TorchDispatchMode):
    """Which parameters are read whole: by anything but a lookup of some rows."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._names = {p.untyped_storage().data_ptr(): p for p in model.parameters()}
        self.read: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ != "embedding":
            for arg in args:
                if isinstance(arg, torch.Tensor) and (place := arg.untyped_storage().data_ptr()) in self._names:
                    self.read[place] = self._names[place].numel()
        return func(*args, **(kwargs or {}))

    @property
    def total(self) -> int:
        return sum(self.read.values())


def read_weights(model: nn.Module, call: Any) -> int:
    with torch.no_grad(), Readers(model) as readers:
        call()
    return readers.total


@pytest.mark.parametrize("name", ["text-encoder", "image-classifier"])
def test_inference(name: str) -> None:
    workload: Workload = REGISTRY.get(name)
    shape = workload.spec.presets["tiny"].shape
    model, batch = workload.model("tiny", 0), workload.batch("tiny", "infer", 3, shape, 0)
    weights = read_weights(model, lambda: model(**batch))
    if name == "text-encoder":  # rows of the tables of positions and token types: one each, of width 64
        weights += (shape["sequence_length"] + 1) * 64
    moved = sum(x.numel() for x in batch.values()) + model(**batch).numel()
    assert workload.work("tiny", "infer", 3, shape).min_values == weights + moved


def cache_values(cache: list[tuple[torch.Tensor, torch.Tensor]], length: int) -> int:
    """Numbers in the first ``length`` positions of all caches."""
    return sum(x.numel() // x.shape[2] * length for pair in cache for x in pair)


def test_prefill() -> None:
    workload, shape = LlmDecoder(), {"prompt_tokens": 7}
    model, ids = workload.model("tiny", 0), workload.batch("tiny", "prefill", 3, shape, 0)["input_ids"]
    cache = model.new_cache(3, 7)
    weights = read_weights(model, lambda: model.extend(ids, cache, 0))
    logits = model.extend(ids, cache, 0)
    assert workload.work("tiny", "prefill", 3, shape).min_values == (
        weights + ids.numel() + logits.numel() + cache_values(cache, 7)
    )


def test_decode_reads_all_weights_and_the_cache_so_far_at_every_step() -> None:
    workload, shape = LlmDecoder(), {"prompt_tokens": 5, "new_tokens": 4}
    model, cache = (model := workload.model("tiny", 0)), model.new_cache(3, 9)
    token = torch.zeros((3, 1), dtype=torch.int64)
    expected = 0
    for step in range(4):
        weights = read_weights(model, lambda step=step: model.extend(token, cache, 5 + step))
        expected += weights + token.numel() + model.extend(token, cache, 5 + step).numel()
        expected += cache_values(cache, 5 + step + 1)
    assert workload.work("tiny", "decode", 3, shape).min_values == expected


def test_a_tied_embedding_is_read_as_the_head() -> None:
    config = LlmDecoder().config("124m")
    assert config.tied_embeddings
    assert config.num_read_weights == config.num_parameters


@pytest.mark.parametrize("name", ["llm-decoder", "text-encoder", "image-classifier"])
def test_training_reads_and_writes_weights_and_optimizer_state(name: str) -> None:
    workload: Workload = REGISTRY.get(name)
    shape = workload.spec.presets["tiny"].shape
    model, batch = workload.model("tiny", 0).train(), workload.batch("tiny", "train", 3, shape, 0)
    kinds: dict[str, Any] = {
        "adamw": torch.optim.AdamW,
        "sgd": lambda parameters: torch.optim.SGD(parameters, lr=1e-3, momentum=0.9),
    }
    optimizer = kinds[workload.spec.optimizer](model.parameters())
    workload.loss(model, batch).backward()
    optimizer.step()
    state = sum(x.numel() for held in optimizer.state.values() for x in held.values() if x is not None and x.dim())
    kept = sum(parameter.numel() for parameter in model.parameters()) + state
    assert workload.work("tiny", "train", 3, shape).min_values == 2 * kept + sum(x.numel() for x in batch.values())
