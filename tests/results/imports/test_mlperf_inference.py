"""MLPerf Inference's tables hold traps; each is told, none is fallen into."""

from __future__ import annotations

import json

import pytest

from results.errors import UsageError
from results.imports.same_results import num_measurements
from tests.results.imports.given import INFERENCE_EXCERPT, JSON_ROW, inference, json_file


@pytest.fixture(scope="module")
def genuine():
    """Results of the genuine excerpt by (submitter, benchmark, scenario); AMD's cluster apart."""
    found = inference(INFERENCE_EXCERPT)
    assert found.refused == ()
    return {
        (r.citation.submitter, r.citation.benchmark, r.citation.scenario): r
        for r in found.results
    }  # fmt: skip


def only(path):
    (result,) = inference(path).results
    return result


def test_a_row_is_taken_as_published(genuine):
    result = genuine["AMD", "gpt-oss-120b", "Offline"]
    assert (result.value, result.unit, result.better) == (95004.0, "token/s", "higher")
    assert (result.device, result.num_nodes, result.num_accelerators) == ("MI355X", 1, 8)
    assert result.value_per_accelerator == 11875.5  # 95004 / 8
    assert (result.precision, result.inferred, result.doubts) == ("fp4", False, ())
    cited = result.citation
    assert (cited.publisher, cited.title, cited.division) == ("MLCommons", "MLPerf Inference v6.0", "closed")
    assert (cited.category, cited.suite) == ("available", "datacenter")
    assert cited.result_id.endswith("gpt-oss-120b/Offline/performance/run_1")
    assert (cited.retrieved, cited.url) == ("2026-07-24", "https://example.org/file")
    assert "trademarks of MLCommons" in cited.trademark


def test_whisper_is_scored_in_tokens(genuine):
    result = genuine["ASUSTeK", "whisper", "Offline"]
    assert (result.value, result.unit) == (18338.3, "token/s")
    assert any("unit was corrected" in doubt for doubt in result.doubts)


def test_a_cluster_of_87_that_is_counted_as_88_has_no_value_for_each(genuine):
    result = genuine["AMD", "llama2-70b-99", "Offline"]
    assert result.num_accelerators == 88
    assert result.doubts == ("88 accelerators by its columns, 87 by its name",)
    assert result.value_per_accelerator is None
    assert "in doubt" in result.value_per_accelerator_reason


def test_a_platform_that_names_another_number_is_flagged_too(tmp_path):
    result = only(json_file(tmp_path, {"Platform": "15xH100_4xCPU"}))
    assert result.doubts == ("16 accelerators by its columns, 15 by its name",)


def test_a_platform_that_names_a_node_or_the_whole_is_not(tmp_path):
    for platform in ("8xH100_2xCPU", "16xH100"):
        assert only(json_file(tmp_path, {"Platform": platform})).doubts == ()


def test_chips_are_counted_by_node(tmp_path):
    result = only(json_file(tmp_path, {}))
    assert result.num_accelerators == 16
    assert result.value_per_accelerator == 200.0  # 3200 / 16


def test_a_total_that_is_not_the_product_is_flagged(tmp_path):
    result = only(json_file(tmp_path, {"Total Accelerators": 15}))
    assert result.num_accelerators == 15
    assert result.doubts[0] == "15 accelerators in all, but 2 nodes of 8 are 16"
    assert result.value_per_accelerator is None


@pytest.mark.parametrize("cells", [{"a#": "", "Accelerator": ""}, {"a#": 0, "Accelerator": "N/A"}])
def test_a_processor_has_no_number_of_accelerators(tmp_path, cells):
    result = only(json_file(tmp_path, cells))
    assert (result.accelerator, result.num_accelerators, result.value_per_accelerator) == (None, None, None)
    assert result.num_accelerators_reason == result.device_reason == "no accelerator is named"


def test_the_name_of_a_processor_that_says_gpu_is_flagged(genuine):
    result = genuine["Lenovo", "resnet", "SingleStream"]
    assert result.accelerator is None
    assert "integrated GPU" in result.doubts[0]


def test_a_system_of_several_kinds_has_no_value_for_each(genuine):
    result = genuine["Dell_MangoBoost", "llama2-70b-99", "Offline"]
    assert (result.num_accelerators, result.device, result.value_per_accelerator) == (24, None, None)
    assert result.device_reason == "a system of several kinds of accelerator"


def test_several_kinds_in_the_style_of_v5_1(tmp_path):
    result = only(json_file(tmp_path, {"Accelerator": "AMD Instinct MI300X (x32), AMD Instinct MI325X (x16)"}))
    assert (result.device, result.value_per_accelerator) == (None, None)


def test_latencies_are_in_seconds_and_less_is_better(genuine):
    short = genuine["Lenovo", "resnet", "MultiStream"]  # published in ms
    long = genuine["Cisco", "wan-2.2-t2v-a14b", "SingleStream"]  # published in s
    assert (short.value, short.unit, short.better) == (pytest.approx(0.00080682, rel=1e-12), "s", "lower")
    assert (long.value, long.unit, long.better) == (21.425919695, "s", "lower")
    assert short.value_per_accelerator is long.value_per_accelerator is None


def test_scenarios_are_written_in_either_case_and_inferred_results_are_marked(genuine):
    result = genuine["Krai", "wan-2.2-t2v-a14b", "Offline"]  # offline, in the file
    assert result.inferred is True
    assert genuine["ASUSTeK", "gpt-oss-120b", "Interactive"].inferred is True
    assert genuine["Google", "dlrm-v3", "Server"].unit == "query/s"


def test_power_is_of_the_same_run(tmp_path):
    result = only(json_file(tmp_path, {"has_power": True, "Power_Result": 7636.4895833333, "Power_Units": "Watts"}))
    assert (result.quantity, result.power_w) == ("throughput", 7636.4895833333)
    assert "wall" in result.power_scope


def test_energy_of_a_query_is_a_result_of_its_own(tmp_path):
    path = json_file(
        tmp_path,
        {"Scenario": "SingleStream", "Performance_Result": 5, "Performance_Units": "Latency (ms)",
         "Power_Result": 155.1423475863, "Power_Units": "millijoules"},
    )  # fmt: skip
    latency, energy = inference(path).results
    assert (latency.quantity, latency.value, latency.power_w) == ("latency", 0.005, None)
    assert (energy.quantity, energy.unit, energy.better) == ("energy_per_query", "J", "lower")
    assert energy.value == pytest.approx(0.1551423475863, rel=1e-12)


def test_a_power_row_of_the_csv_is_power(tmp_path):
    text = INFERENCE_EXCERPT.read_text().replace('"Tokens/s"', '"Watts"', 1)
    path = tmp_path / "power.csv"
    path.write_text(text)
    result = inference(path).results[0]
    assert (result.quantity, result.unit, result.better, result.value) == ("power", "W", "lower", 1042110.0)


def test_two_accuracy_targets_of_one_run_are_one_measurement(tmp_path):
    path = json_file(tmp_path, {}, {"Model": "llama2-70b-99.9"}, {"Model": "llama2-70b-99.9", "System": "other"})
    first, second, other = inference(path).results
    assert first.doubts == () == other.doubts
    assert second.doubts == (
        "the same number stands under another accuracy target (row 1): one measurement, count it once",
    )
    assert num_measurements([first, second, other]) == 2


def test_a_row_that_is_there_twice_is_flagged(tmp_path):
    _, same, another = inference(json_file(tmp_path, {}, {"Scenario": "offline"}, {"Performance_Result": 1})).results
    assert same.doubts == ("row 1 is of the same system, benchmark and scenario, with the same value",)
    assert another.doubts == ("row 1 is of the same system, benchmark and scenario, with another value",)


def test_the_open_division_is_flagged_with_its_model(tmp_path):
    path = json_file(
        tmp_path, {"Category": "open", "Submitter": "GATEOverflow", "UsedModel": "mobilenet", "Model": "resnet"}
    )
    assert only(path).doubts == (
        "open division of mobilenet: not comparable with results of the closed division",
        "one of many mobile models that this submitter entered under one benchmark",
    )


@pytest.mark.parametrize(
    ("cells", "doubt"),
    [
        ({"errors": 3}, "counts errors in its log: 3"),
        ({"compliance": "open"}, "compliance says open, the division is closed"),
        ({"compliance": 0}, "did not pass the compliance tests"),
        ({"Details": "https://github.com/mlcommons/submissions_inference_v6.0/tree/main/x"},
         "points at submissions_inference_v6.0"),
        ({"Notes": "H100 TGP 500W"}, "'TGP 500W': not run as the H100 of the device table, rated at 700 W"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_a_doubt(tmp_path, cells, doubt):
    (found,) = only(json_file(tmp_path, cells)).doubts
    assert doubt in found


def test_a_power_cap_is_another_configuration(tmp_path):
    cells = {"Accelerator": "AMD Instinct MI300X 192GB HBM3", "System": "Box (Power Cap 1000W)"}
    result = only(json_file(tmp_path, cells))
    assert result.device is None
    assert "Power Cap 1000W" in result.device_reason
    assert "not run as the MI300X of the device table, rated at 750 W" in result.doubts[0]


def test_unknown_columns_are_passed_over_and_missing_ones_named(tmp_path):
    assert only(json_file(tmp_path, {"New Column": "x", "Details": None})).citation.url == "https://example.org/file"
    with pytest.raises(UsageError, match="no row has a#, inferred|no row has inferred, a#|a#"):
        inference(json_file(tmp_path, {"a#": None}))
    text = INFERENCE_EXCERPT.read_text().replace('"accelerators_per_node"', '"per_node"', 1)
    path = tmp_path / "drift.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match="missing column accelerators_per_node"):
        inference(path)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"Performance_Result": "1,042,110.0"}, "separators of thousands"),
        ({"Performance_Result": ""}, "column Performance_Result: is empty"),
        ({"Performance_Result": "NaN"}, "not a number above zero"),
        ({"Performance_Result": float("nan")}, "not a number above zero"),
        ({"Performance_Result": float("inf")}, "not a number above zero"),
        ({"Performance_Result": 0}, "not a number above zero"),
        ({"Performance_Result": -5}, "not a number above zero"),
        ({"Performance_Result": True}, "is not a number"),
        ({"Performance_Result": [1]}, "is not a text or a number"),
        ({"Performance_Units": "Tokens/h"}, "column Performance_Units: 'Tokens/h' is none of"),
        ({"Scenario": "Online"}, "column Scenario"),
        ({"Category": "close"}, "column Category"),
        ({"Nodes": 1.5}, "column Nodes: '1.5' is not a whole number"),
        ({"inferred": 2}, "column inferred"),
        ({"Power_Result": 5, "Power_Units": "Tokens/s"}, "column Power_Units"),
        ({"Submitter": ""}, "column Submitter: is empty"),
    ],
)
def test_a_wrong_row_is_refused_and_the_others_are_taken(tmp_path, cells, reason):
    found = inference(json_file(tmp_path, {"System": "good"}, cells))
    assert [r.system for r in found.results] == ["good"]
    (refused,) = found.refused
    assert refused.row == 2
    assert reason in refused.reason


def test_a_key_that_is_there_twice_refuses_its_row(tmp_path):
    good = json.dumps(JSON_ROW)
    twice = good.replace('"Nodes": 2', '"Nodes": 2, "Nodes": 4')
    path = tmp_path / "twice.json"
    path.write_text(f"[{good}, {twice}]")
    found = inference(path)
    assert (len(found.results), found.refused[0].reason) == (1, "'Nodes' is there twice")
