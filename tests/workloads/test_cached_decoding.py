"""Generating with a cache gives what the whole sequence gives."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
import torch

from workloads.base import CachedDecoder
from workloads.initialization import build_seeded
from workloads.llm_decoder import LlmDecoder
from workloads.llm_decoder_model import LlmDecoderModel

TOLERANCE = 1e-5


def decoder(num_kv_heads: int = 2) -> LlmDecoderModel:
    config = msgspec.structs.replace(LlmDecoder().config("tiny"), num_kv_heads=num_kv_heads)
    return build_seeded(lambda: LlmDecoderModel(config), torch.Generator().manual_seed(2))


def tokens(batch_size: int, length: int) -> torch.Tensor:
    return torch.randint(512, (batch_size, length), generator=torch.Generator().manual_seed(length))


def assert_close(logits: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(logits, expected, rtol=TOLERANCE, atol=TOLERANCE)


def extend_in_chunks(model: LlmDecoderModel, ids: torch.Tensor, ends: list[int]) -> list[torch.Tensor]:
    cache = model.new_cache(ids.shape[0], ids.shape[1] + 3)
    return [model.extend(ids[:, start:end], cache, start) for start, end in pairwise([0, *ends])]


@pytest.mark.parametrize("num_kv_heads", [1, 2, 4])
@pytest.mark.parametrize(("prompt", "new"), [(1, 24), (32, 40)])
def test_one_token_at_a_time(num_kv_heads: int, prompt: int, new: int) -> None:
    model, ids = decoder(num_kv_heads), tokens(3, prompt + new)
    with torch.no_grad():
        expected = model(ids)
    ends = list(range(prompt, prompt + new + 1))
    for end, logits in zip(ends, extend_in_chunks(model, ids, ends), strict=True):
        assert_close(logits, expected[:, end - 1])


@pytest.mark.parametrize("ends", [[40], [7, 40], [1, 3, 20, 21, 40], [20, 40]])
def test_chunks_of_any_length(ends: list[int]) -> None:
    model, ids = decoder(), tokens(2, 40)
    with torch.no_grad():
        expected = model(ids)
    for end, logits in zip(ends, extend_in_chunks(model, ids, ends), strict=True):
        assert_close(logits, expected[:, end - 1])


def test_greedy_generation_is_that_of_the_whole_sequence() -> None:
    """The first step takes the prompt's argmax, at the position after the prompt."""
    model, prompt = decoder(), tokens(2, 16)
    cache = model.new_cache(2, 16 + 8)
    whole, logits = prompt, model.extend(prompt, cache, 0)
    for position in range(16, 24):
        with torch.no_grad():
            expected = model(whole, last_only=True)
        assert_close(logits, expected)
        token = logits.argmax(dim=-1, keepdim=True)
        whole = torch.cat((whole, token), dim=1)
        logits = model.extend(token, cache, position)


def test_the_cache_can_be_used_again() -> None:
    """What an earlier, longer sequence left behind is not attended to."""
    model, ids = decoder(), tokens(2, 12)
    cache = model.new_cache(2, 64)
    fresh = model.extend(ids, cache, 0)
    model.extend(tokens(2, 60), cache, 0)
    assert torch.equal(model.extend(ids, cache, 0), fresh)


def test_the_cache_is_written_in_place() -> None:
    model = decoder()
    cache = model.new_cache(2, 8)
    addresses = [tensor.data_ptr() for pair in cache for tensor in pair]
    model.extend(tokens(2, 5), cache, 0)
    assert [tensor.data_ptr() for pair in cache for tensor in pair] == addresses
    for pair in cache:
        for tensor in pair:
            assert tensor.shape == (2, 2, 8, 16)
            assert tensor[:, :, :5].ne(0).all()
            assert tensor[:, :, 5:].eq(0).all()


def test_no_room_is_an_error() -> None:
    model = decoder()
    with pytest.raises(ValueError, match="the cache holds 4 positions, 5 are needed"):
        model.extend(tokens(1, 5), model.new_cache(1, 4), 0)
    with pytest.raises(ValueError, match="the model ends at 4095"):
        model.extend(tokens(1, 1), model.new_cache(1, 5000), 4096)


def test_the_model_is_a_cached_decoder() -> None:
    assert isinstance(decoder(), CachedDecoder)
