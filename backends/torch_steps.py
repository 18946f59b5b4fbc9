"""The timed steps of inference, prompt processing and training.

Shape suffixes: B batch, S prompt length.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from backends.base import NUM_ROTATING_BATCHES, FlopCount
from backends.torch_devices import EventTimer, event_timer, peak_memory_bytes, waiter
from backends.torch_facts import ProductTrace
from backends.torch_flags import set_inference_mode
from results.records import Precision
from workloads.base import Workload

SGD_MOMENTUM = 0.9  # as in He et al., "Deep Residual Learning", arXiv:1512.03385, section 3.4
# torch starts at 2^16, where the first steps of many models overflow and are skipped: the gate would
# compare a run that is a step behind. 2^10 still lifts gradients of 6e-11 out of underflow.
INITIAL_LOSS_SCALE = 1024.0


class Setup(NamedTuple):
    """What every step is made from.

    ``model`` is converted, on ``place`` and eager. ``autocast_dtype`` is None where the model
    itself has the type. ``compiled``: the step is to run through torch.compile.
    """

    workload: Workload
    model: nn.Module
    place: torch.device
    batches: Sequence[Mapping[str, Tensor]]
    precision: Precision
    autocast_dtype: torch.dtype | None = None
    compiled: bool = False


class TorchStep:
    """What all steps share: waiting, outputs and facts. One tensor of the last run is kept."""

    output_name = "logits"

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._batches = list(setup.batches)
        self.sync = waiter(setup.place)
        self._last: Tensor | None = None
        self.noted: dict[str, object] = {}  # facts that preparing found out

    @property
    def facts(self) -> Mapping[str, object]:
        """See ``Step``. Peak memory and the like are read anew each time."""
        facts = {**self.noted, **self._own_facts()}
        peak = peak_memory_bytes(self._setup.place)
        if peak is not None:
            facts["peak_memory_bytes"] = peak
            facts["peak_memory_scope"] = "torch's allocator, whole worker after the FP32 reference"
        return facts

    def outputs(self) -> Mapping[str, np.ndarray]:
        """See ``Step``; FP32 on the host."""
        if self._last is None:
            raise RuntimeError("outputs() was called before run()")
        return {self.output_name: self._last.detach().to("cpu", torch.float32).numpy().copy()}

    def timer(self) -> EventTimer | None:
        """See ``Step``."""
        return event_timer(self._setup.place)

    def trace(self) -> ProductTrace:
        """Do one eager, untimed step's products under the trace; leaves no mark on the state."""
        raise NotImplementedError

    def start(self) -> None:
        """Get ready for step 0, after the trace: compile."""

    def run(self, i: int) -> None:
        """See ``Step``."""
        raise NotImplementedError

    def count_flops(self, first: int, steps: int) -> FlopCount:
        """See ``CountsFlops``."""
        from backends.torch_flops import count_flops

        setup = self._setup
        return count_flops(self.run, range(first, first + steps), setup.precision, setup.compiled)

    def _own_facts(self) -> dict[str, object]:
        return {"input_rotation": f"{NUM_ROTATING_BATCHES} batches"}


class InferenceStep(TorchStep):
    """One forward pass."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._forward: Any = setup.model

    def trace(self) -> ProductTrace:
        """See ``TorchStep``."""
        trace = ProductTrace(self._setup.place.type)
        with torch.no_grad(), trace:
            self._forward(**self._batches[0])
        return trace

    def start(self) -> None:
        """See ``TorchStep``."""
        if self._setup.compiled:
            self._forward = torch.compile(self._forward)
        set_inference_mode(True)

    def run(self, i: int) -> None:
        """See ``Step``."""
        self._last = self._forward(**self._batches[i % NUM_ROTATING_BATCHES])


class PrefillStep(TorchStep):
    """A whole prompt into a key/value cache that is allocated once and overwritten each step."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._prompts_BS = [batch["input_ids"] for batch in setup.batches]
        model: Any = setup.model  # a CachedDecoder
        self._extend = model.extend
        with torch.no_grad():  # tensors born in inference mode cannot be written outside it
            self._cache = model.new_cache(*self._prompts_BS[0].shape)

    def trace(self) -> ProductTrace:
        """See ``TorchStep``."""
        trace = ProductTrace(self._setup.place.type)
        with torch.no_grad(), trace:
            self._extend(self._prompts_BS[0], self._cache, 0)
        return trace

    def start(self) -> None:
        """See ``TorchStep``."""
        if self._setup.compiled:
            self._extend = torch.compile(self._extend)
        set_inference_mode(True)

    def run(self, i: int) -> None:
        """See ``Step``."""
        self._last = self._extend(self._prompts_BS[i % NUM_ROTATING_BATCHES], self._cache, 0)


class TrainingStep(TorchStep):
    """Zero gradients, forward, backward, optimizer step.

    Reduced precision trains FP32 master weights under autocast; FP16 scales the loss too, for
    its gradients underflow otherwise (Micikevicius et al., arXiv:1710.03740, section 3).
    """

    output_name = "loss"

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._model: Any = setup.model.train()
        self._optimizer, self._is_fused = make_optimizer(setup)
        self._scaler: Any = None
        if setup.precision == "fp16":
            self._scaler = torch.amp.GradScaler(setup.place.type, init_scale=INITIAL_LOSS_SCALE)

    def trace(self) -> ProductTrace:
        """See ``TorchStep``. No optimizer step: it has no products, and it would change weights."""
        model, trace = self._setup.model, ProductTrace(self._setup.place.type)
        buffers = {name: buffer.detach().clone() for name, buffer in model.named_buffers()}
        with trace:
            self._loss(self._batches[0]).backward()
        self._optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():  # the running statistics of batch norms have moved
            for name, buffer in model.named_buffers():
                buffer.copy_(buffers[name])
        return trace

    def start(self) -> None:
        """See ``TorchStep``."""
        if self._setup.compiled:
            self._model = torch.compile(self._model)

    def run(self, i: int) -> None:
        """See ``Step``."""
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self._batches[i % NUM_ROTATING_BATCHES])
        if self._scaler is None:
            loss.backward()
            self._optimizer.step()
        else:
            self._scaler.scale(loss).backward()
            self._scaler.step(self._optimizer)
            self._scaler.update()
        self._last = loss.detach()

    def _loss(self, batch: Mapping[str, Tensor]) -> Tensor:
        if self._setup.autocast_dtype is None:
            return self._setup.workload.loss(self._model, batch)
        with torch.autocast(self._setup.place.type, self._setup.autocast_dtype):
            return self._setup.workload.loss(self._model, batch)

    def _own_facts(self) -> dict[str, object]:
        facts = super()._own_facts()
        facts["optimizer"] = type(self._optimizer).__name__
        facts["optimizer_fused"] = self._is_fused
        # It halves whenever a step overflows and is skipped; it starts at INITIAL_LOSS_SCALE.
        facts["grad_scaler_scale"] = self._scaler.get_scale() if self._scaler else None
        return facts


def make_optimizer(setup: Setup) -> tuple[Any, bool]:
    """AdamW or SGD with momentum, as the workload says, and whether torch runs it fused.

    Fused where torch has it for the device, except SGD under loss scaling: up to torch 2.13 at
    least, a first step skipped for overflow leaves fused SGD with momentum it never set.
    """
    spec, parameters = setup.workload.spec, list(setup.model.parameters())
    kind: Any = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[spec.optimizer]
    arguments = {"lr": spec.learning_rate}
    if spec.optimizer == "sgd":
        arguments["momentum"] = SGD_MOMENTUM
    if spec.optimizer != "sgd" or setup.precision != "fp16":
        # RuntimeError: no fused kernel for this device
        with contextlib.suppress(RuntimeError):
            return kind(parameters, fused=True, **arguments), True
    return kind(parameters, **arguments), False
