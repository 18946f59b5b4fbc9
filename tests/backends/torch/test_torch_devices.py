"""Which devices are listed and how they are waited for and timed; and torch when it is not as hoped."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import msgspec
import pytest
import torch

from backends import torch_devices
from backends.torch_backend import TorchBackend
from results.errors import BackendUnavailable
from results.records import Device


def test_the_cpu_is_there_and_last(backend):
    device = backend.devices()[-1]
    assert (device.id, device.kind, device.backend) == ("cpu", "cpu", "torch")
    assert device.name
    assert device.memory_bytes > 0
    assert device.details["torch"] == torch.__version__
    assert msgspec.json.decode(msgspec.json.encode(device), type=Device) == device


def test_cpu_flags_come_from_the_system_where_torch_has_none(monkeypatch, tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: A CPU\nflags\t\t: avx2 amx_bf16\n\nprocessor\t: 1\n")
    monkeypatch.setattr(torch_devices, "_CPUINFO", cpuinfo)
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert torch_devices.cpu_flags() == {"avx2", "amx_bf16"}
    cpuinfo.unlink()
    assert torch_devices.cpu_flags() == frozenset()


@pytest.mark.parametrize("hip", [None, "6.4"])
def test_accelerators_come_first_and_rocm_is_told_from_cuda(backend, monkeypatch, hip):
    """What torch answers is faked; no accelerator is used."""
    properties = SimpleNamespace(
        name="Chip", total_memory=80, uuid="u-1", multi_processor_count=4, gcnArchName="gfx942",
        pci_domain_id=0, pci_bus_id=0x17, pci_device_id=0,
    )  # fmt: skip
    accelerator = SimpleNamespace(
        is_available=lambda: True, device_count=lambda: 2, current_accelerator=lambda: torch.device("cuda")
    )
    monkeypatch.setattr(torch, "accelerator", accelerator)
    monkeypatch.setattr(torch.version, "hip", hip)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index=None: properties)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index=None: (9, 0))
    first, second, cpu = backend.devices()
    assert msgspec.json.decode(msgspec.json.encode(first), type=Device) == first
    assert [first.id, second.id, cpu.id] == ["cuda:0", "cuda:1", "cpu"]
    assert (first.name, first.memory_bytes, first.details["uuid"]) == ("Chip", 80, "u-1")
    assert first.details["pci_bus_id"] == "0000:17:00.0"
    if hip:
        assert (first.kind, first.vendor, first.details["architecture"]) == ("rocm", "AMD", "gfx942")
    else:
        assert (first.kind, first.vendor, first.details["compute_capability"]) == ("cuda", "NVIDIA", "9.0")


class FakeEvent:
    """An event whose time is the order of its recording, in milliseconds."""

    made = 0

    def __init__(self, device=None, enable_timing=False):
        assert enable_timing
        self.time = None

    def record(self):
        FakeEvent.made += 1
        self.time = 0.25 * FakeEvent.made**2

    def synchronize(self):
        assert self.time is not None

    def elapsed_time(self, other):
        return other.time - self.time


def test_the_timer_gives_times_between_marks(monkeypatch):
    """Events are faked; the arithmetic is real."""
    monkeypatch.setattr(torch, "Event", FakeEvent)
    monkeypatch.setattr(FakeEvent, "made", 0)
    timer = torch_devices.event_timer(torch.device("cuda:0"))
    for _ in range(3):
        timer.mark()
    assert timer.elapsed_ns() == [750_000, 1_250_000]
    assert timer.elapsed_ns() == []
    timer.mark()
    assert timer.elapsed_ns() == []


def test_no_timer_where_there_are_no_events(monkeypatch):
    def refuse(**_):
        raise RuntimeError("backend doesn't support events")

    monkeypatch.setattr(torch, "Event", refuse)
    assert torch_devices.event_timer(torch.device("mps")) is None
    assert torch_devices.event_timer(torch.device("cpu")) is None


def test_waiting_for_the_cpu_does_nothing_and_for_a_device_asks_it(monkeypatch):
    waited = []
    monkeypatch.setattr(torch.accelerator, "synchronize", waited.append)
    torch_devices.waiter(torch.device("cpu"))()
    torch_devices.waiter(torch.device("cuda:1"))()
    assert waited == [torch.device("cuda:1")]


def test_importing_the_backend_does_not_import_torch():
    code = "import sys, backends.torch_backend as b; b.TorchBackend(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_without_torch_the_backend_is_unavailable_with_the_hint():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from backends.torch_backend import TorchBackend\n"
        "try: TorchBackend().devices()\n"
        "except Exception as e: print(type(e).__name__, e.install_hint, e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("BackendUnavailable pip install torch torch cannot be imported")


def test_an_old_torch_is_refused(monkeypatch):
    monkeypatch.delattr(torch, "accelerator")
    with pytest.raises(BackendUnavailable, match=r"too old, 2\.6 or later"):
        TorchBackend().devices()


def test_torchao_is_imported_without_noise():
    code = (
        "import warnings; warnings.simplefilter('error')\n"
        "import torch; from backends import torch_quantization as q\n"
        "q.convert(torch.nn.Sequential(torch.nn.Linear(32, 32)), 'int8', 'infer')\n"
        "q.convert(torch.nn.Sequential(torch.nn.Linear(32, 32)), 'fp8', 'train')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
