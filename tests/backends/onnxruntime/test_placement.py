"""What counts as run on a provider, on what OpenVINO and QNN really wrote, and on what ONNX Runtime could say."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from backends.onnxruntime_assignment import assignment
from backends.onnxruntime_audit import Audit, read_profile
from backends.onnxruntime_placement import Placement, percent, told_ops

RECORDED = Path(__file__).parent / "recorded"
OPENVINO, QNN, CPU = "OpenVINOExecutionProvider", "QNNExecutionProvider", "CPUExecutionProvider"
# Three products of 256 x 256 matrices with a Relu behind each; "half" and "rest" have a CDist in the middle.
FLOPS = 3 * 2 * 256**3


class RecordedSession:
    """What a session said, read again."""

    def __init__(self, recorded: list[dict[str, Any]]) -> None:
        self.recorded = recorded

    def get_provider_graph_assignment_info(self) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(
                ep_name=subgraph["ep_name"],
                get_nodes=lambda nodes=subgraph["nodes"]: [SimpleNamespace(domain=d, op_type=op) for d, op in nodes],
            )
            for subgraph in self.recorded
        ]


def placement_of(name: str, asked: str, **changes: Any) -> dict[str, Any]:
    recorded = json.loads((RECORDED / f"{name}.json").read_text())
    fields = {
        "opened_with": recorded["providers"],
        "assigned": assignment(RecordedSession(recorded["assignment"])),
        "audit": read_profile(recorded["events"]),
        "flops": FLOPS,
    }
    facts = Placement(asked=asked, **(fields | changes)).facts()
    json.dumps(facts)
    assert msgspec.to_builtins(facts) == facts
    return facts["placement"]  # type: ignore[return-value]


def test_all_on_the_provider_asked_for() -> None:
    found = placement_of("openvino_whole", OPENVINO)
    assert (found["ok"], found["left_on_cpu"], found["disagreement"]) == (True, {}, "")
    assert (found["share_of_time"], found["share_of_nodes"], found["share_of_work"]) == (1, 1, 1)
    assert found["nodes_by_provider"] == {OPENVINO: 6}
    assert found["time_by_provider"] == {OPENVINO: 1}
    assert found["evidence"] == f"100% of the time and 6 of 6 nodes on {OPENVINO}"


def test_an_operator_that_the_provider_leaves_on_the_cpu_is_told_and_weighed() -> None:
    found = placement_of("openvino_half", OPENVINO)
    assert found["ok"] is False
    assert found["nodes_by_provider"] == {OPENVINO: 6, CPU: 1}
    assert found["left_on_cpu"] == {"com.microsoft.CDist": 1}
    # Of six runs the first, which warms up, does not count; CDist took 115 of 585 us in the median one of the rest.
    assert found["num_profiled_runs"] == 5
    assert found["share_of_time"] == pytest.approx(1 - 115 / 585)
    assert found["share_of_nodes"] == 6 / 7
    assert sum(found["time_by_provider"].values()) == pytest.approx(1)
    assert found["share_of_work"] == 1, "CDist is no matrix product"
    assert found["evidence"].startswith("less than 95% of the time: ")
    assert found["evidence"].endswith(f" and 6 of 7 nodes on {OPENVINO}; left on the CPU: com.microsoft.CDist 1")


def test_the_limit_decides() -> None:
    share = placement_of("openvino_half", OPENVINO)["share_of_time"]
    assert placement_of("openvino_half", OPENVINO, min_share=share)["ok"] is True
    assert placement_of("openvino_half", OPENVINO, min_share=share + 1e-6)["ok"] is False


def test_a_slow_provider_does_not_hide_work_done_by_the_cpu() -> None:
    """The simulator takes hundreds of times as long for two products as the CPU for the third."""
    found = placement_of("qnn_rest_on_cpu", QNN)
    assert found["share_of_time"] > 0.99
    assert found["share_of_nodes"] == 3 / 7
    assert found["share_of_work"] == pytest.approx(2 / 3)
    assert found["ok"] is False
    assert found["evidence"].startswith("less than 95% of the matrix work: ")
    assert found["left_on_cpu"] == {"Relu": 2, "com.microsoft.CDist": 1, "MatMul": 1}
    by_number = placement_of("qnn_rest_on_cpu", QNN, flops=None)
    assert by_number["share_of_work"] == pytest.approx(2 / 3), "two of three nodes, where FLOPs are not known"


@pytest.mark.parametrize(
    ("name", "asked", "reason"),
    [
        ("qnn_backend_missing", QNN, f"no node is on {QNN}"),
        ("openvino_gpu_absent", OPENVINO, f"ONNX Runtime opened the session without {OPENVINO}"),
    ],
)
def test_nothing_on_the_provider(name: str, asked: str, reason: str) -> None:
    found = placement_of(name, asked)
    assert found["ok"] is False
    assert (found["share_of_time"], found["share_of_nodes"], found["share_of_work"]) == (0, 0, 0)
    assert found["evidence"] == (
        f"{reason}: 0% of the time and 0 of 6 nodes and 0% of the matrix work on {asked}; "
        "left on the CPU: MatMul 3, Relu 3"
    )
    assert placement_of(name, asked, min_share=0.0)["ok"] is False, "no limit lets through what ran elsewhere"


def test_one_source_is_missing() -> None:
    silent = "this version of ONNX Runtime does not tell (1.24 does)"
    assert assignment(object()) == silent
    by_profile = placement_of("openvino_whole", OPENVINO, assigned=silent)
    assert (by_profile["ok"], by_profile["share_of_nodes"], by_profile["share_of_time"]) == (True, None, 1)
    assert silent in by_profile["evidence"]
    half = placement_of("openvino_half", OPENVINO, assigned=silent)
    assert (half["ok"], half["left_on_cpu"]) == (False, {"CDist": 1})

    empty = read_profile([])
    whole = placement_of("openvino_whole", OPENVINO, audit=empty)
    assert (whole["ok"], whole["share_of_time"], whole["time_by_provider"]) == (True, None, None)
    assert "times not known" in whole["evidence"]
    part = placement_of("openvino_half", OPENVINO, audit=empty)
    assert part["ok"] is False
    assert part["evidence"].startswith("cannot be excluded, for the profile tells no times: ")


def test_neither_source_tells() -> None:
    unknown = placement_of("openvino_whole", OPENVINO, assigned="not told", audit=Audit((), {}, {}))
    assert unknown["ok"] is False
    assert unknown["evidence"].startswith("cannot be excluded, for neither source tells where it ran: ")
    assert (unknown["share_of_time"], unknown["share_of_nodes"], unknown["share_of_work"]) == (None, None, None)
    alone = placement_of("openvino_whole", CPU, assigned="not told", audit=Audit((), {}, {}), opened_with=[CPU])
    assert alone["ok"] is True, "nothing else was there to run it"


def test_sources_that_disagree_are_told() -> None:
    fell_back = read_profile(json.loads((RECORDED / "qnn_backend_missing.json").read_text())["events"])
    found = placement_of("openvino_whole", OPENVINO, audit=fell_back)
    assert found["ok"] is False
    assert found["disagreement"] == (
        f"6 nodes are assigned to {OPENVINO}, but the profile shows none there; "
        f"the profile shows 6 kernels on {CPU}, but no node is assigned to it"
    )
    assert found["disagreement"] in found["evidence"]


@pytest.mark.parametrize(("name", "fused"), [("openvino_whole", OPENVINO), ("qnn_backend_missing", "")])
def test_what_is_fused_hides_its_types(name: str, fused: str) -> None:
    audit = read_profile(json.loads((RECORDED / f"{name}.json").read_text())["events"])
    assert audit.fused == fused
    assert bool(audit.matrix_kernels) is not bool(fused)


def kernel(op: str, provider: str, us: int) -> dict[str, Any]:
    return {"cat": "Node", "name": f"{op}_kernel_time", "dur": us, "args": {"op_name": op, "provider": provider}}


def test_copies_and_control_flow_are_nobodys_time() -> None:
    """A loop's time is that of its body; a copy waits for what a device was given before."""
    run = [
        kernel("Gelu", "X", 60), kernel("MemcpyToHost", "X", 300), kernel("Shape", CPU, 40), kernel("Loop", CPU, 999),
    ]  # fmt: skip
    audit = read_profile([*run, {"cat": "Session", "name": "model_run", "dur": 9}])
    assert audit.ops_by_provider == {CPU: {"Loop": 1, "Shape": 1}, "X": {"Gelu": 1}}
    found = Placement("X", ["X", CPU], {"X": {"Gelu": 1}, CPU: {"Shape": 1, "Loop": 1}}, audit).facts()["placement"]
    assert found["share_of_time"] == 0.6
    assert found["time_by_provider"] == {CPU: 0.1, "X": 0.15}
    assert found["time_in_copies"] == 0.75


def test_kernels_too_fast_for_the_profilers_clock() -> None:
    audit = read_profile([kernel("Relu", "X", 0)])
    assert Placement("X", ["X", CPU], {"X": {"Relu": 1}}, audit).facts()["placement"]["share_of_time"] == 1
    mixed = read_profile([kernel("Relu", "X", 0), kernel("Relu", CPU, 0)])
    found = Placement("X", ["X", CPU], {"X": {"Relu": 1}, CPU: {"Relu": 1}}, mixed).facts()["placement"]
    assert (found["share_of_time"], found["ok"]) == (None, False)


def test_texts() -> None:
    assert [percent(share) for share in (0, 0.9499999, 0.95, 0.99999, 1)] == ["0%", "94.9%", "95%", "99.9%", "100%"]
    assert told_ops({f"Op{i}": 9 - i for i in range(8)}) == "Op0 9, Op1 8, Op2 7, Op3 6, Op4 5, Op5 4 and 2 more"
