"""A whole third-party backend: it sums numbers with numpy on the CPU."""

import numpy as np

from results.records import Device, Support


class ExampleStep:
    facts = {"precision_executed": "fp32", "precision_honoured": True, "library": "numpy"}

    def __init__(self, seed, size):
        self._batches = np.random.default_rng(seed).normal(size=(4, size))
        self._sum = np.zeros(())

    def run(self, i):
        self._sum = self._batches[i % 4].cumsum()[-1]

    def sync(self):
        pass

    def outputs(self):
        return {"loss": np.asarray(self._sum)}

    def timer(self):
        return None


class ExampleBackend:
    name = "example"

    def devices(self):
        return [Device(id="example:0", backend="example", kind="example", name="Example chip", vendor="Example")]

    def supports(self, workload, case, device):
        if case.precision != "fp32":
            return Support(level="unsupported", reason="the example chip has FP32 only")
        return Support(level="native")

    def prepare(self, workload, case, device):
        return ExampleStep(case.seed, case.shape["numbers"])

    def reference(self, workload, case, device):
        return "numpy.sum", {"loss": np.stack([ExampleStep(case.seed, case.shape["numbers"])._batches[0].sum()])}
