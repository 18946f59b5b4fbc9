"""Our networks are the ones they claim to be: same sizes, outputs and losses as the referees'."""

from __future__ import annotations

import msgspec
import pytest
import torch
from torch import nn

from tests.workloads import referees
from workloads.image_classifier import ClassifierConfig, ImageClassifier
from workloads.image_classifier_model import ImageClassifierModel
from workloads.llm_decoder import DecoderConfig, LlmDecoder
from workloads.llm_decoder_model import LlmDecoderModel
from workloads.text_encoder import EncoderConfig, TextEncoder
from workloads.text_encoder_model import TextEncoderModel

TOLERANCE = 1e-5


def num_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def relative_error(x: torch.Tensor, y: torch.Tensor) -> float:
    return float((x - y).norm() / y.norm())


@pytest.mark.parametrize("preset", list(LlmDecoder.spec.presets))
def test_decoder_has_as_many_parameters_as_llama(preset: str) -> None:
    config = LlmDecoder().config(preset)
    with torch.device("meta"):
        ours, theirs = LlmDecoderModel(config), referees.llama(config)
    assert num_parameters(ours) == num_parameters(theirs) == config.num_parameters


@pytest.mark.parametrize("preset", list(TextEncoder.spec.presets))
def test_encoder_has_as_many_parameters_as_bert(preset: str) -> None:
    config = TextEncoder().config(preset)
    with torch.device("meta"):
        ours, theirs = TextEncoderModel(config), referees.bert(config)
    assert num_parameters(ours) == num_parameters(theirs) == config.num_parameters


@pytest.mark.parametrize("preset", list(ImageClassifier.spec.presets))
def test_classifier_has_as_many_parameters_as_resnet(preset: str) -> None:
    config = ImageClassifier().config(preset)
    with torch.device("meta"):
        ours, theirs = ImageClassifierModel(config), referees.resnet(config)
    assert num_parameters(ours) == num_parameters(theirs) == config.num_parameters


def test_published_sizes() -> None:
    """The totals that are commonly given for these networks."""
    assert LlmDecoder().config("standard").num_parameters == 1_235_814_400
    assert LlmDecoder().config("124m").num_parameters == 123_587_328
    assert TextEncoder().config("standard").num_parameters == 109_514_298
    assert ImageClassifier().config("standard").num_parameters == 25_557_032


def decoder_pair(num_kv_heads: int, tied: int) -> tuple[LlmDecoderModel, nn.Module, DecoderConfig]:
    tiny = LlmDecoder().config("tiny")
    config = msgspec.structs.replace(tiny, num_kv_heads=num_kv_heads, tied_embeddings=tied)
    ours = LlmDecoderModel(config).eval()
    referees.scramble(ours, seed=num_kv_heads)
    theirs = referees.llama(config)
    referees.copy_weights(ours, theirs, {name: referees.llama_name(name) for name in ours.state_dict()})
    return ours, theirs, config


@pytest.mark.parametrize("num_kv_heads", [1, 2, 4])
@pytest.mark.parametrize("tied", [0, 1])
def test_decoder_computes_what_llama_computes(num_kv_heads: int, tied: int) -> None:
    ours, theirs, config = decoder_pair(num_kv_heads, tied)
    ids = torch.randint(config.vocab_size, (2, 40), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = theirs(ids).logits
        assert relative_error(ours(ids), expected) < TOLERANCE
        assert relative_error(ours(ids, last_only=True), expected[:, -1]) < TOLERANCE


def test_decoder_has_the_loss_of_llama() -> None:
    """The referee shifts the labels itself, so it gets the whole sequence."""
    ours, theirs, _ = decoder_pair(num_kv_heads=2, tied=0)
    batch = LlmDecoder().batch("tiny", "train", 2, {"sequence_length": 24}, seed=3)
    whole = torch.cat((batch["input_ids"], batch["labels"][:, -1:]), dim=1)
    with torch.no_grad():
        loss = LlmDecoder().loss(ours, batch)
        expected = theirs(input_ids=whole, labels=whole).loss
    assert loss.item() == pytest.approx(expected.item(), rel=TOLERANCE)


def encoder_pair() -> tuple[TextEncoderModel, nn.Module, EncoderConfig]:
    config = TextEncoder().config("tiny")
    ours = TextEncoderModel(config).eval()
    referees.scramble(ours, seed=5)
    theirs = referees.bert(config)
    referees.copy_weights(ours, theirs, {name: referees.bert_name(name) for name in ours.state_dict()})
    return ours, theirs, config


def test_encoder_computes_what_bert_computes() -> None:
    ours, theirs, config = encoder_pair()
    ids = torch.randint(config.vocab_size, (3, 48), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert relative_error(ours(ids), theirs(ids).logits) < TOLERANCE


def test_encoder_has_the_loss_of_bert() -> None:
    ours, theirs, _ = encoder_pair()
    batch = TextEncoder().batch("tiny", "train", 3, {"sequence_length": 48}, seed=3)
    with torch.no_grad():
        loss = TextEncoder().loss(ours, batch)
        expected = theirs(**batch).loss
    assert loss.item() == pytest.approx(expected.item(), rel=TOLERANCE)


def classifier_pair() -> tuple[ImageClassifierModel, nn.Module, ClassifierConfig]:
    config = msgspec.structs.replace(ImageClassifier().config("tiny"), depth3=3, num_classes=7)
    ours = ImageClassifierModel(config).eval()
    referees.scramble(ours, seed=7)
    theirs = referees.resnet(config)
    names = {name: referees.resnet_name(name, config) for name in ours.state_dict()}
    referees.copy_weights(ours, theirs, names)
    return ours, theirs, config


@pytest.mark.parametrize("size", [64, 75])
def test_classifier_computes_what_resnet_computes(size: int) -> None:
    ours, theirs, _ = classifier_pair()
    pixels = torch.randn((2, 3, size, size), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert relative_error(ours(pixels), theirs(pixels).logits) < TOLERANCE


def test_classifier_trains_as_resnet_trains() -> None:
    """Same loss and same running statistics in training mode."""
    ours, theirs, _ = classifier_pair()
    batch = ImageClassifier().batch("tiny", "train", 4, {"image_size": 64}, seed=3)
    batch["labels"] %= 7
    loss = ImageClassifier().loss(ours.train(), batch)
    expected = theirs.train()(batch["pixels"], labels=batch["labels"]).loss
    assert loss.item() == pytest.approx(expected.item(), rel=TOLERANCE)
    torch.testing.assert_close(ours.stem.norm.running_var, theirs.resnet.embedder.embedder.normalization.running_var)
