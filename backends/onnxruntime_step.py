"""What is timed of an ONNX Runtime case: a session with pre-bound inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backends.base import NUM_ROTATING_BATCHES


class OnnxRuntimeStep:
    """Runs a session over rotating, pre-bound inputs into one pre-allocated output.

    Args:
        session: the session to time.
        batches: its inputs by name, one dict for each of ``NUM_ROTATING_BATCHES``.
        facts: what is known about it.
    """

    def __init__(self, session: Any, batches: Sequence[Mapping[str, np.ndarray]], facts: dict[str, object]) -> None:
        self.facts: Mapping[str, object] = facts
        self._session = session
        self._output = _output_of(session)
        # A value may read its array's memory, and nothing promises that a binding keeps it alive.
        self._inputs = [_values(session, batch) for batch in batches]
        self._bindings = [_binding(session, inputs, self._output) for inputs in self._inputs]

    def run(self, i: int) -> None:
        """One inference; done when it returns."""
        self._session.run_with_iobinding(self._bindings[i % NUM_ROTATING_BATCHES])

    def sync(self) -> None:
        """Nothing is outstanding: the CPU provider returns when it is done."""

    def outputs(self) -> Mapping[str, np.ndarray]:
        """``logits`` of the last run, in float32."""
        return {"logits": np.array(self._output.numpy(), dtype=np.float32)}

    def timer(self) -> None:
        """The CPU provider has no events."""
        return


def _output_of(session: Any) -> Any:
    """Memory for the one output, allocated once and shared by all bindings."""
    import onnxruntime

    (described,) = session.get_outputs()
    dtype = np.float16 if described.type == "tensor(float16)" else np.float32
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(described.shape, dtype, "cpu")


def _values(session: Any, batch: Mapping[str, np.ndarray]) -> dict[str, Any]:
    import onnxruntime

    wrap = onnxruntime.OrtValue.ortvalue_from_numpy
    return {x.name: wrap(np.ascontiguousarray(batch[x.name])) for x in session.get_inputs()}


def _binding(session: Any, inputs: Mapping[str, Any], output: Any) -> Any:
    binding = session.io_binding()
    for name, value in inputs.items():
        binding.bind_ortvalue_input(name, value)
    binding.bind_ortvalue_output(session.get_outputs()[0].name, output)
    return binding
