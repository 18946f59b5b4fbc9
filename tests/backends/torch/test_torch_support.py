"""What is said to be possible, on this CPU and (by the rules alone) on devices that are not here."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest
import torch

from backends import torch_precision, torch_quantization, torch_support
from backends.torch_backend import KNOWN_OPTIONS, check_options
from backends.torch_precision import carrier_dtype, nativeness
from results.errors import UsageError
from results.records import Device
from tests.backends.torch.test_torch_steps import INT8
from tests.backends.torch.toy_workloads import (
    ToyConv,
    ToyDecoder,
    ToyMlp,
    ToyOddWidths,
    make_case,
)  # fmt: skip


def fake_device(kind, device_id):
    return Device(id=device_id, backend="torch", kind=kind, name=f"a {kind}")


@pytest.mark.parametrize(
    ("toy", "phase", "precision", "level", "reason"),
    [
        (ToyMlp, "train", "fp32", "native", ""),
        (ToyMlp, "train", "bf16", "emulated", "no bf16 multiplication unit"),
        (ToyMlp, "infer", "fp16", "emulated", "no fp16 multiplication unit"),
        (ToyMlp, "infer", "int8", "emulated", "no int8 multiplication unit"),
        (ToyMlp, "train", "int8", "unsupported", "no standard recipe"),
        (ToyMlp, "train", "fp8", "emulated", "no CPU is known to have it"),
        (ToyMlp, "infer", "fp8", "unsupported", "torchao refuses: AssertionError"),
        (ToyMlp, "decode", "fp32", "unsupported", "no decode phase"),
        (ToyConv, "infer", "int8", "unsupported", "1 of this model's 3 layers"),
        (ToyConv, "train", "fp8", "unsupported", "converts nn.Linear only"),
        (ToyDecoder, "decode", "int8", "emulated", "no int8 multiplication unit"),
    ],
)
def test_the_table_of_a_cpu_without_units(backend, cpu, flags, toy, phase, precision, level, reason):
    flags("avx2")
    support = backend.supports(toy(), make_case(toy(), phase, precision), cpu)
    assert support.level == level
    assert reason in support.reason
    assert bool(support.reason) == (level != "native")
    if level != "unsupported":
        assert "relative error" in support.evidence["probe"]


@pytest.mark.parametrize(
    ("precision", "flag"),
    [("bf16", "avx512_bf16"), ("bf16", "amx_bf16"), ("fp16", "avx512_fp16"), ("int8", "avx512_vnni"),
     ("int8", "i8mm"), ("bf16", "bf16")],
)  # fmt: skip
def test_a_cpu_with_the_unit_is_native(backend, cpu, flags, precision, flag):
    flags("avx2", flag)
    support = backend.supports(ToyMlp(), make_case(ToyMlp(), "infer", precision), cpu)
    assert support.level == "native"
    assert support.evidence["cpu_flags_found"] == flag


def test_fp8_and_int8_leave_the_rest_in_the_narrowest_native_type(backend, cpu, flags):
    flags("avx2")
    assert carrier_dtype(cpu) is torch.float32
    flags("avx512_fp16")
    assert carrier_dtype(cpu) is torch.float16
    flags("avx512_fp16", "avx512_bf16")
    assert carrier_dtype(cpu) is torch.bfloat16
    step = backend.prepare(ToyMlp(), make_case(ToyMlp(), "infer", "int8"), cpu)
    assert step.facts["parameter_dtypes"].keys() == {"bfloat16"}  # INT8 weights present themselves so
    assert step.facts["matmul_dtypes"] == {"_int_mm": {INT8: 2}}


@pytest.mark.parametrize(
    ("capability", "native"),
    [((6, 1), ""), ((7, 0), "fp16"), ((7, 5), "fp16 int8"), ((8, 6), "fp16 int8 bf16"),
     ((8, 9), "fp16 int8 bf16 fp8"), ((9, 0), "fp16 int8 bf16 fp8"), ((12, 0), "fp16 int8 bf16 fp8")],
)  # fmt: skip
def test_cuda_rules(monkeypatch, capability, native):
    """Rules only: the device's answer is faked, nothing runs."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index=None: capability)
    device = fake_device("cuda", "cuda:0")
    for precision in ("fp16", "bf16", "int8", "fp8"):
        level = nativeness(precision, device)
        assert level.native == (precision in native.split())
        assert level.evidence["compute_capability"] == ".".join(map(str, capability))
        assert bool(level.reason) != level.native


@pytest.mark.parametrize(
    ("architecture", "native"),
    [("gfx906:sramecc+", ""), ("gfx90a:sramecc+:xnack-", "fp16 bf16 int8"), ("gfx1100", "fp16 bf16 int8"),
     ("gfx942:sramecc+:xnack-", "fp16 bf16 int8 fp8"), ("gfx950", "fp16 bf16 int8 fp8"),
     ("gfx1201", "fp16 bf16 int8 fp8"), ("gfx1030", "")],
)  # fmt: skip
def test_rocm_rules(monkeypatch, architecture, native):
    """Rules only: the device's answer is faked, nothing runs."""
    properties = SimpleNamespace(gcnArchName=architecture)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index=None: properties)
    for precision in ("fp16", "bf16", "int8", "fp8"):
        level = nativeness(precision, fake_device("rocm", "cuda:1"))
        assert level.native == (precision in native.split())


@pytest.mark.parametrize("there", [True, False])
def test_xpu_rules(monkeypatch, there):
    """Rules only: the device's answer is faked, nothing runs."""
    answer = {torch_precision.XPU_MATRIX: there, "has_fp16": True}
    monkeypatch.setattr(torch.xpu, "get_device_capability", lambda index=None: answer)
    device = fake_device("xpu", "xpu:0")
    assert [nativeness(p, device).native for p in ("fp16", "bf16", "int8", "fp8")] == [there] * 3 + [False]


def test_a_kind_without_rules_is_never_native():
    level = nativeness("fp16", fake_device("npu", "cpu"))
    assert not level.native
    assert "no evidence" in level.reason


def test_a_product_that_is_wrong_is_unsupported(backend, cpu, monkeypatch):
    right = torch.nn.functional.linear
    monkeypatch.setattr(torch.nn.functional, "linear", lambda *arguments: right(*arguments) * 1.5)
    support = backend.supports(ToyMlp(), make_case(ToyMlp(), "infer", "bf16"), cpu)
    assert support.level == "unsupported"
    assert "off by 50" in support.reason


def test_a_product_that_runs_in_another_type_is_unsupported(backend, cpu, monkeypatch):
    right = torch.nn.functional.linear
    wide = lambda x, w, b=None: right(x.float(), w.float(), b).to(x.dtype)  # noqa: E731
    monkeypatch.setattr(torch.nn.functional, "linear", wide)
    support = backend.supports(ToyMlp(), make_case(ToyMlp(), "infer", "bf16"), cpu)
    assert support.level == "unsupported"
    assert "runs as something else" in support.reason


def test_a_device_that_fails_in_fp32_or_is_full_is_an_error(backend, cpu, monkeypatch):
    def run_out(*arguments):
        raise torch.OutOfMemoryError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.functional, "linear", run_out)
        with pytest.raises(torch.OutOfMemoryError):
            backend.supports(ToyMlp(), make_case(ToyMlp(), "infer", "bf16"), cpu)
    monkeypatch.setattr(torch.nn.functional, "linear", lambda x, w, b=None: torch.zeros(32, 32))
    with pytest.raises(RuntimeError, match="off by 100"):
        backend.supports(ToyMlp(), make_case(ToyMlp(), "infer", "fp32"), cpu)


def test_without_torchao_fp8_and_int8_are_unsupported_with_the_hint(backend, cpu, monkeypatch):
    monkeypatch.setattr(torch_quantization, "missing_reason", lambda: "torchao is missing; pip install torchao")
    monkeypatch.setattr(torch_support, "missing_reason", torch_quantization.missing_reason)
    support = backend.supports(ToyMlp(), make_case(ToyMlp(), "infer", "int8"), cpu)
    assert (support.level, support.reason) == ("unsupported", "torchao is missing; pip install torchao")


def test_options_that_cannot_work_are_unsupported_with_the_reason(backend, cpu):
    def reason(toy, phase, precision="fp32", **options):
        support = backend.supports(toy(), make_case(toy(), phase, precision, **options), cpu)
        assert support.level == "unsupported"
        return support.reason

    assert "position changes every step" in reason(ToyDecoder, "decode", compile=True)
    assert "no evidence that" in reason(ToyMlp, "infer", tf32=True)
    assert "FP32 products only" in reason(ToyMlp, "infer", "bf16", tf32=True)
    assert "no convolutions" in reason(ToyMlp, "infer", channels_last=True)


def test_compile_on_the_cpu_needs_a_compiler(backend, cpu, monkeypatch):
    case = make_case(ToyMlp(), "infer", compile=True)
    monkeypatch.setattr(torch_support.shutil, "which", lambda name: None)
    assert "C++ compiler" in backend.supports(ToyMlp(), case, cpu).reason
    monkeypatch.setattr(torch_support.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert backend.supports(ToyMlp(), case, cpu).level == "native"


def test_tf32_needs_hardware_that_has_it(monkeypatch):
    """Rules only: the device's answer is faked, nothing runs."""
    case, device = make_case(ToyMlp(), "infer", device="cuda:0", tf32=True), fake_device("cuda", "cuda:0")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index=None: (7, 5))
    assert "TF32" in torch_support._option_reason(ToyMlp(), case, device)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index=None: (8, 0))
    assert torch_support._option_reason(ToyMlp(), case, device) is None


def test_layers_are_counted_without_making_the_weights():
    seen = []

    class Watched(ToyMlp):
        def build(self):
            model = super().build()
            seen.append(model.layers[0].weight.device.type)
            return model

    assert torch_support.count_layers(Watched(), "tiny") == (2, 0)
    assert torch_support.count_layers(ToyConv(), "tiny") == (1, 2)
    assert torch_support.count_layers(ToyOddWidths(), "tiny") == (2, 0)
    assert seen == ["meta"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"complie": True}, "torch: unknown option 'complie'; did you mean 'compile'?"),
        ({"threads": 0}, "torch: option threads must be a whole number of 1 or more, not 0"),
        ({"threads": True}, "torch: option threads must be a whole number of 1 or more, not True"),
        ({"compile": 1}, "torch: option compile must be true or false, not 1"),
    ],
)
def test_wrong_options_are_usage_errors(backend, cpu, options, message):
    case = make_case(ToyMlp(), "infer", **options)
    for ask in (backend.supports, backend.prepare, backend.reference):
        with pytest.raises(UsageError) as error:
            ask(ToyMlp(), case, cpu)
        assert str(error.value) == message


def test_known_options_are_accepted():
    check_options({"compile": True, "tf32": False, "threads": 2, "channels_last": True})
    assert set(KNOWN_OPTIONS) == {"compile", "tf32", "threads", "channels_last"}


def test_running_out_of_memory_is_not_a_refusal(monkeypatch):
    def run_out():
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        torch_quantization._attempt(run_out)


def test_the_record_of_support_can_be_stored(backend, cpu):
    support = backend.supports(ToyMlp(), make_case(ToyMlp(), "train", "bf16"), cpu)
    assert msgspec.json.decode(msgspec.json.encode(support), type=type(support)) == support
