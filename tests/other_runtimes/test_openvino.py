"""OpenVINO on the CPU, a real second provider: what runs on it, and what it leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.other_runtimes, pytest.mark.slow]
OPENVINO, CPU = "OpenVINOExecutionProvider", "CPUExecutionProvider"


def test_a_graph_that_it_takes_is_all_on_it(openvino, planted):
    found = planted(openvino, "openvino:cpu", "whole")["placement"]
    assert (found["ok"], found["asked"], found["disagreement"]) == (True, OPENVINO, "")
    assert (found["share_of_time"], found["share_of_nodes"], found["share_of_work"]) == (1, 1, 1)
    assert found["nodes_by_provider"] == {OPENVINO: 6}


def test_half_a_graph_is_a_fallback(openvino, planted):
    found = planted(openvino, "openvino:cpu", "half")["placement"]
    assert found["ok"] is False
    assert found["nodes_by_provider"] == {OPENVINO: 6, CPU: 1}
    assert found["left_on_cpu"] == {"com.microsoft.CDist": 1}
    assert found["num_profiled_runs"] == 5
    assert 0 < found["share_of_time"] < 0.95
    assert found["evidence"].startswith("less than 95% of the time: ")


@pytest.mark.parametrize("hardware", ["GPU", "NPU"])
def test_hardware_that_is_not_there_is_refused(openvino, planted, hardware):
    """ONNX Runtime prints a line and opens the session on the CPU."""
    found = planted(openvino, "openvino:cpu", "whole", f"device_type={hardware}")
    assert found.keys() == {"error"}
    assert OPENVINO in found["error"]


def test_a_suite_runs_on_it_and_each_record_proves_it(openvino, tmp_path):
    suite = Path(__file__).parent / "small.toml"
    done = openvino("harness", "run", str(suite), "--device", "openvino:cpu", "--out", str(tmp_path / "run"), "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    cases = json.loads(done.stdout)["cases"]
    assert len(cases) == 5
    assert {c["status"] for c in cases if c["case"]["precision"] == "fp32"} == {"ok"}, [c["reason"] for c in cases]
    cases = [case for case in cases if case["status"] != "unsupported"]
    assert {case["execution_provider"] for case in cases} == {OPENVINO}
    assert min(case["provider_time_share"] for case in cases) >= 0.95
    assert min(case["provider_work_share"] for case in cases) == 1
    table = openvino("harness", "show", str(tmp_path / "run"))
    assert f"on {OPENVINO}: 100 % of the time, 100 % of the nodes" in " ".join(table.stdout.split())


def test_a_fallback_planted_into_a_case_is_invalid_though_its_numbers_are_right(openvino):
    """A chain of operators that change nothing, and that only the CPU's provider has, in front of a model."""
    done = openvino("tests.other_runtimes.planted_case")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["status"], found["stage"]) == ("invalid", "finish")
    assert found["reason"].startswith("fallback: less than 95% of the time: ")
    assert "left on the CPU: ai.onnx.ml.Scaler 50" in found["reason"]
    assert found["numerics"] == "pass"
    assert found["windows"] > 0
