"""A backend that says it has NVIDIA cards, and computes on the CPU: for tests with a stub of NVML.

``EXAMPLE_STUB_GPUS`` lists its cards as ``UUID/PCI bus id``, with commas between, in its own order.
"""

import os

from chipmark_example.backend import ExampleBackend
from results.errors import BackendUnavailable
from results.records import Device


class StubGpuBackend(ExampleBackend):
    name = "stub-gpu"

    def devices(self):
        listed = os.environ.get("EXAMPLE_STUB_GPUS")
        if not listed:
            raise BackendUnavailable("EXAMPLE_STUB_GPUS is not set")
        cards = [entry.split("/") for entry in listed.split(",")]
        return [
            Device(
                id=f"cuda:{number}",
                backend=self.name,
                kind="cuda",
                name="Stub GPU",
                vendor="NVIDIA",
                details={"uuid": uuid, "pci_bus_id": bus_id},
            )
            for number, (uuid, bus_id) in enumerate(cards)
        ]
