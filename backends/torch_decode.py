"""The timed step of token generation with a key/value cache.

Shape suffixes: B batch, S prompt length, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch

from backends.torch_facts import ProductTrace
from backends.torch_flags import set_inference_mode
from backends.torch_steps import Setup, TorchStep


class DecodeStep(TorchStep):
    """One token for every sequence, greedily, the next step's input staying on the device.

    A cycle is ``new_tokens`` steps after one prompt, whose keys and values are computed once and
    never overwritten. The first input of a cycle is the prompt's last token once more, and not
    the prompt's own continuation: rounding can turn a close call there, and then two precisions
    would be compared on different inputs.
    """

    def __init__(self, setup: Setup, new_tokens: int) -> None:
        super().__init__(setup)
        self._new_tokens = new_tokens
        prompt_BS = setup.batches[0]["input_ids"]
        self._prompt_length = prompt_BS.shape[1]
        model: Any = setup.model  # a CachedDecoder
        self._extend = model.extend
        self._first_B1 = prompt_BS[:, -1:].contiguous()
        self._token_B1 = self._first_B1
        with torch.no_grad():  # tensors born in inference mode cannot be written outside it
            self._cache = model.new_cache(prompt_BS.shape[0], self._prompt_length + new_tokens)
            self._extend(prompt_BS, self._cache, 0)

    def trace(self) -> ProductTrace:
        """See ``TorchStep``. The position it writes is written again by step 0."""
        trace = ProductTrace(self._setup.place.type)
        with torch.no_grad(), trace:
            self._extend(self._first_B1, self._cache, self._prompt_length)
        return trace

    def start(self) -> None:
        """See ``TorchStep``."""
        set_inference_mode(True)

    def run(self, i: int) -> None:
        """See ``Step``."""
        k = i % self._new_tokens
        token_B1 = self._token_B1 if k else self._first_B1
        logits_BV = self._extend(token_B1, self._cache, self._prompt_length + k)
        self._token_B1 = logits_BV.argmax(-1, keepdim=True)
        self._last = logits_BV

    def _own_facts(self) -> dict[str, object]:
        return {
            "input_rotation": "one prompt; tokens are greedy, each cycle starts from the prompt's last token",
            "prompt_tokens": self._prompt_length,
            "new_tokens": self._new_tokens,
        }
