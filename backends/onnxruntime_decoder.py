"""The timed steps of a decoder whose key/value cache goes in and out of its graph; the cache never leaves the device.

Shape suffixes: B batch, S new positions, P positions before them, K key/value heads, D head width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from backends.onnx_flat_cache import INPUT_NAME, LOGITS_NAME, PAST, PRESENT, TOKEN_NAME
from backends.onnxruntime_memory import allocate, bind_part, dtype_of, graph_run_options, put

Arrays = Mapping[str, np.ndarray]


class CacheShape(NamedTuple):
    """The cache as the graph describes it.

    Attributes:
        past: names of the inputs, key and value of each layer in turn.
        present: names of the outputs, in the same order.
        batch: B.
        heads: K.
        width: D.
        dtype: of all of them.
    """

    past: tuple[str, ...]
    present: tuple[str, ...]
    batch: int
    heads: int
    width: int
    dtype: type[np.generic]

    def tensor(self, length: int) -> list[int]:
        """[B, K, length, D]."""
        return [self.batch, self.heads, length, self.width]


def has_cache(session: Any) -> bool:
    """Whether the session's graph takes a cache."""
    return any(x.name.startswith(PAST) for x in session.get_inputs())


def cache_shape(session: Any) -> CacheShape:
    """Read from the inputs and outputs of a session."""
    past = [x for x in session.get_inputs() if x.name.startswith(PAST)]
    batch, heads, _, width = past[0].shape
    present = [x.name for x in session.get_outputs() if x.name.startswith(PRESENT)]
    return CacheShape(tuple(x.name for x in past), tuple(present), batch, heads, width, dtype_of(past[0]))


def decoder_feeds(session: Any, phase: str, prompt: Arrays) -> Arrays:
    """The inputs of one run, for the profiler: an empty cache, or one of the prompt's length and seeded values."""
    cache, ids_BS = cache_shape(session), prompt[INPUT_NAME]
    if phase == "prefill":
        return {INPUT_NAME: ids_BS, **{name: np.zeros(cache.tensor(0), cache.dtype) for name in cache.past}}
    rng = np.random.default_rng(0)
    values = rng.standard_normal(cache.tensor(ids_BS.shape[1])).astype(cache.dtype)
    return {INPUT_NAME: np.ascontiguousarray(ids_BS[:, -1:]), **dict.fromkeys(cache.past, values)}


class DecoderStep:
    """What both phases have in common: outputs in memory that is allocated once.

    Args:
        session: a session on the graph.
        facts: what is known about it.
        memory: where the provider keeps its tensors (``cpu``, ``cuda``, ...).
    """

    def __init__(self, session: Any, facts: dict[str, object], memory: str) -> None:
        self.facts: Mapping[str, object] = {**facts, "bound_memory": memory}
        self._bindings: list[Any] = []
        self._options: list[Any] = []
        self._session, self._memory = session, memory
        self._cache = cache_shape(session)
        (described,) = [x for x in session.get_outputs() if x.name == LOGITS_NAME]
        self._logits_BV = allocate(described.shape, dtype_of(described), memory)

    def run(self, i: int) -> None:
        """One prompt, or one token; done when it returns."""
        k = i % len(self._bindings)
        self._session.run_with_iobinding(self._bindings[k], self._options[k])

    def sync(self) -> None:
        """Nothing is outstanding: ONNX Runtime waits for the device at the end of every run."""

    def outputs(self) -> Mapping[str, np.ndarray]:
        """``logits`` [B, V] of the last run, in float32."""
        return {"logits": np.array(self._logits_BV.numpy(), dtype=np.float32)}

    def timer(self) -> None:
        """ONNX Runtime offers no events of devices."""
        return

    def _buffers(self, length: int) -> list[Any]:
        cache = self._cache
        return [allocate(cache.tensor(length), cache.dtype, self._memory) for _ in cache.past]

    def _binding(self, ids: Any, past: Sequence[Any], before: int, present: Sequence[Any], token: Any) -> Any:
        """A binding of one run over the first ``before`` positions of ``past``; ``ids`` and ``token`` whole."""
        cache, binding = self._cache, self._session.io_binding()
        binding.bind_ortvalue_input(INPUT_NAME, ids)
        binding.bind_ortvalue_output(LOGITS_NAME, self._logits_BV)
        binding.bind_ortvalue_output(TOKEN_NAME, token)
        after = before + ids.shape()[1]
        for name, buffer in zip(cache.past, past, strict=True):
            bind_part(binding.bind_input, name, buffer, cache.tensor(before), cache.dtype, self._memory)
        for name, buffer in zip(cache.present, present, strict=True):
            bind_part(binding.bind_output, name, buffer, cache.tensor(after), cache.dtype, self._memory)
        return binding


class PrefillStep(DecoderStep):
    """A prompt over an empty cache: logits and greedy token after it, and its keys and values.

    Args:
        session: a session on the graph.
        batches: the prompts, in rotation.
        facts: what is known about it.
        memory: where the provider keeps its tensors.
        captured: runs are captured and replayed by the device.
    """

    def __init__(
        self, session: Any, batches: Sequence[Arrays], facts: dict[str, object], memory: str, captured: bool = False
    ) -> None:
        super().__init__(session, facts, memory)
        self._prompts = [put(batch[INPUT_NAME], memory) for batch in batches]
        batch, length = self._prompts[0].shape()
        self.present = self._buffers(length)
        self._empty = self._buffers(0)
        self.token_B1 = allocate([batch, 1], np.int64, memory)
        self._bindings = [self._binding(ids, self._empty, 0, self.present, self.token_B1) for ids in self._prompts]
        self._options = graph_run_options(len(self._bindings), captured)


class DecodeStep(DecoderStep):
    """One token for every sequence, greedily; cycles as those of ``backends.torch_decode.DecodeStep``.

    A cycle is ``new_tokens`` steps after one prompt, whose cache is computed once and never written again. Each
    step reads the cache that the one before wrote, and writes the longer one into the other of two buffers. All is
    bound beforehand, so that nothing but the run is timed.

    Args:
        session: a session on the graph.
        prompt: ``input_ids`` [B, P].
        new_tokens: steps in a cycle.
        facts: what is known about it.
        memory: where the provider keeps its tensors.
        captured: runs are captured and replayed by the device.
    """

    def __init__(
        self,
        session: Any,
        prompt: Arrays,
        new_tokens: int,
        facts: dict[str, object],
        memory: str,
        captured: bool = False,
    ) -> None:
        ids_BP = prompt[INPUT_NAME]
        length = ids_BP.shape[1]
        own = {
            "input_rotation": "one prompt; tokens are greedy, each cycle starts from the prompt's last token",
            "prompt_tokens": length,
            "new_tokens": new_tokens,
        }
        super().__init__(session, {**facts, **own}, memory)
        prefill = PrefillStep(session, [prompt], facts, memory, captured)
        prefill.run(0)
        self._prompt_cache = prefill.present
        self._first_B1 = put(ids_BP[:, -1:], memory)
        self._buffer_pair = [self._buffers(length + new_tokens) for _ in range(2)]
        self._token_pair = [allocate([ids_BP.shape[0], 1], np.int64, memory) for _ in range(2)]
        self._bindings = [self._bind_step(k, length) for k in range(new_tokens)]
        # The prompt was captured, if at all, as graph 0; the steps' graphs must not be that one.
        self._options = graph_run_options(new_tokens + 1, captured)[1:]

    def _bind_step(self, k: int, length: int) -> Any:
        ids = self._token_pair[(k - 1) % 2] if k else self._first_B1
        past = self._buffer_pair[(k - 1) % 2] if k else self._prompt_cache
        return self._binding(ids, past, length + k, self._buffer_pair[k % 2], self._token_pair[k % 2])
