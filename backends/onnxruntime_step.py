"""What is timed of an ONNX Runtime case: a session with pre-bound inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backends.onnxruntime_memory import allocate, dtype_of, graph_run_options, put


class OnnxRuntimeStep:
    """Runs a session over rotating, pre-bound inputs into one pre-allocated output.

    Args:
        session: the session to time.
        batches: its inputs by name, one mapping for each of ``NUM_ROTATING_BATCHES``.
        facts: what is known about it.
        memory: where the provider keeps its tensors (``cpu``, ``cuda``, ...).
        captured: runs are captured and replayed by the device (``cuda_graph``).
    """

    def __init__(
        self,
        session: Any,
        batches: Sequence[Mapping[str, np.ndarray]],
        facts: dict[str, object],
        memory: str = "cpu",
        captured: bool = False,
    ) -> None:
        self.facts: Mapping[str, object] = {**facts, "bound_memory": memory}
        self._session = session
        (described,) = session.get_outputs()
        self._output = allocate(described.shape, dtype_of(described), memory)
        # A value may read its array's memory, and nothing promises that a binding keeps it alive.
        self._inputs = [{x.name: put(batch[x.name], memory) for x in session.get_inputs()} for batch in batches]
        self._bindings = [_binding(session, inputs, described.name, self._output) for inputs in self._inputs]
        self._options = graph_run_options(len(batches), captured)

    def run(self, i: int) -> None:
        """One inference; done when it returns."""
        k = i % len(self._bindings)
        self._session.run_with_iobinding(self._bindings[k], self._options[k])

    def sync(self) -> None:
        """Nothing is outstanding: ONNX Runtime waits for the device at the end of every run."""

    def outputs(self) -> Mapping[str, np.ndarray]:
        """``logits`` of the last run, in float32."""
        return {"logits": np.array(self._output.numpy(), dtype=np.float32)}

    def timer(self) -> None:
        """ONNX Runtime offers no events of devices."""
        return


def _binding(session: Any, inputs: Mapping[str, Any], output_name: str, output: Any) -> Any:
    binding = session.io_binding()
    for name, value in inputs.items():
        binding.bind_ortvalue_input(name, value)
    binding.bind_ortvalue_output(output_name, output)
    return binding
