"""Devices, options and compiled models on real second providers: OpenVINO on the CPU, QNN's simulator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.other_runtimes, pytest.mark.slow]
KEPT = {"ep_context": True}


def cases(run, cache: Path, device: str, *options: dict) -> list[dict]:
    """What became of a graph on the device with each set of options."""
    done = run("tests.other_runtimes.tuned", str(cache), device, *map(json.dumps, options))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def here(run, cache: Path) -> dict:
    done = run("tests.other_runtimes.tuned", str(cache), "devices")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_openvino_has_the_targets_that_are_there(openvino, tmp_path):
    """The build lists the provider once, whatever hardware there is; the CPU is always."""
    found = here(openvino, tmp_path)
    device = found["devices"]["openvino:cpu"]
    assert device["kind"] == "cpu"
    assert device["package"].startswith("onnxruntime-openvino ")
    assert "functional_only" not in device, "it is made for CPUs"
    told = found["devices"].keys() | found["installed"].keys()
    assert {"openvino:npu", "openvino:gpu", "openvino:cpu", "cpu"} <= told
    assert not {"openvino:npu", "openvino:gpu"} & found["devices"].keys() & found["installed"].keys()
    assert list(found["devices"])[-1] == "openvino:cpu", "never chosen by itself where the CPU provider is meant"


def test_qnn_on_x86_is_a_simulator(qnn, tmp_path):
    found = here(qnn, tmp_path)
    device = found["devices"]["qnn:npu"]
    assert device["kind"] == "npu"
    assert device["plugin"].startswith("onnxruntime-qnn ")
    assert device["provider_vendor"] == "Qualcomm"
    assert "simulates Qualcomm" in device["functional_only"]
    assert list(found["devices"])[-1] == "qnn:npu"


def test_openvino_takes_its_options(openvino, tmp_path):
    plain, one, streams = cases(
        openvino, tmp_path, "openvino:cpu", {}, {"threads": 1}, {"provider.num_streams": "2", "threads": 2}
    )
    assert plain["facts"]["provider_options"] == {"device_type": "CPU"}
    assert one["facts"]["provider_options"] == {"device_type": "CPU", "num_of_threads": "1"}
    assert one["facts"]["threads_started"] < streams["facts"]["threads_started"]
    assert plain["facts"]["ep_context"] == "off"
    assert plain["facts"]["session_s"] > 0
    assert plain["sum"] == pytest.approx(streams["sum"])


def test_openvino_refuses_what_it_would_not_do(openvino, tmp_path):
    unknown, graph, path = cases(
        openvino, tmp_path, "openvino:cpu",
        {"provider.htp_performance_mode": "burst"}, {"cuda_graph": True}, {"provider.load_config": "/nowhere.json"},
    )  # fmt: skip
    assert "OpenVINO has none that chipmark knows" in unknown["error"]
    assert graph == {"unsupported": "OpenVINO captures no CUDA graphs"}
    assert "would run on the CPU instead" in path["error"]
    assert "load_config=/nowhere.json" in path["error"]


def test_qnn_takes_its_options_and_refuses_what_it_would_ignore(qnn, tmp_path):
    burst, typo = cases(
        qnn, tmp_path, "qnn:npu", {"provider.htp_performance_mode": "burst"}, {"provider.htp_performance_mode": "brst"}
    )
    assert burst["facts"]["provider_options"] == {"backend_type": "htp", "htp_performance_mode": "burst"}
    assert "must be burst or balanced" in typo["error"]


def test_compiled_models_are_kept_and_used(qnn, tmp_path):
    plain, cold, warm = cases(qnn, tmp_path, "qnn:npu", {}, KEPT, KEPT)
    assert [case["facts"]["ep_context"] for case in (plain, cold, warm)] == ["off", "cold", "warm"]
    assert cold["facts"]["compile_s"] > 0
    assert warm["facts"]["compile_s"] is None
    assert not plain["kept"]
    assert warm["kept"] == cold["kept"], "not a file was written again"
    assert plain["sum"] == cold["sum"] == warm["sum"]
    assert warm["facts"]["placement"]["ok"] is True
    (later,) = cases(qnn, tmp_path, "qnn:npu", KEPT)
    assert later["facts"]["ep_context"] == "warm", "in another process too"


def test_openvino_on_a_cpu_compiles_in_spite_of_its_cache_and_that_is_told(openvino, tmp_path):
    cold, again = cases(openvino, tmp_path, "openvino:cpu", KEPT, KEPT)
    assert (cold["facts"]["ep_context"], cold["kept"] != again["kept"]) == ("cold", True)
    assert again["facts"]["ep_context"] == "unused"
    assert again["facts"]["compile_s"] > 0
    assert cold["sum"] == again["sum"]


@pytest.mark.parametrize("name", ["openvino:cpu", "qnn:npu"])
def test_a_damaged_compiled_model_is_replaced(request, tmp_path, name):
    run = request.getfixturevalue(name.partition(":")[0])
    (cold,) = cases(run, tmp_path, name, KEPT)
    for path in map(Path, cold["kept"]):
        if path.suffix in (".bin", ".blob"):
            path.write_bytes(path.read_bytes()[:100])
    (again,) = cases(run, tmp_path, name, KEPT)
    assert again["sum"] == cold["sum"]
    assert again["facts"]["placement"]["ok"] is True
