"""The machine and software a run is made with. Nothing here imports a framework."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import socket
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

from backends.bundle_format import given_bundle
from backends.onnx_providers import ROWS
from backends.processor import cpu_name
from results.records import Environment

PACKAGES = (
    "torch", "torchao", "onnxruntime", "onnxruntime-gpu", "onnx", "onnxscript", "numpy", "pandas",
    "nvidia-ml-py", "triton", "pytorch-triton-rocm", "intel-extension-for-pytorch",
    # The other builds of ONNX Runtime, and its plugins.
    *sorted({row.package for row in ROWS} - {"", "onnxruntime", "onnxruntime-gpu"}),
)  # fmt: skip
# Variables that change what is measured. Their values are stored; nothing else of the environment is.
VARIABLES = (
    "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK",
    "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "NVIDIA_TF32_OVERRIDE", "OMP_NUM_THREADS",
    "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "KMP_AFFINITY", "GOMP_CPU_AFFINITY", "OMP_PROC_BIND",
    "MALLOC_CONF", "LD_PRELOAD", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF", "TORCH_LOGS",
    "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "ONEDNN_DEFAULT_FPMATH_MODE", "TORCH_COMPILE_DISABLE",
    "TORCHDYNAMO_DISABLE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "PYTORCH_ENABLE_MPS_FALLBACK",
    "PYTORCH_NO_CUDA_MEMORY_CACHING", "CUBLAS_WORKSPACE_CONFIG", "CUDA_MODULE_LOADING",
    "TORCHAO_AUTOTUNER_ENABLE", "HSA_OVERRIDE_GFX_VERSION", "CHIPMARK_START_METHOD",
)  # fmt: skip


def describe() -> Environment:
    """This machine now. What cannot be read is None."""
    return Environment(
        chipmark_version=_version("chipmark") or "unknown",
        python_version=platform.python_version(),
        platform=platform.platform(),
        cpu_name=cpu_name(),
        cpu_count_logical=psutil.cpu_count(logical=True),
        cpu_count_physical=psutil.cpu_count(logical=False),
        cpu_count_usable=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        memory_bytes=psutil.virtual_memory().total,
        packages={name: v for name in PACKAGES if (v := _version(name))} | nvidia_driver() | _bundle(),
        variables={name: _storable(os.environ[name]) for name in VARIABLES if name in os.environ},
        host_id=host_id(),
        container=_container(),
        load_average_1min=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        git_commit=_git_commit(),
    )


def _bundle() -> dict[str, str]:
    """The bundle that cases come from, as if it were a package: a run must be resumed with the same one."""
    opened = given_bundle()
    return {"chipmark-bundle": opened.identity} if opened else {}


def differences(before: Environment, now: Environment) -> list[str]:
    """What differs between two environments in a way that forbids mixing their measurements."""
    fields = (
        "chipmark_version", "python_version", "cpu_name", "cpu_count_usable", "memory_bytes",
        "packages", "variables", "host_id", "platform", "container", "git_commit",
    )  # fmt: skip
    found = []
    for field in fields:
        old, new = getattr(before, field), getattr(now, field)
        if isinstance(old, dict):
            keys = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))
            found += [f"{key}: {old.get(key)} then, {new.get(key)} now" for key in keys]
        elif old != new:
            found.append(f"{field}: {old} then, {new} now")
    return found


def host_id() -> str:
    """A stable name for this machine that does not tell its hostname (12 hex digits)."""
    identity = socket.gethostname()
    with contextlib.suppress(OSError):
        identity = Path("/etc/machine-id").read_text().strip() or identity
    return hashlib.sha256(f"chipmark:{identity}".encode()).hexdigest()[:12]


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def nvidia_driver() -> dict[str, str]:
    """The NVIDIA driver's version, where there is a driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
        try:
            version = pynvml.nvmlSystemGetDriverVersion()
        finally:
            pynvml.nvmlShutdown()
    except Exception:  # no driver, no library, no permission: there is no version to tell
        return {}
    return {"nvidia-driver": version.decode() if isinstance(version, bytes) else str(version)}


def _container() -> str | None:
    if Path("/.dockerenv").exists():
        return "docker"
    if Path("/run/.containerenv").exists():
        return "podman"
    return os.environ.get("container")  # noqa: SIM112  systemd sets it in lower case


def _git_commit() -> str | None:
    """The commit of a source checkout of chipmark, with ``-dirty`` if it was changed."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
