"""Guards ``foreign_processes`` and ``foreign_memory``: who else is on the card?

In a container NVML may list nothing, or list processes under numbers that mean nothing here. A worker
that is not in the list cannot vouch for the list, so that is UNKNOWN. Memory tells more: what is in
use and belongs to nobody who is listed belongs to somebody who is hidden.
"""

from __future__ import annotations

import os
from typing import Any

from harness.guards.base import Scene, Unreadable, Watch, judge, unknown
from harness.guards.nvml import Card
from results.records import Guard

# The context of a CUDA process (kernels, streams, library workspaces) is outside of torch's allocator.
CONTEXT_BYTES = 2**30


class ForeignProcesses(Watch):
    """Compute processes at the start and at the end; the larger number counts."""

    name = "foreign_processes"

    def __init__(self, scene: Scene, card: Card) -> None:
        super().__init__(scene)
        self._card, self._seen = card, list[list[int]]()

    def start(self) -> None:
        """See ``Watch``."""
        self._seen.append([process.pid for process in processes(self._card)])

    def stop(self) -> Guard:
        """See ``Watch``."""
        self.start()
        own = os.getpid()
        listed = all(own in pids for pids in self._seen)
        if listed:
            num_foreign = max(len(set(pids) - {own}) for pids in self._seen)
            return judge(self.name, num_foreign, f"{num_foreign} compute processes beside the worker")
        # The worker has a context on the card: one of those listed is the worker itself.
        num_foreign = max(len(set(pids)) - 1 for pids in self._seen)
        text = "the worker's own number is not among NVML's (it runs in a PID namespace)"
        if num_foreign > 0:
            return judge(self.name, num_foreign, f"{text}; {num_foreign + 1} processes are listed, one is the worker")
        return unknown(self.name, f"{text}: others may be hidden too")


class ForeignMemory(Watch):
    """Used memory less that of the listed processes, or less the worker's own where it is not listed."""

    name = "foreign_memory"

    def __init__(self, scene: Scene, card: Card) -> None:
        super().__init__(scene)
        self._card = card

    def stop(self) -> Guard:
        """See ``Watch``."""
        used = self._used()
        listed = {process.pid: process.usedGpuMemory for process in processes(self._card)}
        if os.getpid() in listed and None not in listed.values():
            whose = f"{len(listed)} listed processes"
            explained = sum(listed.values())
        else:
            own = self.scene.own_device_bytes()
            if own is None:
                raise Unreadable("neither NVML nor the backend tells how much of the used memory is the worker's")
            whose = f"torch's allocator and a context of {CONTEXT_BYTES / 2**30:.0f} GiB"
            explained = own + CONTEXT_BYTES
        unexplained = max(0, used - explained)
        text = f"{used / 2**30:.2f} GiB in use, {unexplained / 2**30:.2f} GiB more than {whose} explain"
        return judge(self.name, unexplained, text)

    def _used(self) -> int:
        """Bytes in use; the newer call leaves out what the driver reserves for itself."""
        try:
            return int(self._card.ask_part("nvmlDeviceGetMemoryInfo", _MEMORY_V2).used)
        except Unreadable:
            return int(self._card.ask_part("nvmlDeviceGetMemoryInfo").used)


_MEMORY_V2 = 0x02000028  # nvmlMemory_v2 in nvml.h


def processes(card: Card) -> list[Any]:
    """Compute processes of the card or MIG slice, each with ``pid`` and ``usedGpuMemory`` (bytes or None)."""
    return list(card.ask_part("nvmlDeviceGetComputeRunningProcesses"))
