"""QNN's simulator of the Hexagon NPU on an x86 processor: the right thing, in times of no chip."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.other_runtimes, pytest.mark.slow]
QNN, CPU = "QNNExecutionProvider", "CPUExecutionProvider"


def test_a_graph_that_it_takes_is_all_on_it_and_functional_only(qnn, planted):
    found = planted(qnn, "qnn:npu", "whole")
    placement = found["placement"]
    assert (placement["ok"], placement["asked"], placement["disagreement"]) == (True, QNN, "")
    assert (placement["share_of_time"], placement["share_of_nodes"], placement["share_of_work"]) == (1, 1, 1)
    assert "simulates" in found["details"]["functional_only"]


def test_what_a_slow_provider_leaves_to_a_fast_cpu_is_a_fallback(qnn, planted):
    found = planted(qnn, "qnn:npu", "rest")["placement"]
    assert found["ok"] is False
    assert found["left_on_cpu"] == {"Relu": 2, "com.microsoft.CDist": 1, "MatMul": 1}
    assert found["share_of_nodes"] == 3 / 7
    assert found["share_of_work"] == pytest.approx(2 / 3)
    assert found["share_of_time"] > 0.9, "by time alone it would hardly be seen"


def test_a_backend_library_that_is_missing_is_a_fallback(qnn, planted):
    """The session lists QNN first, and all nodes are on the CPU."""
    found = planted(qnn, "qnn:npu", "whole", "backend_path=libNoSuchBackend.so")["placement"]
    assert found["ok"] is False
    assert found["evidence"].startswith(f"no node is on {QNN}: ")
    assert found["nodes_by_provider"] == {CPU: 6}
