"""Inputs are what the workloads say they are."""

from __future__ import annotations

import torch

from workloads.image_classifier import ImageClassifier
from workloads.llm_decoder import LlmDecoder
from workloads.text_encoder import NOT_PREDICTED, TextEncoder


def test_decoder_labels_are_the_next_tokens() -> None:
    batch = LlmDecoder().batch("tiny", "train", 3, {"sequence_length": 50}, seed=0)
    assert batch["input_ids"].shape == batch["labels"].shape == (3, 50)
    assert torch.equal(batch["labels"][:, :-1], batch["input_ids"][:, 1:])


def test_token_ids_fill_the_vocabulary() -> None:
    ids = LlmDecoder().batch("tiny", "prefill", 32, {"prompt_tokens": 512}, seed=0)["input_ids"]
    counts = torch.bincount(ids.flatten(), minlength=512)
    assert ids.dtype == torch.int64
    assert len(counts) == 512
    # 32 expected of each; a Poisson count beyond 5 sigma is not to be seen among 512.
    assert 4 <= int(counts.min()) <= int(counts.max()) <= 64


def test_decode_gets_the_prompt() -> None:
    shape = {"prompt_tokens": 9, "new_tokens": 4}
    assert LlmDecoder().batch("tiny", "decode", 2, shape, seed=0)["input_ids"].shape == (2, 9)


def test_encoder_masks_fifteen_percent_of_each_sequence() -> None:
    workload = TextEncoder()
    mask_token = workload.config("tiny").mask_token
    batch = workload.batch("tiny", "train", 64, {"sequence_length": 100}, seed=0)
    is_masked = batch["labels"] != NOT_PREDICTED
    assert is_masked.sum(dim=1).eq(15).all()
    assert batch["input_ids"][is_masked].eq(mask_token).all()
    labels = batch["labels"][is_masked]
    assert 0 <= int(labels.min()) < int(labels.max()) < 512
    assert batch["input_ids"][~is_masked].float().std() > 100
    # Every position gets its turn: 64 sequences miss one with a chance of 0.85^64 = 3e-5.
    assert is_masked.any(dim=0).all()


def test_the_shortest_sequence_still_has_something_to_predict() -> None:
    workload = TextEncoder()
    batch = workload.batch("tiny", "train", 2, {"sequence_length": 1}, seed=0)
    assert workload.loss(workload.model("tiny", 0), batch).isfinite()


def test_images_are_standard_normal() -> None:
    batch = ImageClassifier().batch("tiny", "train", 16, {"image_size": 64}, seed=0)
    pixels = batch["pixels"]
    assert pixels.shape == (16, 3, 64, 64)
    assert pixels.dtype == torch.float32
    assert abs(float(pixels.mean())) < 0.01
    assert abs(float(pixels.std()) - 1) < 0.01
    assert int(batch["labels"].max()) < 10
