"""What the backend offers and refuses, without exporting anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("torch")

import backends  # noqa: E402
from backends.base import Backend  # noqa: E402
from backends.onnxruntime_backend import OnnxRuntimeBackend  # noqa: E402
from backends.onnxruntime_options import KNOWN_OPTIONS, check_options  # noqa: E402
from results.errors import UsageError  # noqa: E402
from results.records import Device  # noqa: E402
from tests.backends.onnxruntime.tiny_workloads import TinyDecoder, TinyWorkload, case_of  # noqa: E402

ROOT = Path(__file__).parents[3]


def run_without(missing: list[str], code: str) -> str:
    """What ``code`` prints where these modules cannot be imported."""
    setup = f"import sys\nfor name in {missing!r}: sys.modules[name] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", setup + code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_registered_and_cheap_to_import() -> None:
    backend = backends.REGISTRY.get("onnxruntime")
    assert isinstance(backend, OnnxRuntimeBackend)
    assert isinstance(backend, Backend)
    out = run_without([], "import backends.onnxruntime_backend\nprint(*sys.modules)")
    assert not {"torch", "onnxruntime", "onnx", "psutil"} & set(out.split())


def test_devices(backend: OnnxRuntimeBackend) -> None:
    (cpu,) = backend.devices()
    assert (cpu.id, cpu.backend, cpu.kind) == ("cpu", "onnxruntime", "cpu")
    assert cpu.name
    assert cpu.memory_bytes is not None
    assert cpu.memory_bytes > 1e8
    assert cpu.details["execution_provider"] == "CPUExecutionProvider"
    assert cpu.details["version"] == onnxruntime.__version__


@pytest.mark.parametrize(
    ("phase", "words"), [("train", "training is discontinued: inference only"), ("decode", "cache")]
)
def test_other_phases_are_unsupported(backend: OnnxRuntimeBackend, cpu: Device, phase: Any, words: str) -> None:
    workload = TinyWorkload() if phase == "train" else TinyDecoder()
    support = backend.supports(workload, case_of(workload, phase), cpu)
    assert support.level == "unsupported"
    assert words in support.reason


def test_a_phase_the_workload_lacks_is_unsupported(backend: OnnxRuntimeBackend, cpu: Device) -> None:
    workload = TinyWorkload()
    support = backend.supports(workload, case_of(workload, "prefill"), cpu)
    assert (support.level, support.reason) == ("unsupported", "ConvNet has no prefill phase")


@pytest.mark.parametrize("phase", ["infer", "prefill"])
def test_phases_it_runs(backend: OnnxRuntimeBackend, cpu: Device, phase: Any) -> None:
    workload = TinyDecoder()
    assert backend.supports(workload, case_of(workload, phase), cpu).level == "native"
    assert backend.supports(workload, case_of(workload, phase, "int8"), cpu).level in ("native", "emulated")
    assert backend.supports(workload, case_of(workload, phase, "bf16"), cpu).level == "unsupported"


def test_probing_happens_once_per_precision(
    backend: OnnxRuntimeBackend, cpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload = TinyWorkload()
    backend.supports(workload, case_of(workload), cpu)
    monkeypatch.setattr("backends.onnxruntime_precision.make_session", None)
    assert backend.supports(workload, case_of(workload, seed=9), cpu).level == "native"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"thread": 2}, "onnxruntime: unknown option 'thread'; did you mean 'threads'?"),
        ({"threads": 0}, "option threads must be a whole number of 1 or more, not 0"),
        ({"threads": True}, "option threads must be a whole number of 1 or more, not True"),
        ({"threads": "2"}, "option threads must be a whole number of 1 or more, not '2'"),
        ({"graph_optimization": "most"}, "must be one of all, extended, basic, off, not 'most'"),
        ({"graph_optimization": True}, "must be one of all, extended, basic, off, not True"),
    ],
)
def test_wrong_options(backend: OnnxRuntimeBackend, cpu: Device, options: dict[str, Any], message: str) -> None:
    workload = TinyWorkload()
    case = msgspec.structs.replace(case_of(workload), options=options)
    for act in (backend.supports, backend.prepare):
        with pytest.raises(UsageError) as caught:
            act(workload, case, cpu)
        assert message in str(caught.value)


def test_known_options_are_accepted() -> None:
    own = {name for name in KNOWN_OPTIONS if not name.startswith("provider.")}
    assert own == {"threads", "graph_optimization", "min_provider_share", "ep_context", "cuda_graph"}
    for level in ("all", "extended", "basic", "off"):
        check_options({"threads": 2, "graph_optimization": level})


def test_unknown_device(backend: OnnxRuntimeBackend) -> None:
    workload = TinyWorkload()
    device = Device(id="cuda:0", backend="onnxruntime", kind="cuda", name="x")
    with pytest.raises(UsageError, match="unknown device 'cuda:0'"):
        backend.prepare(workload, case_of(workload), device)


def test_without_onnxruntime() -> None:
    out = run_without(
        ["onnxruntime"],
        "from backends import REGISTRY\nfrom results.errors import BackendUnavailable\n"
        "try: REGISTRY.get('onnxruntime').devices()\n"
        "except BackendUnavailable as error: print(error.reason, '|', error.install_hint)\n",
    )
    assert out.startswith("onnxruntime cannot be imported (ModuleNotFoundError")
    assert 'pip install "chipmark[torch,onnx]"' in out.split("|")[1]


@pytest.mark.parametrize("missing", [["onnx"], ["onnxscript"], ["torch", "onnx", "onnxscript"]])
def test_without_the_export_packages(missing: list[str]) -> None:
    case = msgspec.json.encode(case_of(TinyWorkload())).decode()
    out = run_without(
        missing,
        "import msgspec\nfrom types import SimpleNamespace\n"
        "from backends.onnxruntime_backend import OnnxRuntimeBackend\nfrom results.records import CaseSpec\n"
        f"case = msgspec.json.decode({case!r}, type=CaseSpec)\n"
        "workload = SimpleNamespace(spec=SimpleNamespace(phases=('infer',), precisions=('fp32',), exportable=True))\n"
        "backend = OnnxRuntimeBackend()\n"
        "support = backend.supports(workload, case, backend.devices()[0])\n"
        "print(support.level, support.reason)\n",
    )
    assert out.startswith(f"unsupported exporting needs {' and '.join(missing)}; ")
    assert 'pip install "chipmark[torch,onnx]"' in out


def test_a_workload_that_keeps_memory_cannot_be_a_graph(backend: OnnxRuntimeBackend) -> None:
    from workloads.memory_bandwidth import MemoryBandwidth

    workload, (device,) = MemoryBandwidth(), backend.devices()
    case = case_of(TinyWorkload())
    named = msgspec.structs.replace(case, workload="memory-bandwidth", phase="infer")
    support = backend.supports(workload, named, device)
    assert (support.level, "a graph cannot" in support.reason) == ("unsupported", True)
    support = backend.supports(workload, msgspec.structs.replace(named, precision="int8"), device)
    assert support.reason == "memory-bandwidth is defined in fp32 only"
