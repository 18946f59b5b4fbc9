"""The analytic FLOPs equal, as integers, what PyTorch counts while the model runs.

On the meta device nothing is computed, so the largest presets cost nothing, and attention is
counted (the CPU's fused attention is not registered with the counter).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from results.errors import UnknownNameError, UsageError
from results.records import Phase
from workloads import REGISTRY
from workloads.base import Workload
from workloads.image_classifier import ImageClassifier
from workloads.image_classifier_model import ImageClassifierModel
from workloads.llm_decoder import LlmDecoder
from workloads.llm_decoder_model import LlmDecoderModel
from workloads.text_encoder import TextEncoder
from workloads.text_encoder_model import TextEncoderModel

MODELS = {
    "image-classifier": ImageClassifierModel,
    "llm-decoder": LlmDecoderModel,
    "text-encoder": TextEncoderModel,
}
CELLS = [
    (name, preset, phase)
    for name in sorted(MODELS)
    for preset in REGISTRY.get(name).spec.presets
    for phase in REGISTRY.get(name).spec.phases
]


def counted(function: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()


def meta_model(workload: Workload, preset: str) -> nn.Module:
    with torch.device("meta"):
        return MODELS[workload.spec.name](workload.config(preset))


def meta_batch(workload: Workload, preset: str, phase: Phase, batch_size: int) -> dict[str, Tensor]:
    shape = workload.spec.presets[preset].shape
    batch = workload.batch(preset, phase, batch_size, shape, seed=0)
    return {name: tensor.to("meta") for name, tensor in batch.items()}


def count_train(workload: Workload, model: nn.Module, batch: Mapping[str, Tensor]) -> int:
    model.train()
    return counted(lambda: workload.loss(model, batch).backward())


def count_decode(model: LlmDecoderModel, prompt: Tensor, shape: Mapping[str, int], steps: range) -> int:
    length = shape["prompt_tokens"]
    cache = model.new_cache(prompt.shape[0], length + shape["new_tokens"])
    token = prompt[:, :1]

    def cycle() -> None:
        for step in steps:
            model.extend(token, cache, length + step)

    return counted(cycle)


def count_decode_cycle(model: LlmDecoderModel, prompt: Tensor, shape: Mapping[str, int]) -> int:
    """All steps of a short cycle; of a long one the ends and the middle, between which it is linear.

    That each step costs the same more than the one before is tested below.
    """
    last = shape["new_tokens"] - 1
    if last < 16:
        return count_decode(model, prompt, shape, range(last + 1))
    first_cost, next_cost, last_cost = (
        count_decode(model, prompt, shape, range(step, step + 1)) for step in (0, 1, last)
    )
    assert last_cost - first_cost == last * (next_cost - first_cost)
    return (last + 1) * (first_cost + last_cost) // 2


@pytest.mark.parametrize(("name", "preset", "phase"), CELLS)
def test_flops_are_those_that_are_counted(name: str, preset: str, phase: Phase) -> None:
    workload = REGISTRY.get(name)
    shape = workload.spec.presets[preset].shape
    model, batch = meta_model(workload, preset), meta_batch(workload, preset, phase, 2)
    if phase == "train":
        seen = count_train(workload, model, batch)
    elif phase == "infer":
        seen = counted(lambda: model(**batch))
    elif phase == "prefill":
        cache = model.new_cache(2, shape["prompt_tokens"])
        seen = counted(lambda: model.extend(batch["input_ids"], cache, 0))
    else:
        seen = count_decode_cycle(model, batch["input_ids"], shape)
    assert workload.work(preset, phase, 2, shape).flops == seen


@pytest.mark.parametrize("step", [0, 1, 7, 15])
def test_each_decode_step_costs_one_attended_position_more(step: int) -> None:
    """A cycle of n+1 steps less a cycle of n steps is the cost of step n."""
    workload, preset = LlmDecoder(), "tiny"
    shape = dict(workload.spec.presets[preset].shape)
    model = meta_model(workload, preset)
    prompt = meta_batch(workload, preset, "decode", 3)["input_ids"]
    longer = workload.work(preset, "decode", 3, shape | {"new_tokens": step + 1}).flops
    shorter = workload.work(preset, "decode", 3, shape | {"new_tokens": step}).flops if step else 0
    assert longer - shorter == count_decode(model, prompt, shape, range(step, step + 1))


@pytest.mark.parametrize(("size", "batch_size"), [(33, 1), (65, 2), (100, 3)])
def test_odd_image_sizes_are_counted_exactly(size: int, batch_size: int) -> None:
    workload = ImageClassifier()
    model = meta_model(workload, "tiny")
    pixels = torch.empty((batch_size, 3, size, size), device="meta")
    assert workload.work("tiny", "infer", batch_size, {"image_size": size}).flops == counted(lambda: model(pixels))


def test_resnet50_training_saves_the_first_input_gradient_only() -> None:
    """He et al. give 3.8 G multiply-adds for v1; v1.5 has 4.09 G."""
    shape = {"image_size": 224}
    forward = ImageClassifier().work("standard", "infer", 1, shape).flops
    train = ImageClassifier().work("standard", "train", 1, shape).flops
    assert forward == 8_178_368_512
    assert 3 * forward - train == 2 * 7 * 7 * 3 * 64 * 112 * 112
    assert train / forward == pytest.approx(2.9711, abs=5e-5)


def test_work_counts_items_and_tokens() -> None:
    decoder = LlmDecoder().work("tiny", "decode", 3, {"prompt_tokens": 5, "new_tokens": 7})
    assert (decoder.steps, decoder.items, decoder.tokens, decoder.item_unit) == (7, 21, 21, "token")
    prefill = LlmDecoder().work("tiny", "prefill", 3, {"prompt_tokens": 5})
    assert (prefill.steps, prefill.items, prefill.tokens) == (1, 15, 15)
    train = LlmDecoder().work("tiny", "train", 3, {"sequence_length": 6})
    assert (train.steps, train.items, train.tokens) == (1, 18, 18)
    encoder = TextEncoder().work("tiny", "infer", 3, {"sequence_length": 6})
    assert (encoder.steps, encoder.items, encoder.tokens, encoder.item_unit) == (1, 3, 18, "sequence")
    image = ImageClassifier().work("tiny", "infer", 3, {"image_size": 64})
    assert (image.steps, image.items, image.tokens, image.item_unit) == (1, 3, None, "image")


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_spec_says_what_work_says(name: str) -> None:
    workload = REGISTRY.get(name)
    assert isinstance(workload, Workload)
    assert workload.spec.name == name
    assert {"tiny", "edge", "standard"} <= set(workload.spec.presets)
    for preset, details in workload.spec.presets.items():
        for phase in workload.spec.phases:
            work = workload.work(preset, phase, details.batch_size, details.shape)
            assert work.item_unit == workload.spec.item_unit
            assert work.flops > 0
            assert msgspec.json.decode(msgspec.json.encode(work), type=type(work)) == work


BAD_REQUESTS = [
    ("llm-decoder", "infer", 1, {"sequence_length": 8}, "no phase 'infer'"),
    ("llm-decoder", "train", 0, {"sequence_length": 8}, "batch_size is 0"),
    ("llm-decoder", "train", 1, {"prompt_tokens": 8}, "shape has no 'sequence_length'"),
    ("llm-decoder", "train", 1, {"sequence_length": 0}, "sequence_length is 0"),
    ("llm-decoder", "train", 1, {"sequence_length": 1.5}, "sequence_length is 1.5"),
    ("llm-decoder", "prefill", 1, {"prompt_tokens": 4097}, "from 1 to 4096"),
    ("llm-decoder", "decode", 1, {"prompt_tokens": 4090, "new_tokens": 7}, "from 1 to 4089"),
    ("text-encoder", "infer", 1, {"sequence_length": 129}, "from 1 to 128"),
    ("image-classifier", "infer", 1, {"image_size": -1}, "of 1 or more"),
    ("image-classifier", "train", 1, {"image_size": 32}, "batch norm"),
]


@pytest.mark.parametrize(("name", "phase", "batch_size", "shape", "message"), BAD_REQUESTS)
def test_bad_requests_are_refused_in_one_line(
    name: str, phase: Phase, batch_size: int, shape: dict[str, int], message: str
) -> None:
    workload = REGISTRY.get(name)
    for ask in (
        lambda: workload.work("tiny", phase, batch_size, shape),
        lambda: workload.batch("tiny", phase, batch_size, shape, 0),
    ):
        with pytest.raises(UsageError, match=message) as caught:
            ask()
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_an_unknown_preset_names_its_like(name: str) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'tiny'"):
        REGISTRY.get(name).model("tinny", 0)
