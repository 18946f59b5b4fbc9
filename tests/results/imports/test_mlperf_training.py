"""Scores of MLPerf Training are computed again from the times of their runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.errors import UsageError
from results.imports.olympic import olympic_mean
from tests.results.imports.given import TRAINING_EXCERPT, csv_file, training

WIDE = {
    "division": "closed", "availability": "Available cloud", "submitter": "Acme", "system": "box",
    "number_of_nodes": "2", "host_processor_model_name": "CPU", "host_processors_count": "4",
    "accelerator_model_name": "NVIDIA H100-SXM5-80GB", "accelerators_count": "16", "framework": "PyTorch",
    "notes": "", "bert": "", "gpt3": "114.5", "details_url": "https://example.org/s.json", "code_url": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def genuine():
    found = training(TRAINING_EXCERPT)
    assert found.refused == ()
    return {(r.citation.title[-4:], r.system, r.citation.benchmark): r for r in found.results}


def changed(folder, **cells):
    """The first genuine row (8 x MI300X, LoRA), with cells replaced."""
    row = {
        "round": "v5.0", "submitter": "AMD", "division": "closed", "status": "Available on-premise", "system": "box",
        "benchmark": "llama2_70b_lora", "accelerator": "AMD Instinct MI300X 192GB HBM3", "number_of_nodes": "1",
        "accelerators_per_node": "8", "accelerators": "8", "framework": "PyTorch", "global_batch_size": "8",
        "runs_ok": "3", "runs_failed": "0", "run_minutes": "10;12;17", "olympic_mean_minutes": "12",
        "rcp_scaling_factor": "1.5", "score_minutes": "18", "commit": "x",
    }  # fmt: skip
    return csv_file(folder, {**row, **cells})


def only(path, round_name=""):
    (result,) = training(path, round_name).results
    return result


def test_the_score_of_8_mi300x_is_that_of_its_runs(genuine):
    result = genuine["v5.0", "MI300X_EPYC_9575F_pytorch", "llama2_70b_lora"]
    assert result.value / 60 == pytest.approx(29.2502, abs=1e-9)
    assert (result.unit, result.better, result.quantity, result.phase) == ("s", "lower", "time_to_train", "train")
    assert (result.device, result.num_accelerators, result.batch_size, result.doubts) == ("MI300X", 8, 8, ())
    assert result.citation.category == "available on-premise"


def test_of_nine_runs_and_one_that_failed_only_the_fastest_is_dropped(genuine):
    result = genuine["v4.0", "eos_n8_ngc23.04_pytorch", "bert"]
    assert result.value / 60 == pytest.approx(0.8981, abs=1e-9)
    assert result.doubts == ()
    # By hand: without 0.8175, the eight others are 7.1852 together.
    assert olympic_mean([0.9353, 0.8780, 0.8781, 0.8780, 0.8790, 0.8175, 0.8789, 0.9900, 0.8679], 1) == pytest.approx(
        7.1852 / 8, abs=1e-12
    )


def test_a_slice_of_v5p_1024_is_512_chips(genuine):
    result = genuine["v4.0", "cloud-tpu-v5p-1024-maxtext", "gpt3"]
    assert (result.num_accelerators, result.device, result.doubts) == (512, "TPU-v5p", ())


def test_cores_that_are_counted_as_chips_are_flagged(tmp_path):
    cells = {"system": "tpu-v5p-1024", "accelerator": "TPU-v5p", "number_of_nodes": "128", "accelerators": "1024",
             "accelerators_per_node": "8"}  # fmt: skip
    result = only(changed(tmp_path, **cells))
    assert result.doubts == ("v5p-1024 is a slice of 512 chips, but 1024 are counted",)
    assert result.num_accelerators_reason != ""


def test_names_of_one_chip_that_drift_lead_to_one_row(genuine):
    names = {r.accelerator for r in genuine.values() if r.device == "H100"}
    assert names == {"NVIDIA H100-SXM5-80GB", "NVIDIA H100-SXM-80GB", "NVIDIA H100 80GB HBM3"}
    cooled = genuine["v5.1", "AS-8126GS-TNMR", "llama2_70b_lora"]
    assert cooled.device is None
    assert "dlc" in cooled.device_reason


def test_a_score_that_its_runs_do_not_give_is_kept_and_flagged(tmp_path):
    assert only(changed(tmp_path)).doubts == ()  # 12 x 1.5 = 18
    result = only(changed(tmp_path, score_minutes="17.9"))
    assert result.value == pytest.approx(17.9 * 60)
    assert result.doubts == ("stated as 17.9 min, but its runs give 18.0000 min",)


def test_rounding_is_no_difference(tmp_path):
    assert only(changed(tmp_path, score_minutes="18.0001")).doubts == ()
    assert only(changed(tmp_path, score_minutes="18.0002")).doubts != ()


def test_a_score_that_is_not_stated_is_computed_and_said_to_be(tmp_path):
    result = only(changed(tmp_path, score_minutes=""))
    assert result.value == pytest.approx(1080)
    assert result.doubts == ("no score is stated: taken from the times of its runs",)


@pytest.mark.parametrize(
    ("cells", "doubt"),
    [
        ({"runs_failed": "2"}, "no score by the rules"),
        ({"run_minutes": "10;12"}, "no score by the rules"),
        ({"runs_ok": "4"}, "4 runs are counted, but the times of 3 are given"),
        ({"division": "open"}, "open division"),
        ({"accelerators": "9"}, "9 accelerators in all"),
    ],
)
def test_what_does_not_fit_together_is_a_doubt(tmp_path, cells, doubt):
    assert any(doubt in found for found in only(changed(tmp_path, **cells)).doubts)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"score_minutes": "1,018"}, "column score_minutes: '1,018' has separators"),
        ({"score_minutes": "-1"}, "column score_minutes"),
        ({"score_minutes": "", "run_minutes": ""}, "column score_minutes: is empty"),
        ({"run_minutes": "10;nan;12"}, "column run_minutes"),
        ({"round": ""}, "column round: is empty"),
        ({"division": "x"}, "column division"),
        ({"rcp_scaling_factor": "0"}, "column rcp_scaling_factor"),
    ],
)
def test_a_file_of_wrong_rows_alone_is_refused_with_the_reason(tmp_path, cells, reason):
    with pytest.raises(UsageError, match="holds no results: row 2: ") as caught:
        training(changed(tmp_path, **cells))
    assert reason in str(caught.value)


def test_the_wide_table_has_one_result_for_each_benchmark(tmp_path):
    result = only(csv_file(tmp_path, WIDE), "v5.1")
    assert (result.citation.title, result.citation.benchmark) == ("MLPerf Training v5.1", "gpt3")
    assert result.value == pytest.approx(6870)  # 114.5 min
    assert (result.num_accelerators, result.num_nodes, result.device) == (16, 2, "H100")
    assert (result.citation.url, result.doubts) == ("https://example.org/s.json", ())


def test_the_wide_table_without_its_round_says_so(tmp_path):
    assert only(csv_file(tmp_path, WIDE)).doubts == ("the file does not say of which round it is",)


def test_columns_of_numbers_that_need_not_be_minutes_are_not_imported(tmp_path):
    found = training(csv_file(tmp_path, {**WIDE, "cosmoflow:number_of_models": "40", "power": "5"}), "v5.1")
    assert len(found.results) == 1
    assert "cosmoflow:number_of_models, power" in found.refused[0].reason


def test_one_wrong_benchmark_does_not_take_the_others(tmp_path):
    found = training(csv_file(tmp_path, {**WIDE, "bert": "fast"}), "v5.1")
    assert [r.citation.benchmark for r in found.results] == ["gpt3"]
    assert found.refused[0].reason == "column bert: 'fast' is not a number"


@given(st.lists(st.floats(0.01, 1e4), min_size=3, max_size=12))
def test_a_run_that_failed_is_the_slowest(minutes):
    assert olympic_mean(minutes, 1) == pytest.approx(olympic_mean([*minutes, 1e6], 0))
    assert min(minutes) <= olympic_mean(minutes, 0) <= max(minutes) * (1 + 1e-12)


def test_four_are_dropped_at_each_end_of_unet3d():
    assert olympic_mean([1, 2, 3, 4, 10, 20, 30, 40, 50], 0, 4) == 10
    assert olympic_mean([1, 2, 3, 4, 10, 20], 3, 4) == 10  # of the slow ones only 20 is left to drop


def test_scores_of_the_derived_layout_are_computed_and_not_the_publishers(tmp_path):
    assert only(changed(tmp_path)).computed
    assert not only(csv_file(tmp_path, WIDE), "v5.0").computed


def test_a_factor_that_makes_a_score_better_is_a_doubt(tmp_path):
    result = only(changed(tmp_path, rcp_scaling_factor="0.5", score_minutes="6"))
    assert result.doubts == ("a scaling factor of 0.5, which may only be 1 or more",)


def test_a_score_that_overflows_is_refused_by_its_row(tmp_path):
    path = changed(tmp_path, score_minutes="1e308", run_minutes="")
    with pytest.raises(UsageError, match="too large or too small"):
        training(path)
