"""Guards on how the CPUs are set up: ``governor``, ``smt``, ``affinity``. They WARN, no more."""

from __future__ import annotations

from harness.guards.base import Unreadable, Watch, judge, read_text
from results.records import Guard

_CPUS = ("devices", "system", "cpu")


class Governor(Watch):
    """Frequency governors of the usable CPUs: any other than ``performance`` lets the clock wander."""

    name = "governor"

    def stop(self) -> Guard:
        """See ``Watch``."""
        folder = self.scene.roots.sys.joinpath(*_CPUS)
        allowed = self.scene.affinity()
        paths = [
            path
            for path in folder.glob("cpu[0-9]*/cpufreq/scaling_governor")
            if allowed is None or int(path.parent.parent.name.removeprefix("cpu")) in allowed
        ]
        self.facts["cpu_governor"] = None
        if not paths:
            raise Unreadable("the system does not tell frequency governors (usual in virtual machines)")
        governors = [read_text(path).strip() for path in paths]
        names = ", ".join(sorted(set(governors)))
        self.facts["cpu_governor"] = names
        others = sum(governor != "performance" for governor in governors)
        return judge(self.name, others, f"governor of {len(paths)} usable CPUs: {names}")


class Smt(Watch):
    """Simultaneous multithreading: a neighbour on the same core takes a share of it."""

    name = "smt"

    def stop(self) -> Guard:
        """See ``Watch``."""
        self.facts["smt_active"] = None
        active = int(read_text(self.scene.roots.sys.joinpath(*_CPUS, "smt", "active")))
        self.facts["smt_active"] = bool(active)
        return judge(self.name, active, "two threads share a core" if active else "one thread per core")


class Affinity(Watch):
    """Whether anything keeps the worker on some of the CPUs."""

    name = "affinity"

    def stop(self) -> Guard:
        """See ``Watch``."""
        allowed = self.scene.affinity()
        if allowed is None:
            raise Unreadable("this system does not tell on which CPUs a process may run")
        online = parse_cpu_list(read_text(self.scene.roots.sys.joinpath(*_CPUS, "online")))
        is_unset = len(online) > 1 and allowed >= online
        text = f"the worker may run on {len(allowed & online)} of {len(online)} CPUs"
        return judge(self.name, float(is_unset), text + ("; nothing pins it" if is_unset else ""))


def parse_cpu_list(text: str) -> frozenset[int]:
    """The kernel's list format, ``0-3,8``.

    Raises:
        ValueError: it is something else.
    """
    numbers: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)
