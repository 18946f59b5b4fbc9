"""Random weights give outputs that are worth comparing, and low precision stays close."""

from __future__ import annotations

import copy
import math

import msgspec
import pytest
import torch
from torch import Tensor, nn

from workloads import REGISTRY
from workloads.base import Workload
from workloads.image_classifier_model import ImageClassifierModel
from workloads.initialization import build_seeded
from workloads.llm_decoder import DecoderConfig, LlmDecoder
from workloads.llm_decoder_model import LlmDecoderModel, RotaryTables, rotate
from workloads.text_encoder_model import TextEncoderModel

NAMES = ("image-classifier", "llm-decoder", "text-encoder")
LOW_PRECISION = [(torch.bfloat16, 4e-2), (torch.float16, 1e-2)]


def relative_error(x: Tensor, y: Tensor) -> float:
    return float((x.float() - y.float()).norm() / y.float().norm())


def inference_batch(workload: Workload, batch_size: int) -> dict[str, Tensor]:
    phase = "prefill" if "prefill" in workload.spec.phases else "infer"
    return workload.batch("tiny", phase, batch_size, workload.spec.presets["tiny"].shape, seed=1)


def cast(batch: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    return {name: x.to(dtype) if x.is_floating_point() else x for name, x in batch.items()}


@pytest.mark.parametrize("name", NAMES)
def test_outputs_depend_on_the_inputs(name: str) -> None:
    """Neither vanishing nor exploding, and not the same class whatever comes in."""
    workload = REGISTRY.get(name)
    with torch.no_grad():
        logits = workload.model("tiny", 0)(**inference_batch(workload, 16)).flatten(0, -2)
    spread = float(logits.std())
    assert 0.05 < spread < 2
    assert float(logits.std(dim=0).mean()) > 0.5 * spread
    most_frequent = torch.bincount(logits.argmax(dim=-1)).max()
    assert int(most_frequent) <= len(logits) // 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("dtype", "limit"), LOW_PRECISION)
def test_low_precision_stays_close(name: str, dtype: torch.dtype, limit: float) -> None:
    workload = REGISTRY.get(name)
    batch, model = inference_batch(workload, 4), workload.model("tiny", 0)
    with torch.no_grad():
        low = copy.deepcopy(model).to(dtype)(**cast(batch, dtype))
        error = relative_error(low, model(**batch))
    assert low.dtype == dtype
    assert 1e-5 < error < limit  # an error of 0 would say that nothing was rounded


def test_bf16_prefill_of_the_decoder() -> None:
    model = LlmDecoder().model("tiny", 0)
    ids = LlmDecoder().batch("tiny", "prefill", 2, {"prompt_tokens": 32}, seed=0)["input_ids"]
    expected = model.extend(ids, model.new_cache(2, 32), 0)
    low = copy.deepcopy(model).to(torch.bfloat16)
    cache = low.new_cache(2, 32)
    assert cache[0][0].dtype == torch.bfloat16
    assert relative_error(low.extend(ids, cache, 0), expected) < 2e-2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_casting_the_model_leaves_the_rotary_tables_alone(dtype: torch.dtype) -> None:
    tables = RotaryTables(num_positions=4096, head_dim=64, theta=10000.0)
    before = [table.clone() for table in tables(4000, 50)]
    nn.Sequential(tables).to(dtype)
    for table, expected in zip(tables(4000, 50), before, strict=True):
        assert table.dtype == torch.float32
        assert torch.equal(table, expected)


def test_rotary_tables_against_their_definition() -> None:
    cos, sin = RotaryTables(num_positions=4096, head_dim=8, theta=10000.0)(3999, 2)
    for row, position in enumerate((3999, 4000)):
        for pair in range(4):
            angle = position / 10000.0 ** (2 * pair / 8)
            assert float(cos[row, pair]) == pytest.approx(math.cos(angle), abs=1e-7)
            assert float(sin[row, pair]) == pytest.approx(math.sin(angle), abs=1e-7)


def test_rotated_products_depend_on_the_distance_only() -> None:
    """Su et al., eq. 11; at positions around 4000 as at the start."""
    tables = RotaryTables(num_positions=4096, head_dim=16, theta=10000.0)
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn((2, 1, 1, 1, 16), generator=generator)
    near = (rotate(q, *tables(7, 1)) * rotate(k, *tables(2, 1))).sum()
    far = (rotate(q, *tables(4007, 1)) * rotate(k, *tables(4002, 1))).sum()
    elsewhere = (rotate(q, *tables(4007, 1)) * rotate(k, *tables(4001, 1))).sum()
    assert float(far) == pytest.approx(float(near), abs=1e-4)
    assert float(elsewhere) != pytest.approx(float(near), abs=1e-2)


@pytest.mark.parametrize("start", [0, 2048, 4000])
def test_bf16_is_as_good_far_out_as_at_the_start(start: int) -> None:
    model = LlmDecoder().model("tiny", 0)
    low = copy.deepcopy(model).to(torch.bfloat16)
    ids = torch.randint(512, (2, 40), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = [far_logits(each, ids, start) for each in (model, low)]
    assert relative_error(logits[1], logits[0]) < 2e-2


def far_logits(model: LlmDecoderModel, ids: Tensor, start: int) -> Tensor:
    """The logits of a sequence whose first token stands at ``start``."""
    tables = model.rotary(start, ids.shape[1])
    x = model.embedding(ids)
    for layer in model.layers:
        x = layer(x, tables)
    return model.lm_head(model.norm(x))


def tied_decoder() -> tuple[LlmDecoderModel, DecoderConfig]:
    tiny = LlmDecoder().config("tiny")
    config = msgspec.structs.replace(tiny, tied_embeddings=1)
    return build_seeded(lambda: LlmDecoderModel(config), torch.Generator().manual_seed(0)), config


def test_tied_weights_stay_tied() -> None:
    model, config = tied_decoder()
    assert model.lm_head.weight is model.embedding.weight
    for converted in (
        copy.deepcopy(model),
        copy.deepcopy(model).to(torch.bfloat16),
        copy.deepcopy(model).to("meta").to_empty(device="cpu"),
    ):
        assert converted.lm_head.weight is converted.embedding.weight
        assert sum(p.numel() for p in converted.parameters()) == config.num_parameters


def test_a_replaced_head_is_not_tied_again() -> None:
    model, _ = tied_decoder()
    model.lm_head = nn.Linear(model.config.dim, 11, bias=False)
    assert model.to(torch.bfloat16).lm_head.weight.shape == (11, model.config.dim)


def deep_model(name: str) -> nn.Module:
    """As deep as the ``standard`` presets, as narrow as ``tiny``."""
    config = REGISTRY.get(name).config("tiny")
    generator = torch.Generator().manual_seed(0)
    if name == "image-classifier":
        deep = msgspec.structs.replace(config, depth1=3, depth2=4, depth3=6, depth4=3)
        return build_seeded(lambda: ImageClassifierModel(deep), generator)
    deep = msgspec.structs.replace(config, num_layers=16)
    build = LlmDecoderModel if name == "llm-decoder" else TextEncoderModel
    return build_seeded(lambda: build(deep), generator)


@pytest.mark.parametrize("name", NAMES)
def test_depth_neither_hides_the_inputs_nor_amplifies_rounding(name: str) -> None:
    model, batch = deep_model(name), inference_batch(REGISTRY.get(name), 16)
    with torch.no_grad():
        logits = model(**batch)
        low = copy.deepcopy(model).to(torch.bfloat16)(**cast(batch, torch.bfloat16))
    assert float(logits.flatten(0, -2).std(dim=0).mean()) > 0.5 * float(logits.std())
    assert relative_error(low, logits) < 4e-2


@pytest.mark.parametrize("name", NAMES)
def test_training_learns(name: str) -> None:
    """A few steps on one batch lower the loss, and every parameter gets a gradient."""
    workload = REGISTRY.get(name)
    model = workload.model("tiny", 0).train()
    batch = workload.batch("tiny", "train", 4, workload.spec.presets["tiny"].shape, seed=0)
    if workload.spec.optimizer == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), lr=workload.spec.learning_rate, momentum=0.9)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=workload.spec.learning_rate)
    losses = []
    for _ in range(6):
        optimizer.zero_grad()
        loss = workload.loss(model, batch)
        loss.backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert all(gradient.ne(0).any() for gradient in gradients if gradient.dim() > 1)
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] < math.log(512) + 1
    assert losses[-1] < losses[0] - 0.02
