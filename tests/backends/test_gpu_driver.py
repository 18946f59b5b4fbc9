"""The GPUs that a driver lists, by a driver of two cards that is compiled here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backends.gpu_driver import list_gpus

ROOT = Path(__file__).parents[2]
STUB = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int cuInit(unsigned flags) { return getenv("STUB_FAILS") ? 100 : (int)flags; }
int cuDeviceGetCount(int *n) { *n = getenv("STUB_NONE") ? 0 : 2; return 0; }
int cuDeviceGetName(char *s, int n, int d) { snprintf(s, n, "Stub H%d00", d + 1); return 0; }
int cuDeviceTotalMem_v2(size_t *b, int d) { *b = (size_t)80 << 30; return d < 0; }
int cuDeviceGetPCIBusId(char *s, int n, int d) { snprintf(s, n, "0000:0%dA:00.0", d); return 0; }
int cuDeviceGetAttribute(int *v, int a, int d) { *v = a == 75 ? 9 : a == 16 ? 132 : 0; return d < 0; }
int cuCtxCreate_v2(void **c, unsigned f, int d) { abort(); }
int cuDevicePrimaryCtxRetain(void **c, int d) { abort(); }
"""
ASK = "from backends.gpu_driver import list_gpus\nprint(list_gpus('cuda'))"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None or sys.platform != "linux":
        pytest.skip("no C compiler here to build the driver with, or another system")
    folder = tmp_path_factory.mktemp("driver")
    (folder / "stub.c").write_text(STUB)
    command = [compiler, "-shared", "-fPIC", "-o", str(folder / "libcuda.so.1"), str(folder / "stub.c")]
    subprocess.run(command, check=True, timeout=60)
    return folder


def ask(folder: Path, code: str = ASK, **variables: str) -> str:
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder), **variables}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_two_cards(driver: Path) -> None:
    code = (
        "from backends.gpu_driver import list_gpus\ngpus, why = list_gpus('cuda')\n"
        "for gpu in gpus: print(gpu.name, gpu.memory_bytes >> 30, sorted(gpu.details.items()))\nprint(repr(why))"
    )
    first, second, why = ask(driver, code).splitlines()
    assert first == (
        "Stub H100 80 [('compute_capability', '9.0'), ('multi_processor_count', 132), ('pci_bus_id', '0000:00a:00.0')]"
    )
    assert second.startswith("Stub H200 80 ")
    assert why == "''"


def test_a_driver_without_cards(driver: Path) -> None:
    assert ask(driver, STUB_NONE="1") == "([], 'the driver lists no GPU')\n"


def test_a_driver_that_fails(driver: Path) -> None:
    assert ask(driver, STUB_FAILS="1") == "([], 'the driver finds no device (cuInit says 100)')\n"


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: (_ for _ in ()).throw(OSError(name)))
    monkeypatch.setattr("sys.platform", "linux")
    assert list_gpus("cuda") == ([], "the driver is missing (libcuda.so.1 cannot be loaded)")
    assert list_gpus("rocm") == ([], "the driver is missing (libamdhip64.so cannot be loaded)")


def test_devices_of_a_build_with_cuda(driver: Path) -> None:
    """The listing as a device of ONNX Runtime: no session, so no context, is opened for it."""
    code = (
        "import onnxruntime\nfrom backends import onnx_providers\nfrom backends.onnxruntime_devices import scan\n"
        "onnxruntime.get_available_providers = lambda: ['CUDAExecutionProvider', 'CPUExecutionProvider']\n"
        "def session(*a, **k): raise AssertionError('a session')\nonnxruntime.InferenceSession = session\n"
        "for known in scan(onnxruntime, 'onnxruntime', (onnx_providers.CUDA,)).devices:\n"
        "    device = known.device\n"
        "    print(device.id, device.kind, device.name, device.vendor, known.provider.options,"
        " device.details['pci_bus_id'])\n"
    )
    pytest.importorskip("onnxruntime")
    assert ask(driver, code).splitlines() == [
        "cuda:0 cuda Stub H100 NVIDIA {'device_id': '0', 'use_tf32': '0'} 0000:00a:00.0",
        "cuda:1 cuda Stub H200 NVIDIA {'device_id': '1', 'use_tf32': '0'} 0000:01a:00.0",
    ]
