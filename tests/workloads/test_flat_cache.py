"""The decoder as a function of its cache computes what the decoder with memory computes."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from workloads.base import ExportsCache  # noqa: E402
from workloads.llm_decoder import LlmDecoder  # noqa: E402

SHAPE = {"sequence_length": 8, "prompt_tokens": 12, "new_tokens": 4}


def decoder(**changes):
    import msgspec

    from workloads.initialization import build_seeded
    from workloads.llm_decoder_model import LlmDecoderModel

    config = msgspec.structs.replace(LlmDecoder().config("tiny"), **changes)
    return build_seeded(lambda: LlmDecoderModel(config), torch.Generator().manual_seed(5))


def empty(model, batch_size):
    return [x for pair in model.new_cache(batch_size, 0) for x in pair]


@pytest.mark.parametrize("num_kv_heads", [1, 2, 4])
@pytest.mark.parametrize("pieces", [(12,), (1,) * 12, (7, 5), (1, 11), (11, 1)])
def test_in_pieces_of_any_length_it_is_extend(num_kv_heads, pieces):
    model = decoder(num_kv_heads=num_kv_heads)
    assert isinstance(model, ExportsCache)
    flat = model.with_flat_cache()
    ids_BS = LlmDecoder().batch("tiny", "prefill", 3, SHAPE, 1)["input_ids"]
    kept, past, position = model.new_cache(3, 12), empty(model, 3), 0
    for length in pieces:
        piece_BS = ids_BS[:, position : position + length]
        want_BV = model.extend(piece_BS, kept, position)
        with torch.no_grad():
            got_BV, token_B1, *past = flat(piece_BS, past)
        torch.testing.assert_close(got_BV, want_BV, rtol=1e-4, atol=1e-5)
        assert (token_B1 == got_BV.argmax(-1, keepdim=True)).all()
        position += length
    for got, want in zip(past, [x for pair in kept for x in pair], strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


def test_a_later_token_changes_nothing_before_it():
    """The mask: were it missing, the last token would reach the keys of the second layer's first positions."""
    model = decoder()
    flat = model.with_flat_cache()
    ids_BS = LlmDecoder().batch("tiny", "prefill", 1, SHAPE, 1)["input_ids"]
    other_BS = ids_BS.clone()
    other_BS[:, -1] = (other_BS[:, -1] + 1) % 512
    with torch.no_grad():
        one, other = flat(ids_BS, empty(model, 1)), flat(other_BS, empty(model, 1))
    for a, b in zip(one[2:], other[2:], strict=True):
        assert torch.equal(a[:, :, :-1], b[:, :, :-1])
        assert not torch.equal(a[:, :, -1], b[:, :, -1])


def test_low_precision_keeps_its_dtype():
    model = decoder().to(torch.bfloat16)
    ids_BS = LlmDecoder().batch("tiny", "prefill", 2, SHAPE, 1)["input_ids"]
    with torch.no_grad():
        logits, _, *present = model.with_flat_cache()(ids_BS, empty(model, 2))
    assert {x.dtype for x in (logits, *present)} == {torch.bfloat16}
