"""PyTorch: training and inference on CUDA, ROCm, XPU, MPS and the CPU, through one adapter.

Importing this module does not load torch; the modules it imports when called do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from results.errors import BackendUnavailable, UsageError, did_you_mean
from results.records import CaseSpec, Device, Scalar, Support

if TYPE_CHECKING:
    import numpy as np

    from backends.base import Step
    from workloads.base import Workload

INSTALL_HINT = "pip install torch"
# What the fork server imports once for all workers.
PRELOAD = ("torch", "backends.torch_preload")
MIN_TORCH = (2, 6)  # the first release with torch.accelerator
# Option of a case -> the type it takes.
KNOWN_OPTIONS: dict[str, type] = {
    "channels_last": bool,  # images in NHWC memory order, for models with 2-d convolutions
    "compile": bool,  # torch.compile with its default settings
    "tf32": bool,  # let FP32 products round their inputs to TF32
    "threads": int,  # CPU threads within one operator
}


class TorchBackend:
    """Runs every phase of every workload with the torch that is installed."""

    name = "torch"

    def devices(self) -> list[Device]:
        """The accelerators torch sees, then the CPU, which is always there.

        Raises:
            BackendUnavailable: torch is missing, broken or too old.
        """
        import_torch()
        from backends.torch_devices import list_devices

        return list_devices(self.name)

    def supports(self, workload: Workload, case: CaseSpec, device: Device) -> Support:
        """By options and phase, by the device's capabilities, and by a small product run there.

        Raises:
            UsageError: an option is unknown or has a value of the wrong type.
            BackendUnavailable: torch is missing, broken or too old.
        """
        check_options(case.options)
        import_torch()
        from backends.torch_support import judge_case

        return judge_case(workload, case, device)

    def prepare(self, workload: Workload, case: CaseSpec, device: Device) -> Step:
        """Build, convert and move the model, and look at one untimed eager step.

        Sets process-wide torch state (seed, threads, TF32): one worker process, one case.

        Raises:
            UsageError: an option is unknown or has a value of the wrong type.
            BackendUnavailable: torch is missing, broken or too old.
            torch.OutOfMemoryError: the device is too small.
        """
        check_options(case.options)
        import_torch()
        from backends.torch_prepare import prepare_step

        return prepare_step(workload, case, device)

    def reference(
        self, workload: Workload, case: CaseSpec, device: Device
    ) -> tuple[str, Mapping[str, np.ndarray]] | None:
        """See ``backends.base``; ``("self", {})`` where the case itself is eager FP32 on the CPU."""
        check_options(case.options)
        import_torch()
        from backends.torch_reference import find_reference

        return find_reference(workload, case, device)


def check_options(options: Mapping[str, Scalar]) -> None:
    """Accept known options of the right type. Does not need torch.

    Raises:
        UsageError: which option is wrong and what it takes.
    """
    for name, value in options.items():
        if name not in KNOWN_OPTIONS:
            raise UsageError(f"torch: unknown option {name!r}{did_you_mean(name, KNOWN_OPTIONS)}")
        kind = KNOWN_OPTIONS[name]
        # bool is an int in Python, so compare the types themselves
        if type(value) is not kind or (name == "threads" and isinstance(value, int) and value < 1):
            takes = "true or false" if kind is bool else "a whole number of 1 or more"
            raise UsageError(f"torch: option {name} must be {takes}, not {value!r}")


def import_torch() -> None:
    """Import torch, or say why that cannot be done.

    Raises:
        BackendUnavailable: torch is missing, broken or older than ``MIN_TORCH``.
    """
    try:
        import torch
    except Exception as error:  # a wheel for another system may raise anything
        lines = str(error).strip().splitlines() or [""]
        reason = f"torch cannot be imported ({type(error).__name__}: {lines[0]})"
        raise BackendUnavailable(reason, INSTALL_HINT) from error
    if not hasattr(torch, "accelerator"):
        needed = ".".join(map(str, MIN_TORCH))
        reason = f"torch {torch.__version__} is too old, {needed} or later is needed"
        raise BackendUnavailable(reason, "pip install --upgrade torch")
