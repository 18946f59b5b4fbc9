"""A workload and a backend that change what they count, or their speed, on demand.

``EXAMPLE_DRIFT`` names one change: flops, parameters, memory, numerics, unsupported or slow. It is no
option, for options are part of what a case is.
"""

import os
import time

import msgspec

from chipmark_example.backend import ExampleBackend, ExampleStep
from chipmark_example.workload import CounterWorkload
from results.records import Support, Work

MEMORY_BYTES = 400 * 2**20


def drifts(what):
    return os.environ.get("EXAMPLE_DRIFT") == what


class DriftingWorkload(CounterWorkload):
    spec = msgspec.structs.replace(CounterWorkload.spec, name="example-drift")

    def work(self, preset, phase, batch_size, shape):
        flops = batch_size * shape["numbers"] + drifts("flops")
        return Work(items=batch_size, item_unit="sample", flops=flops)


class DriftingStep(ExampleStep):
    def __init__(self, seed, size):
        super().__init__(seed, size)
        self.facts = {**self.facts, "num_parameters": 999 if drifts("parameters") else 1000}
        # Written to, so that the memory is resident.
        self.ballast = b"x" * MEMORY_BYTES if drifts("memory") else b""

    def run(self, i):
        super().run(i)
        if drifts("slow"):
            time.sleep(0.002)

    def outputs(self):
        return {"loss": super().outputs()["loss"] * (1.5 if drifts("numerics") else 1.0)}


class DriftingBackend(ExampleBackend):
    name = "example-drift"

    def supports(self, workload, case, device):
        if drifts("unsupported"):
            return Support(level="unsupported", reason="the example chip has lost its FP32 unit")
        return super().supports(workload, case, device)

    def prepare(self, workload, case, device):
        return DriftingStep(case.seed, case.shape["numbers"])
