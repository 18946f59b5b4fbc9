"""A silent fallback, planted: real sessions on a provider that is not there, or that lists itself and takes nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest

for package in ("onnx", "onnxruntime", "onnxscript", "torch"):
    pytest.importorskip(package)

import onnxruntime  # noqa: E402

from backends.onnx_providers import CPU  # noqa: E402
from backends.onnxruntime_provider import Provider  # noqa: E402
from harness.clock import HostClock  # noqa: E402
from harness.messages import Task  # noqa: E402
from harness.worker import run_task  # noqa: E402
from results.records import CaseSpec, Measurement, MeasureSpec  # noqa: E402
from tests.backends.onnxruntime.tiny_workloads import TinyWorkload, case_of  # noqa: E402
from tests.harness.fakes import DraftReporter  # noqa: E402
from workloads import REGISTRY as WORKLOADS  # noqa: E402

MEASURE = MeasureSpec(min_seconds=0.01, min_iterations=3, max_seconds=0.1, warmup_max_seconds=0.05)
# In every wheel of ONNX Runtime for common systems, and takes no node of any usual graph.
AZURE = "AzureExecutionProvider"
needs_azure = pytest.mark.skipif(
    AZURE not in onnxruntime.get_available_providers(), reason="this build of ONNX Runtime has but the CPU provider"
)


def measured(case: CaseSpec) -> Measurement:
    reporter = DraftReporter()
    run_task(Task(case=case, measure=MEASURE, log_path=""), reporter, HostClock())
    draft = reporter.draft
    assert draft.status is not None
    return draft.measurement(case, 0, draft.status, str(draft.fields["reason"]), "now", 0.0)


@pytest.fixture
def workload(cache: Path, monkeypatch: pytest.MonkeyPatch) -> TinyWorkload:
    tiny = TinyWorkload()
    monkeypatch.setitem(WORKLOADS._resolved, tiny.spec.name, tiny)
    return tiny


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch):
    """Has the device ``cpu`` be another provider's."""

    def plant(name: str) -> None:
        provider = Provider(name, "cpu", "cpu", dataclasses.replace(CPU, name=name))
        monkeypatch.setattr("backends.onnxruntime_backend.provider_of", lambda runtime, device: provider)

    return plant


@needs_azure
def test_a_provider_that_lists_itself_and_takes_no_node_is_caught(workload: TinyWorkload, plant) -> None:
    plant(AZURE)
    found = measured(case_of(workload))
    assert (found.status, found.stage) == ("invalid", "finish")
    assert found.reason.startswith(f"fallback: no node is on {AZURE}: 0% of the time and 0 of ")
    assert "left on the CPU: " in found.reason
    assert "Gemm 2" in found.reason
    placement = found.facts["placement"]
    assert isinstance(placement, dict)
    assert placement["left_on_cpu"]["Conv"] == 1
    assert placement["time_by_provider"] == {"CPUExecutionProvider": 1.0}
    assert AZURE in found.facts["providers"], "so the session's own list says"  # type: ignore[operator]
    assert found.timing is not None
    assert found.timing.windows, "what was measured is kept"


@needs_azure
def test_no_limit_lets_a_whole_fallback_through(workload: TinyWorkload, plant) -> None:
    plant(AZURE)
    found = measured(case_of(workload, min_provider_share=0.0))
    assert (found.status, found.reason[:27]) == ("invalid", "fallback: no node is on Azu")


def test_a_provider_that_is_not_there_is_refused(workload: TinyWorkload, plant) -> None:
    plant("OpenVINOExecutionProvider")
    found = measured(case_of(workload))
    # By the probe of precisions, or, where that was asked before the device vanished, by the case's own session.
    assert found.status in ("unsupported", "failed")
    assert found.timing is None
    assert "OpenVINOExecutionProvider" in found.reason


def test_the_cpu_itself_is_no_fallback(workload: TinyWorkload) -> None:
    found = measured(case_of(workload))
    assert (found.status, found.reason) == ("ok", "")
    alone = msgspec.structs.replace(case_of(workload), options={"threads": 1, "min_provider_share": 1.0})
    assert measured(alone).status == "ok"
