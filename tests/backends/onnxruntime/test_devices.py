"""Which devices are found, of providers that were built in and of plugins, and what is said of the others."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

onnxruntime = pytest.importorskip("onnxruntime")

from backends import onnx_providers, onnxruntime_plugins  # noqa: E402
from backends.base import MissingDevice, TellsMissing  # noqa: E402
from backends.onnx_provider_row import Target  # noqa: E402
from backends.onnxruntime_backend import OnnxRuntimeBackend  # noqa: E402
from backends.onnxruntime_devices import Found, provider_of, scan  # noqa: E402
from backends.onnxruntime_hardware import simulator_reason  # noqa: E402
from backends.onnxruntime_missing import not_installed  # noqa: E402
from backends.onnxruntime_plugins import library_of, register  # noqa: E402
from backends.onnxruntime_presence import session_problem  # noqa: E402
from backends.onnxruntime_provider import Provider, ProviderAbsent, make_session  # noqa: E402
from backends.processor import cpu_name  # noqa: E402
from results.errors import ChipmarkError, UsageError  # noqa: E402
from results.records import Device  # noqa: E402


class Runtime:
    """The installed ONNX Runtime, with providers that it claims to have."""

    def __init__(self, *claimed: str) -> None:
        self._claimed = claimed

    def __getattr__(self, name: str) -> Any:
        return getattr(onnxruntime, name)

    def get_available_providers(self) -> list[str]:
        return [*self._claimed, "AzureExecutionProvider", "CPUExecutionProvider"]


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime_plugins, "_registered", {})


def found(runtime: Any, *rows: Any) -> Found:
    return scan(runtime, "onnxruntime", rows)


def test_the_cpu_with_its_package() -> None:
    (known,) = found(onnxruntime, onnx_providers.CPU).devices
    device = known.device
    assert (device.id, device.kind, device.name) == ("cpu", "cpu", cpu_name())
    assert device.details["execution_provider"] == "CPUExecutionProvider"
    assert str(device.details["package"]).startswith("onnxruntime")
    assert "functional_only" not in device.details
    assert known.provider.row is onnx_providers.CPU


def test_every_row_is_either_here_or_missing() -> None:
    backend = OnnxRuntimeBackend()
    assert isinstance(backend, TellsMissing)
    told = {device.id.partition(":")[0] for device in backend.devices()}
    told |= {lost.device.partition(":")[0] for lost in backend.missing()}
    assert told == {row.short for row in onnx_providers.ROWS}


def test_a_provider_whose_hardware_is_absent_is_no_device() -> None:
    runtime = Runtime("OpenVINOExecutionProvider")  # which the session then does not have
    told = found(runtime, onnx_providers.OPENVINO, onnx_providers.CPU)
    assert [known.device.id for known in told.devices] == ["cpu"]
    assert [lost.device for lost in told.missing] == ["openvino:npu", "openvino:gpu", "openvino:cpu"]
    assert {lost.reason for lost in told.missing} == {
        "ONNX Runtime opens no session on it and would run on the CPU instead"
    }
    assert all(lost.installed for lost in told.missing)


def test_a_node_that_stays_on_the_cpu_is_not_on_the_hardware() -> None:
    other = dataclasses.replace(onnx_providers.CPU, name="OtherExecutionProvider")
    provider = Provider(other.name, "other:npu", "npu", other)
    real = onnxruntime.InferenceSession

    class Session(real):  # type: ignore[misc, valid-type]
        """A session that lists the provider, as QNN without its backend does, and runs on the CPU."""

        def __init__(self, *args: Any, providers: Any, **kwargs: Any) -> None:
            super().__init__(*args, providers=["CPUExecutionProvider"], **kwargs)

        def get_providers(self) -> list[str]:
            return ["OtherExecutionProvider", "CPUExecutionProvider"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnxruntime, "InferenceSession", Session)
        patch.setattr(onnxruntime, "get_available_providers", lambda: [other.name])
        assert session_problem(onnxruntime, provider, True) == "a graph of one node stayed on CPUExecutionProvider"
        assert session_problem(onnxruntime, provider, False) == ""


def test_one_node_runs_on_the_cpu() -> None:
    cpu = Provider("CPUExecutionProvider", "cpu", "cpu", onnx_providers.CPU)
    assert session_problem(onnxruntime, cpu, True) == ""


def test_a_provider_that_vanished_is_an_error_and_no_cpu_session(tmp_path: Path) -> None:
    gone = Provider("CUDAExecutionProvider", "cuda:0", "cuda", onnx_providers.CUDA, {"device_id": "0"})
    with pytest.raises(ProviderAbsent) as caught:
        make_session(b"", onnxruntime.SessionOptions(), gone)
    text = str(caught.value)
    assert text.startswith("cuda:0: ONNX Runtime opens no session on CUDAExecutionProvider here")
    assert "\n" not in text


def test_a_provider_that_cannot_be_made_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime's own session would fall back in its constructor, before it can be told not to."""
    seen: list[Any] = []
    real = onnxruntime.InferenceSession

    def session(*args: Any, **kwargs: Any) -> Any:
        seen.append(kwargs["enable_fallback"])
        return real(*args, **kwargs)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    cpu = Provider("CPUExecutionProvider", "cpu", "cpu", onnx_providers.CPU, {"no such": "option"})
    with pytest.raises(Exception, match="INVALID_PROTOBUF|ModelProto|ModelRequiresCompilation|Protobuf"):
        make_session(b"no model", onnxruntime.SessionOptions(), cpu)
    assert seen == [0]


def test_a_plugin_whose_library_is_broken_is_told_and_harms_nobody(tmp_path: Path) -> None:
    if not hasattr(onnxruntime, "register_execution_provider_library"):
        pytest.skip("this ONNX Runtime takes no plugins")
    library = tmp_path / "libbroken.so"
    library.write_bytes(b"\x7fELF and then nothing of the kind")
    problem = register(onnxruntime, onnx_providers.QNN, lambda row: str(library))
    assert problem.startswith("its library cannot be loaded: ")
    assert "libbroken.so" in problem
    assert "ONNXRuntimeError" not in problem
    assert register(onnxruntime, onnx_providers.QNN) == problem  # asked once a process
    assert onnxruntime_plugins.registered() == set()
    assert [known.device.id for known in found(onnxruntime, onnx_providers.CPU).devices] == ["cpu"]


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A row with a plugin package that can be imported, and whose library is the text that is given."""

    def make(name: str, library: bytes | None) -> Any:
        path = tmp_path / "libprovider.so"
        if library is not None:
            path.write_bytes(library)
        (tmp_path / "some_plugin.py").write_text(
            f"def get_ep_name(): return {name!r}\ndef get_library_path(): return {str(path)!r}\n"
        )
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(__import__("sys").modules, "some_plugin", raising=False)
        return dataclasses.replace(onnx_providers.QNN, plugin="some_plugin")

    return make


def test_an_installed_plugin_that_fails_is_a_missing_device(plugin: Any) -> None:
    row = plugin("QNNExecutionProvider", b"no library at all")
    told = found(onnxruntime, row, onnx_providers.CPU)
    assert [known.device.id for known in told.devices] == ["cpu"]
    (lost,) = told.missing
    assert (lost.device, lost.installed) == ("qnn", True)
    assert lost.reason.startswith("its library cannot be loaded: ")


def test_a_plugin_that_was_registered_before_was_not_built_in(plugin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime lists it among its own from then on, and a session that asks for it by name is the CPU's."""
    monkeypatch.setattr(onnxruntime_plugins, "_registered", {"QNNExecutionProvider": ""})
    (lost,) = found(Runtime("QNNExecutionProvider"), plugin("QNNExecutionProvider", None)).missing
    assert (lost.device, lost.reason) == ("qnn", "its library loads, but offers no device here")


def test_a_plugin_for_another_provider(plugin: Any) -> None:
    row = plugin("OtherExecutionProvider", None)
    with pytest.raises(ChipmarkError, match="some_plugin holds OtherExecutionProvider, not QNN"):
        library_of(row)
    assert "holds OtherExecutionProvider" in register(onnxruntime, row)


def test_a_runtime_without_plugins(plugin: Any) -> None:
    old = type("Old", (), {"__version__": "1.20.0"})()
    assert register(old, plugin("QNNExecutionProvider", b"")) == (
        "onnxruntime 1.20.0 takes no plugin providers: 1.24 does"
    )


def test_unknown_device_says_why_it_is_not_here() -> None:
    absent = Device(id="directml", backend="onnxruntime", kind="gpu", name="x")
    with pytest.raises(UsageError, match=r"unknown device 'directml': not for \w+, but for Windows"):
        provider_of(onnxruntime, absent)


def test_a_provider_without_a_row_is_named() -> None:
    (lost,) = found(Runtime("DnnlExecutionProvider")).missing
    assert (lost.device, lost.installed) == ("DnnlExecutionProvider", True)


@pytest.mark.parametrize(
    ("system", "row", "reason", "hint"),
    [
        ("win32", onnx_providers.DIRECTML, "not installed", 'pip install "chipmark[torch,onnx-directml]", in an env'),
        ("linux", onnx_providers.DIRECTML, "not for Linux, but for Windows", ""),
        ("linux", onnx_providers.QNN, "not installed", 'pip install "chipmark[torch,onnx-qnn]" (needs Snapdragon'),
        ("linux", onnx_providers.HAILO, "not installed", "needs Hailo's fork"),
        ("darwin", onnx_providers.NNAPI, "not for macOS, but for Android", ""),
    ],
)
def test_what_is_missing(system: str, row: Any, reason: str, hint: str) -> None:
    lost = not_installed(row, system)
    assert lost.reason == reason
    assert lost.hint.startswith(hint)
    assert bool(lost.hint) == bool(hint)
    assert not lost.installed


def told_device(kind: str, vendor: str, **metadata: str) -> Any:
    """A plugin's device as ONNX Runtime tells it."""
    named = type("Type", (), {"name": kind})
    hardware = type("Hardware", (), {"type": named, "vendor": vendor, "metadata": metadata})
    return type("EpDevice", (), {"device": hardware})


NPU, GPU = onnx_providers.QNN.targets[0], onnx_providers.WEBGPU.targets[0]


@pytest.mark.parametrize(
    ("row", "target", "hardware", "machine", "words"),
    [
        (onnx_providers.QNN, NPU, (told_device("CPU", "AMD"),), "x86_64", "only simulates Qualcomm"),
        (onnx_providers.QNN, NPU, (told_device("NPU", "Qualcomm"),), "aarch64", ""),
        (onnx_providers.QNN, NPU, (), "x86_64", "no Qualcomm hardware in a machine of type x86_64"),
        (onnx_providers.QNN, NPU, (), "ARM64", ""),
        (onnx_providers.WEBGPU, GPU, (told_device("CPU", "Mesa"),), "x86_64", "computes on the CPU"),
        (onnx_providers.WEBGPU, GPU, (told_device("GPU", "Mesa", Description="llvmpipe (LLVM 15)"),), "x86_64",
         "software that computes on the CPU"),
        (onnx_providers.WEBGPU, GPU, (told_device("GPU", "Intel", Description="Arc"),), "x86_64", ""),
        (onnx_providers.OPENVINO, onnx_providers.OPENVINO.targets[-1], (told_device("CPU", "AMD"),), "x86_64", ""),
        (onnx_providers.CPU, Target("", "cpu", "CPU"), (), "x86_64", ""),
    ],
)  # fmt: skip
def test_what_only_computes_the_right_thing(row: Any, target: Any, hardware: Any, machine: str, words: str) -> None:
    reason = simulator_reason(Provider(row.name, "x", "x", row, {}, hardware), target, machine)
    assert words in reason
    assert bool(reason) == bool(words)


def test_an_adapter_where_no_gpu_is(tmp_path: Path) -> None:
    provider = Provider(onnx_providers.WEBGPU.name, "webgpu:gpu", "gpu", onnx_providers.WEBGPU)
    assert "no GPU here" in simulator_reason(provider, GPU, "x86_64", tmp_path / "dri")
    assert simulator_reason(provider, GPU, "x86_64", tmp_path) == ""


def test_missing_devices_can_be_sent() -> None:
    assert all(isinstance(lost, MissingDevice) for lost in OnnxRuntimeBackend().missing())
