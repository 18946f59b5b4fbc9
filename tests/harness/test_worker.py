"""The worker's stages with a fake backend, a fake clock and exactly known numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from backends import REGISTRY as BACKENDS
from harness.messages import Task
from harness.worker import run_task
from results.errors import BackendUnavailable, ChipmarkError
from results.records import Device, Measurement, MeasureSpec, Support, Work
from tests.harness.fakes import DraftReporter, FakeClock, FakeStep, make_case
from workloads import REGISTRY as WORKLOADS
from workloads.base import Preset, WorkloadSpec

MS = 1_000_000
DEVICE = Device(id="fake:0", backend="fake", kind="fake", name="Fake")
MEASURE = MeasureSpec(min_seconds=0.5, min_iterations=30, max_seconds=60.0, warmup_max_seconds=5.0)


class FakeWorkload:
    """Counts 3 items a batch element; ``decode`` has cycles of 8 steps."""

    spec = WorkloadSpec(
        name="fake", version=1, domain="test", summary="", phases=("infer", "train", "decode"),
        presets={"tiny": Preset(summary="", model={}, shape={})}, item_unit="sample",
    )  # fmt: skip

    def work(self, preset, phase, batch_size, shape):
        steps = 8 if phase == "decode" else 1
        return Work(steps=steps, items=3 * batch_size * steps, item_unit="sample", flops=10)


class FakeBackend:
    """Records the order of everything; what goes wrong is set by the test."""

    name = "fake"

    def __init__(self, clock: FakeClock, duration_ns: Callable[[int], int]) -> None:
        self.step = FakeStep(clock, duration_ns)
        self.log = self.step.log
        self.support = Support(level="native")
        self.reference_outputs: object = ("fp32 fake", {"logits": np.ones((1, 1, 3))})
        self.error: dict[str, Exception] = {}

    def _do(self, what: str) -> None:
        self.log.append(what)
        if what in self.error:
            raise self.error[what]

    def devices(self):
        self._do("devices")
        return [DEVICE]

    def supports(self, workload, case, device):
        self._do("supports")
        return self.support

    def prepare(self, workload, case, device):
        self._do("prepare")
        self.step.clock.ns += 123 * MS
        return self.step

    def reference(self, workload, case, device):
        self._do("reference")
        return self.reference_outputs


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
    fake = FakeBackend(FakeClock(), lambda i: 10 * MS)
    monkeypatch.setitem(BACKENDS._resolved, "fake", fake)
    monkeypatch.setitem(WORKLOADS._resolved, "fake", FakeWorkload())
    return fake


def measure(backend: FakeBackend, **case: object) -> Measurement:
    reporter = DraftReporter(backend.log)
    spec = make_case(**case)
    run_task(Task(case=spec, measure=MEASURE, log_path=""), reporter, backend.step.clock)
    draft = reporter.draft
    assert draft.status is not None
    return draft.measurement(spec, 0, draft.status, str(draft.fields["reason"]), "now", 0.0)


def test_known_step_times_give_the_known_numbers(backend: FakeBackend) -> None:
    m = measure(backend)
    assert (m.status, m.stage, m.reason) == ("ok", "finish", "")
    assert m.timing is not None
    assert m.work is not None
    assert m.timing.prepare_s == 0.123
    assert m.timing.first_step_s == 0.010
    iterations = sum(w.iterations for w in m.timing.windows)
    elapsed_ns = sum(w.elapsed_ns for w in m.timing.windows)
    assert elapsed_ns == iterations * 10 * MS
    assert iterations >= 50
    # 4 a batch, 3 items each, one step in 10 ms: 1200 items a second, exactly.
    assert m.work.items * iterations / (elapsed_ns / 1e9) == 1200.0
    assert m.timing.num_latency_samples >= 50
    assert m.timing.warmup.steady


def test_phases_happen_in_the_right_order(backend: FakeBackend) -> None:
    measure(backend)
    log = list(dict.fromkeys(backend.log))  # first occurrences
    assert log == [
        "stage open", "devices", "stage support", "supports", "stage reference", "reference", "stage prepare",
        "prepare", "sync", "stage numerics", "run", "outputs", "stage warmup", "stage measure", "stage finish",
    ]  # fmt: skip
    measuring = backend.log[backend.log.index("stage measure") : backend.log.index("stage finish")]
    assert set(measuring) == {"stage measure", "run", "sync"}


def test_decode_measures_whole_cycles_only(backend: FakeBackend) -> None:
    backend.step.duration_ns = lambda i: (1 + i % 8) * MS
    m = measure(backend, phase="decode")
    assert m.timing is not None
    for window in m.timing.windows:
        assert window.iterations % 8 == 0
        assert window.elapsed_ns == window.iterations // 8 * 36 * MS
    assert m.timing.num_latency_samples % 8 == 0
    assert backend.step.seen == list(range(len(backend.step.seen)))


def test_one_scenario_only(backend: FakeBackend) -> None:
    m = measure(backend, scenarios=("latency",))
    assert m.timing is not None
    assert m.timing.windows == ()
    assert m.timing.num_latency_samples > 0


def test_unsupported_prepares_nothing(backend: FakeBackend) -> None:
    backend.support = Support(level="unsupported", reason="no such unit")
    m = measure(backend)
    assert (m.status, m.stage, m.reason, m.timing) == ("unsupported", "support", "no such unit", None)
    assert "prepare" not in backend.log


def test_a_device_that_is_not_here_is_unsupported(backend: FakeBackend) -> None:
    m = measure(backend, device="fake:9")
    assert m.status == "unsupported"
    assert m.reason == "backend fake has no device 'fake:9' here (it has: fake:0)"


def test_an_unavailable_backend_is_unsupported_with_its_hint(backend: FakeBackend) -> None:
    backend.error["devices"] = BackendUnavailable("not installed", "pip install fake")
    m = measure(backend)
    assert (m.status, m.reason) == ("unsupported", "not installed; pip install fake")


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ValueError("first\nsecond"), "failed", "ValueError: first"),
        (RuntimeError(), "failed", "RuntimeError: "),
        (MemoryError(), "out_of_memory", "MemoryError"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
            "out_of_memory",
            "RuntimeError: Default",
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory", "RuntimeError: CUDA out"),
        (type("OutOfMemoryError", (RuntimeError,), {})("x"), "out_of_memory", "OutOfMemoryError: x"),
        # As QNN's simulator said of eight layers of 2048 x 2048, and of a backend that is not there.
        (
            RuntimeError(
                "EP_FAIL : Failed to finalize QNN graph. Error: QNN_COMMON_ERROR_MEM_ALLOC: Memory allocation"
            ),
            "out_of_memory",
            "RuntimeError: EP_FAIL : Failed to finalize",
        ),
        (RuntimeError("EP_FAIL : QNN SetupBackend failed"), "failed", "RuntimeError: EP_FAIL : QNN Setup"),
        # As the sources and documentation of the others have it.
        (RuntimeError("[GPU] error code: -5 CL_OUT_OF_RESOURCES"), "out_of_memory", "RuntimeError: [GPU]"),
        (RuntimeError("ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY"), "out_of_memory", "RuntimeError: ZE"),
        (RuntimeError("HIP failure: hipErrorOutOfMemory"), "out_of_memory", "RuntimeError: HIP"),
    ],
)
def test_errors_end_in_one_status_at_their_stage(
    backend: FakeBackend, error: Exception, status: str, reason: str
) -> None:
    backend.error["prepare"] = error
    m = measure(backend)
    assert (m.status, m.stage) == (status, "prepare")
    assert m.reason.startswith(reason)
    assert "\n" not in m.reason


@pytest.mark.parametrize(
    ("cause", "status"),
    [(MemoryError(), "out_of_memory"), (RuntimeError("std::bad_alloc"), "out_of_memory"), (ValueError("x"), "failed")],
)
def test_what_an_error_was_raised_from_tells_too(backend: FakeBackend, cause: Exception, status: str) -> None:
    plain = ChipmarkError("the device does not open the model")
    plain.__cause__ = cause
    backend.error["prepare"] = plain
    m = measure(backend)
    assert (m.status, m.reason) == (status, "the device does not open the model")


@pytest.mark.parametrize(
    ("scale", "status", "reason"),
    [(1.00001, "ok", ""), (1.01, "invalid", "numerics: rel_l2 0.0099"), (-1, "invalid", "num")],
)
def test_wrong_numbers_are_measured_and_marked_invalid(
    backend: FakeBackend, scale: float, status: str, reason: str
) -> None:
    backend.reference_outputs = ("fp32", {"logits": np.ones((1, 1, 3)) * scale})
    m = measure(backend)
    assert m.status == status
    assert m.reason.startswith(reason)
    assert m.timing is not None
    assert m.timing.windows


def test_a_precision_that_was_not_executed_is_invalid(backend: FakeBackend) -> None:
    backend.step.facts = {"precision_honoured": False, "precision_evidence": "addmm ran in float32"}
    m = measure(backend, precision="bf16")
    assert (m.status, m.reason) == ("invalid", "bf16 was asked for but not executed: addmm ran in float32")


def test_what_ran_elsewhere_is_invalid_and_keeps_its_numbers(backend: FakeBackend) -> None:
    """Said before all else: it explains a precision that was not executed, and numbers that are off."""
    backend.reference_outputs = ("fp32", {"logits": -np.ones((1, 1, 3))})
    backend.step.facts = {"precision_honoured": False, "placement": {"ok": False, "evidence": "2 of 9 nodes on X"}}
    m = measure(backend)
    assert (m.status, m.reason) == ("invalid", "fallback: 2 of 9 nodes on X")
    assert m.timing is not None
    assert m.timing.windows
    backend.step.facts = {"placement": {"ok": True, "evidence": "9 of 9 nodes on X"}}
    backend.reference_outputs = ("fp32", {"logits": np.ones((1, 1, 3))})
    assert measure(backend).status == "ok"


def test_no_reference_is_said(backend: FakeBackend) -> None:
    backend.reference_outputs = None
    m = measure(backend)
    assert m.numerics is not None
    assert (m.status, m.numerics.verdict) == ("ok", "not_checked")


def test_reserved_facts_go_to_their_own_records(backend: FakeBackend) -> None:
    backend.step.facts = {"export_s": 1.5, "peak_memory_bytes": 77, "peak_memory_scope": "all of it", "threads": 2}
    m = measure(backend)
    assert m.timing is not None
    assert m.memory is not None
    assert m.timing.export_s == 1.5
    assert (m.memory.peak_bytes, m.memory.scope) == (77, "all of it")
    assert m.facts == {"threads": 2}


def test_no_meter_is_no_energy_with_a_reason(backend: FakeBackend) -> None:
    m = measure(backend)
    assert [e.scenario for e in m.energy] == ["throughput", "latency"]
    assert [e.energy_j for e in m.energy] == [None, None]
    assert all(e.reason for e in m.energy)
