"""Real runs on the CPU: every phase in every precision, and what the facts say about them."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from backends import torch_steps
from backends.base import GATE_STEPS, NUM_ROTATING_BATCHES, Step
from results.errors import ChipmarkError
from tests.backends.torch.toy_workloads import (
    NUM_CLASSES,
    VOCABULARY,
    WIDTH,
    ToyConv,
    ToyDecoder,
    ToyMlp,
    ToyOddWidths,
    make_case,
)  # fmt: skip

TOLERANCE = {"fp32": 1e-6, "fp16": 5e-3, "bf16": 4e-2, "int8": 8e-2, "fp8": 5e-2}


def run_gate(step, phase):
    outputs = []
    for i in range(GATE_STEPS[phase]):
        step.run(i)
        step.sync()
        outputs.append(step.outputs())
    return {name: np.stack([output[name] for output in outputs]) for name in outputs[0]}


def relative_error(got, want):
    return np.linalg.norm(got - want) / np.linalg.norm(want)


# Where the CPU has VNNI, torchao shifts the activations to unsigned, as those instructions want them.
INT8 = "uint8" if torch.cpu._is_vnni_supported() else "int8"
CELLS = [
    (ToyMlp, "infer", "fp32", {"addmm": {"float32": 1}, "mm": {"float32": 1}}),
    (ToyMlp, "infer", "bf16", {"addmm": {"bfloat16": 1}, "mm": {"bfloat16": 1}}),
    (ToyMlp, "infer", "fp16", {"addmm": {"float16": 1}, "mm": {"float16": 1}}),
    (ToyMlp, "infer", "int8", {"_int_mm": {INT8: 2}}),
    # Backward: two products for the second layer, one for the first (its input needs no gradient).
    (ToyMlp, "train", "fp32", {"addmm": {"float32": 1}, "mm": {"float32": 4}}),
    (ToyMlp, "train", "bf16", {"addmm": {"bfloat16": 1}, "mm": {"bfloat16": 4}}),
    (ToyMlp, "train", "fp16", {"addmm": {"float16": 1}, "mm": {"float16": 4}}),
    (ToyConv, "infer", "bf16", {"addmm": {"bfloat16": 1}, "convolution": {"bfloat16": 2}}),
    (ToyDecoder, "prefill", "bf16", None),
    (ToyDecoder, "prefill", "int8", None),
    (ToyDecoder, "decode", "fp32", None),
    (ToyDecoder, "decode", "fp16", None),
    (ToyDecoder, "decode", "int8", None),
]


@pytest.mark.parametrize(("toy", "phase", "precision", "products"), CELLS)
def test_runs_in_the_precision_asked_for_and_stays_near_fp32(backend, cpu, toy, phase, precision, products):
    workload = toy()
    case = make_case(workload, phase, precision)
    assert backend.supports(workload, case, cpu).level in ("native", "emulated")
    fp32 = make_case(workload, phase, "fp32", channels_last=False, seed=case.seed)
    expected = run_gate(backend.prepare(workload, fp32, cpu), phase)
    step = backend.prepare(workload, case, cpu)
    assert isinstance(step, Step)
    got = run_gate(step, phase)
    for name, want in expected.items():
        assert got[name].dtype == np.float32
        assert relative_error(got[name], want) <= TOLERANCE[precision]
        if precision != "fp32":
            assert not np.array_equal(got[name], want)
    facts = step.facts
    if products is not None:
        assert facts["matmul_dtypes"] == products
    assert facts["precision_honoured"] is True
    if products is not None:
        assert facts["precision_executed"] == precision


def test_fp8_training_multiplies_in_fp8(backend, cpu):
    workload = ToyMlp()
    case = make_case(workload, "train", "fp8")
    assert backend.supports(workload, case, cpu).level == "emulated"
    step = backend.prepare(workload, case, cpu)
    losses = run_gate(step, "train")["loss"]
    text, expected = backend.reference(workload, case, cpu)
    assert text == "torch eager fp32 on cpu"
    assert relative_error(losses, expected["loss"]) <= TOLERANCE["fp8"]
    scaled = step.facts["matmul_dtypes"]["_scaled_mm"]
    assert scaled == {"float8_e4m3fn": 2, "float8_e5m2": 4}
    assert step.facts["precision_executed"] == "fp8"
    assert (step.facts["num_converted_layers"], step.facts["num_skipped_layers"]) == (2, 0)


def test_layers_fp8_cannot_take_are_counted_and_not_called_fp8(backend, cpu, flags):
    flags("avx2")  # so that what is left runs in FP32 on every machine
    step = backend.prepare(ToyOddWidths(), make_case(ToyOddWidths(), "train", "fp8"), cpu)
    assert step.facts["num_skipped_layers"] == 2
    assert step.facts["precision_honoured"] is False
    assert "fp32 100.00%" in step.facts["precision_evidence"]


@pytest.mark.parametrize("toy", [ToyMlp, ToyConv])
def test_prepare_leaves_the_state_pristine(backend, cpu, toy):
    """Dropout draws, batch norm statistics, weights: as if nothing had been traced."""
    workload = toy()
    case = make_case(workload, "train", seed=11)
    got = run_gate(backend.prepare(workload, case, cpu), "train")["loss"]
    torch.manual_seed(11)
    model = workload.model("tiny", 11).train()
    if toy is ToyMlp:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9, fused=True)
    want = []
    for i in range(GATE_STEPS["train"]):
        optimizer.zero_grad()
        loss = workload.loss(model, workload.batch("tiny", "train", 4, {}, 11 + 1 + i % NUM_ROTATING_BATCHES))
        loss.backward()
        optimizer.step()
        want.append(loss.item())
    np.testing.assert_array_equal(got, np.array(want, np.float32))


def test_prepare_leaves_batch_norm_statistics_alone(backend, cpu):
    step = backend.prepare(ToyConv(), make_case(ToyConv(), "train"), cpu)
    norm = step._setup.model.layers[1]
    assert torch.equal(norm.running_mean, torch.zeros(8))
    assert norm.num_batches_tracked == 0
    assert all(parameter.grad is None for parameter in step._setup.model.parameters())


def test_training_repeats_bit_for_bit_and_matches_the_reference(backend, cpu):
    from backends.torch_reference import reference_outputs

    workload, case = ToyMlp(), make_case(ToyMlp(), "train")
    first = run_gate(backend.prepare(workload, case, cpu), "train")["loss"]
    torch.rand(7)
    second = run_gate(backend.prepare(workload, case, cpu), "train")["loss"]
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, reference_outputs(workload, case, "cpu")["loss"])
    other = run_gate(backend.prepare(workload, make_case(workload, "train", seed=4), cpu), "train")["loss"]
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("toy", [ToyMlp, ToyConv])
def test_loss_scaling_survives_an_overflow(backend, cpu, monkeypatch, toy):
    """A step whose gradients overflow is skipped, the scale halves, and training goes on finite."""
    workload = toy()
    monkeypatch.setattr(torch_steps, "INITIAL_LOSS_SCALE", 2.0**24)  # any real gradient overflows FP16
    step = backend.prepare(workload, make_case(workload, "train", "fp16"), cpu)
    losses = []
    for i in range(16):
        step.run(i)
        losses.append(step.outputs()["loss"])
    assert np.isfinite(losses).all()
    assert step.facts["grad_scaler_scale"] < 2.0**24
    assert all(torch.isfinite(parameter).all() for parameter in step._setup.model.parameters())
    assert not np.array_equal(losses[0::4], np.repeat(losses[:1], 4, 0))  # it did learn


@pytest.mark.parametrize(
    ("toy", "phase", "shape"), [(ToyMlp, "infer", (4, NUM_CLASSES)), (ToyDecoder, "prefill", (4, VOCABULARY))]
)
def test_inputs_rotate_over_four_batches(backend, cpu, toy, phase, shape):
    workload = toy()
    step = backend.prepare(workload, make_case(workload, phase), cpu)
    logits = []
    for i in range(8):
        step.run(i)
        logits.append(step.outputs()["logits"])
    assert logits[0].shape == shape
    assert len({array.tobytes() for array in logits}) == 4
    np.testing.assert_array_equal(logits[:4], logits[4:])


def test_decode_is_greedy_and_every_cycle_starts_anew(backend, cpu):
    workload = ToyDecoder()
    case = make_case(workload, "decode")
    prompt = workload.batch("tiny", "decode", 4, case.shape, case.seed + 1)["input_ids"]
    ids = torch.cat((prompt, prompt[:, -1:]), dim=1)
    model, want = workload.model("tiny", case.seed), []
    for _ in range(4):  # no cache kept: the whole sequence, each time
        want.append(model(ids).numpy())
        ids = torch.cat((ids, model(ids).argmax(-1, keepdim=True)), dim=1)
    step = backend.prepare(workload, case, cpu)
    step._setup.model.positions_seen.clear()
    got = []
    for i in range(12):
        step.run(i)
        got.append(step.outputs()["logits"])
    assert step._setup.model.positions_seen == [6, 7, 8, 9] * 3
    assert got[0].shape == (4, VOCABULARY)
    for cycle in range(3):
        np.testing.assert_allclose(got[4 * cycle : 4 * cycle + 4], want, rtol=1e-4, atol=1e-6)
    assert [g.argmax(-1).tolist() for g in got[:4]] == [w.argmax(-1).tolist() for w in want]
    assert len({g.tobytes() for g in got[:4]}) == 4


def test_prefill_gives_what_the_model_gives_without_a_cache(backend, cpu):
    workload = ToyDecoder()
    case = make_case(workload, "prefill")
    step = backend.prepare(workload, case, cpu)
    for i in range(5):
        step.run(i)
    ids = workload.batch("tiny", "prefill", 4, case.shape, case.seed + 1)["input_ids"]  # 4 % 4 == 0
    want = workload.model("tiny", case.seed)(ids).numpy()
    np.testing.assert_allclose(step.outputs()["logits"], want, rtol=1e-5, atol=1e-7)


def test_facts_tell_the_settings(backend, cpu):
    workload = ToyMlp()
    step = backend.prepare(workload, make_case(workload, "train", "bf16", threads=2), cpu)
    facts = step.facts
    assert msgspec.json.decode(msgspec.json.encode(dict(facts))) == facts
    assert facts["threads"] == torch.get_num_threads() == 2
    assert facts["compiled"] is False
    assert facts["tf32"] is False
    assert facts["float32_matmul_precision"] == "highest"
    assert facts["parameter_dtypes"] == {"float32": WIDTH * WIDTH + WIDTH + WIDTH * NUM_CLASSES}
    assert facts["num_parameters"] == sum(facts["parameter_dtypes"].values())
    assert (facts["optimizer"], facts["optimizer_fused"]) == ("AdamW", True)
    assert facts["autocast_dtype"] == "bfloat16"
    assert facts["grad_scaler_scale"] is None
    assert "peak_memory_bytes" not in facts  # the CPU allocator does not count
    assert step.timer() is None
    fp16 = backend.prepare(workload, make_case(workload, "infer", "fp16"), cpu).facts
    assert set(fp16["parameter_dtypes"]) == {"float16"}


def test_channels_last_moves_weights_and_images(backend, cpu):
    workload = ToyConv()
    step = backend.prepare(workload, make_case(workload, "infer", channels_last=True), cpu)
    plain = backend.prepare(workload, make_case(workload, "infer"), cpu)
    assert step._batches[0]["x"].is_contiguous(memory_format=torch.channels_last)
    assert step._setup.model.layers[3].weight.is_contiguous(memory_format=torch.channels_last)
    for prepared in (step, plain):
        prepared.run(0)
    assert relative_error(step.outputs()["logits"], plain.outputs()["logits"]) < 1e-5


# torch.compile loads parts of torch that still use its deprecated TorchScript decorators
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
def test_compiled_inference_gives_the_eager_result(backend, cpu):
    workload = ToyMlp()
    case = make_case(workload, "infer", compile=True)
    step = backend.prepare(workload, case, cpu)
    text, expected = backend.reference(workload, case, cpu)
    got = run_gate(step, "infer")["logits"]
    assert text == "torch eager fp32 on cpu"
    assert relative_error(got, expected["logits"]) < 1e-5
    assert step.facts["compiled"] is True
    assert type(step._forward).__name__ == "OptimizedModule"


def test_outputs_before_the_first_run_are_an_error(backend, cpu):
    step = backend.prepare(ToyMlp(), make_case(ToyMlp(), "infer"), cpu)
    with pytest.raises(RuntimeError, match="before run"):
        step.outputs()


def test_a_conversion_that_fails_in_prepare_says_what_to_do(backend, cpu):
    with pytest.raises(ChipmarkError, match="choose another precision"):
        backend.prepare(ToyMlp(), make_case(ToyMlp(), "infer", "fp8"), cpu)


@pytest.mark.parametrize("tf32", [False, True])
def test_tf32_is_off_unless_asked_for_whatever_was_set_before(backend, cpu, tf32):
    torch.set_float32_matmul_precision("medium" if tf32 else "high")
    torch.backends.cudnn.allow_tf32 = not tf32
    options = {"tf32": True} if tf32 else {}
    backend.prepare(ToyMlp(), make_case(ToyMlp(), "infer", **options), cpu)
    assert torch.get_float32_matmul_precision() == ("high" if tf32 else "highest")
    assert torch.backends.cudnn.allow_tf32 is tf32
