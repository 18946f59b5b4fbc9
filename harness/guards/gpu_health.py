"""Guards on what must not change while measuring: ``ecc`` and ``driver_change``."""

from __future__ import annotations

from typing import NamedTuple

from harness.guards.base import Scene, Unreadable, Watch, judge
from harness.guards.nvml import Card
from results.records import Guard

UNCORRECTED, VOLATILE = 1, 0  # nvmlMemoryErrorType_t, nvmlEccCounterType_t
COMPUTE_MODES = {0: "default", 1: "exclusive thread", 2: "prohibited", 3: "exclusive process"}


class Ecc(Watch):
    """Error correction costs bandwidth on some cards; an uncorrected error makes results worthless."""

    name = "ecc"

    def __init__(self, scene: Scene, card: Card) -> None:
        super().__init__(scene)
        self._card = card

    def start(self) -> None:
        """See ``Watch``."""
        self.facts["ecc_mode"] = None
        self._mode = self._read_mode()
        self.facts["ecc_mode"] = "enabled" if self._mode else "disabled"
        self._errors = self._read_errors()

    def stop(self) -> Guard:
        """See ``Watch``."""
        changed = self._read_mode() != self._mode
        if not self._mode and not changed:
            raise Unreadable("ECC disabled throughout: nothing counts memory errors")
        new = self._read_errors() - self._errors
        text = f"ECC {self.facts['ecc_mode']}, {new} uncorrected errors during the passes"
        return judge(self.name, max(new, 0) + changed, text + ("; its mode changed" if changed else ""))

    def _read_mode(self) -> bool:
        return bool(self._card.ask("nvmlDeviceGetEccMode")[0])

    def _read_errors(self) -> int:
        if not self._mode:
            return 0  # nothing counts them
        return int(self._card.ask("nvmlDeviceGetTotalEccErrors", UNCORRECTED, VOLATILE))


class Setting(NamedTuple):
    """What an administrator can change under a running benchmark."""

    driver: str
    persistence_mode: str | None
    compute_mode: str | None


class DriverChange(Watch):
    """The driver as the run began with it, and the card's modes as the passes began with them."""

    name = "driver_change"

    def __init__(self, scene: Scene, card: Card) -> None:
        super().__init__(scene)
        self._card = card

    def start(self) -> None:
        """See ``Watch``."""
        self._start = self._read()
        self.facts |= self._start._asdict()

    def stop(self) -> Guard:
        """See ``Watch``."""
        before = self.scene.before
        expected = self._start
        if before is not None and before.driver is not None:
            expected = expected._replace(driver=before.driver)
        pairs = zip(Setting._fields, expected, self._read(), strict=True)
        changes = [f"{name}: {then} then, {now} now" for name, then, now in pairs if then != now]
        return judge(self.name, len(changes), "; ".join(changes) or f"driver {self._start.driver} throughout")

    def _read(self) -> Setting:
        persistence = self._optional("nvmlDeviceGetPersistenceMode")
        compute = self._optional("nvmlDeviceGetComputeMode")
        return Setting(
            self._card.driver(),
            None if persistence is None else ("enabled" if persistence else "disabled"),
            None if compute is None else COMPUTE_MODES.get(compute, str(compute)),
        )

    def _optional(self, function: str) -> int | None:
        try:
            return int(self._card.ask(function))
        except Unreadable:  # a virtual GPU has no such mode
            return None
