"""Prompts and token generation in ONNX: one graph whose key/value cache goes in and out."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import numpy as np
import pytest

pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

from backends import torch_reference  # noqa: E402
from backends.onnx_export import exported_model  # noqa: E402
from backends.onnx_flat_cache import cache_names  # noqa: E402
from backends.onnx_quantize import quantized_model  # noqa: E402
from backends.onnxruntime_decoder import DecodeStep, PrefillStep  # noqa: E402
from harness.numerics import judge  # noqa: E402
from results.records import CaseSpec  # noqa: E402
from workloads.llm_decoder import LlmDecoder  # noqa: E402

WORKLOAD = LlmDecoder()
NEW_TOKENS = 6


def decoder_case(phase: Any, precision: Any = "fp32", batch_size: int = 2, prompt: int = 9, seed: int = 0) -> CaseSpec:
    return CaseSpec(
        workload="llm-decoder", workload_version=1, phase=phase, preset="tiny", precision=precision,
        batch_size=batch_size, shape={"sequence_length": 8, "prompt_tokens": prompt, "new_tokens": NEW_TOKENS},
        backend="onnxruntime", device="cpu", seed=seed,
    )  # fmt: skip


def run_steps(step: Any, numbers: range) -> list[np.ndarray]:
    logits = []
    for i in numbers:
        step.run(i)
        step.sync()
        logits.append(step.outputs()["logits"])
    return logits


def torch_logits(case: CaseSpec, num_steps: int) -> np.ndarray:
    return torch_reference.reference_outputs(WORKLOAD, case, "cpu", num_steps)["logits"]


@pytest.mark.parametrize(("batch_size", "prompt", "seed"), [(1, 1, 0), (2, 9, 1), (3, 33, 2)])
def test_greedy_tokens_are_those_of_torch_over_two_cycles(backend, cpu, cache, batch_size, prompt, seed):
    case = decoder_case("decode", batch_size=batch_size, prompt=prompt, seed=seed)
    step = backend.prepare(WORKLOAD, case, cpu)
    assert isinstance(step, DecodeStep)
    got = run_steps(step, range(2 * NEW_TOKENS))
    want = torch_logits(case, NEW_TOKENS)
    assert len(want) * batch_size >= NEW_TOKENS
    for i, logits in enumerate(want):
        np.testing.assert_allclose(got[i], logits, rtol=1e-3, atol=1e-4)
        assert (got[i].argmax(-1) == logits.argmax(-1)).all()
    for first, second in zip(got[:NEW_TOKENS], got[NEW_TOKENS:], strict=True):
        assert (first == second).all(), "a cycle begins anew"
    assert any((a.argmax(-1) != b.argmax(-1)).any() for a, b in itertools.pairwise(got)), "tokens go on"
    assert step.facts["new_tokens"] == NEW_TOKENS
    assert step.facts["prompt_tokens"] == prompt


def test_prompts_rotate_and_their_cache_is_that_of_one_token_at_a_time(backend, cpu, cache):
    case = decoder_case("prefill")
    step = backend.prepare(WORKLOAD, case, cpu)
    assert isinstance(step, PrefillStep)
    for i, want in enumerate(torch_logits(case, 4)):
        (got,) = run_steps(step, range(i, i + 1))
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)
        assert (step.token_B1.numpy() == got.argmax(-1)[:, None]).all()
    prompt = WORKLOAD.batch("tiny", "prefill", 2, case.shape, case.seed + 4)["input_ids"].numpy()
    with exported_model(WORKLOAD, case) as entry:
        session = step._session.__class__(str(entry.model_path), providers=["CPUExecutionProvider"])
    names = cache_names("past_key_values.", 4)
    past = [np.zeros((2, 2, 0, 16), np.float32)] * 4
    for position in range(prompt.shape[1]):
        feeds = {"input_ids": prompt[:, position : position + 1], **dict(zip(names, past, strict=True))}
        _, _, *past = session.run(None, feeds)
    for kept, want in zip(step.present, past, strict=True):
        np.testing.assert_allclose(kept.numpy(), want, rtol=1e-4, atol=1e-5)


def test_one_export_serves_both_phases_and_all_lengths(cache):
    with exported_model(WORKLOAD, decoder_case("prefill", seed=7)) as first:
        assert not first.cached
    for case in (decoder_case("decode", seed=7), decoder_case("prefill", prompt=20, seed=7)):
        with exported_model(WORKLOAD, case) as again:
            assert again.cached
            assert again.folder == first.folder
    with exported_model(WORKLOAD, decoder_case("decode", batch_size=1, seed=7)) as other:
        assert other.folder != first.folder


def test_a_timed_step_writes_where_the_last_cycle_wrote(backend, cpu, cache):
    """The prompt's cache is never written; the longer ones alternate between two buffers."""
    step = backend.prepare(WORKLOAD, decoder_case("decode"), cpu)
    prompt_cache = [x.numpy().copy() for x in step._prompt_cache]
    places = [x.data_ptr() for pair in step._buffer_pair for x in pair]
    run_steps(step, range(2 * NEW_TOKENS))
    assert [x.data_ptr() for pair in step._buffer_pair for x in pair] == places
    assert len(set(places)) == 2 * len(prompt_cache)
    for before, after in zip(prompt_cache, step._prompt_cache, strict=True):
        assert (before == after.numpy()).all()
    length = step.facts["prompt_tokens"] + NEW_TOKENS - 1
    last, before_last = step._buffer_pair[(NEW_TOKENS - 1) % 2], step._buffer_pair[NEW_TOKENS % 2]
    for longer, shorter in zip(last, before_last, strict=True):  # [B, K, T, D] at the beginning of each
        a = longer.numpy().ravel()[: 2 * 2 * (length + 1) * 16].reshape(2, 2, length + 1, 16)
        b = shorter.numpy().ravel()[: 2 * 2 * length * 16].reshape(2, 2, length, 16)
        assert (a[:, :, :length] == b).all()


@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_lower_precisions_pass_the_gate(backend, cpu, cache, phase, precision):
    case = decoder_case(phase, precision)
    step = backend.prepare(WORKLOAD, case, cpu)
    reference = ("torch", {"logits": torch_logits(case, 4)})
    outputs = [{"logits": x} for x in run_steps(step, range(4))]
    verdict = judge(case, outputs, reference, True)
    assert verdict.verdict == "pass", verdict
    distance = float(np.abs(outputs[0]["logits"] - reference[1]["logits"][0]).max())
    assert distance > 1e-5, "it was computed in less"
    if precision == "int8":
        assert step.facts["quantized_nodes"] == step.facts["eligible_nodes"] == 19
        assert step.facts["precision_honoured"] is True
        scored = set(range(case.seed + 1, case.seed + 5))
        assert not scored & set(step.facts["calibration_seeds"])


def test_the_quantized_graph_does_not_hang_on_the_case_that_came_first(tmp_path, monkeypatch):
    """It serves prompts of all lengths and both phases, so whichever is measured first must not set its ranges."""
    graphs = []
    for name, case in (("a", decoder_case("prefill", "int8", prompt=40)), ("b", decoder_case("decode", "int8"))):
        monkeypatch.setenv("CHIPMARK_CACHE", str(tmp_path / name))
        with quantized_model(WORKLOAD, case, "U8S8") as entry:
            graphs.append(entry.model_path.read_bytes())
            assert entry.info["calibration_shape"] == LlmDecoder.spec.presets["tiny"].shape
    assert graphs[0] == graphs[1]


def test_a_decoder_that_keeps_its_cache_to_itself_is_unsupported(backend, cpu, cache):
    class Closed(LlmDecoder):
        spec = msgspec.structs.replace(LlmDecoder.spec, exports_cache=False)

    found = backend.supports(Closed(), decoder_case("decode"), cpu)
    assert found.level == "unsupported"
    assert found.reason == "the model of llm-decoder does not offer its key/value cache as inputs of a graph"
    assert backend.supports(WORKLOAD, decoder_case("decode"), cpu).level == "native"


class Recording:
    """A session that keeps the names of the captured graphs it was run with."""

    def __init__(self, session: Any) -> None:
        self._session, self.graphs = session, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run_with_iobinding(self, binding: Any, options: Any = None) -> None:
        self.graphs.append(options.get_run_config_entry("gpu_graph_id") if options else None)
        self._session.run_with_iobinding(binding, options)


@pytest.mark.parametrize(("captured", "want"), [(False, [None] * 8), (True, ["0", "1", "2", "3", "4", "5", "6", "1"])])
def test_where_runs_are_captured_each_binding_has_a_graph_of_its_own(backend, cpu, cache, captured, want):
    """Else all would be replayed with the first one's addresses."""
    step = backend.prepare(WORKLOAD, decoder_case("decode"), cpu)
    session = Recording(step._session)
    prompt = {"input_ids": WORKLOAD.batch("tiny", "decode", 2, decoder_case("decode").shape, 1)["input_ids"].numpy()}
    again = DecodeStep(session, prompt, NEW_TOKENS, {}, "cpu", captured)
    run_steps(again, range(NEW_TOKENS + 1))
    assert session.graphs == want
