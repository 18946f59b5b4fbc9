"""Tell the kernel's OOM killer from other killers, by its counters (Linux)."""

from __future__ import annotations

from pathlib import Path


class OomCounter:
    """Notes the OOM-kill count at construction; ``increased`` says whether it has risen."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._files = [root / path for path in _counter_files(root)]
        self._before = [_count(file) for file in self._files]

    def increased(self) -> bool:
        """Whether any readable counter is higher than at construction."""
        pairs = zip(self._files, self._before, strict=True)
        return any((after := _count(file)) is not None and before is not None and after > before
                   for file, before in pairs)  # fmt: skip


def _counter_files(root: Path) -> list[str]:
    """The own control group's counter; the whole machine's only where there is none."""
    own = []
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            own += [f"sys/fs/cgroup{path}/memory.events", "sys/fs/cgroup/memory.events"]
        elif "memory" in controllers.split(","):
            own += [
                f"sys/fs/cgroup/memory{path}/memory.oom_control",
                "sys/fs/cgroup/memory/memory.oom_control",
            ]
    readable = [name for name in own if _count(root / name) is not None]
    # The machine's counter counts every container on it, so it is the last resort, not an extra.
    return readable or ["proc/vmstat"]


def _count(file: Path) -> int | None:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(" ")
        if name == "oom_kill" and value.strip().isdigit():
            return int(value)
    return None
