from __future__ import annotations

import io
import shutil

import numpy as np
import pandas as pd
import pytest

from results.electricity import CSV_COLUMNS, Tariff, with_electricity
from results.errors import RunFolderError, UsageError
from results.frame import POWER_COLUMNS, RUN_COLUMNS, SAMPLE_COLUMNS, load, load_power, load_samples
from results.render import render_summary
from results.rows import COLUMNS, METRIC_COLUMNS
from results.store import open_run
from results.summary import run_summary
from tests.results.energy_run import SPEC, energy_run, metered, reading
from tests.results.example_run import example_run, run_info, store


@pytest.fixture
def run(tmp_path):
    return example_run(tmp_path / "runs" / "one")


def test_one_row_a_case_with_documented_columns(run):
    frame = load(run.path)
    assert len(frame) == len(run.info.plan)
    plain = [*RUN_COLUMNS, *(column.name for column in COLUMNS)]
    assert list(frame.columns)[: len(plain)] == plain
    extra = set(frame.columns) - set(plain)
    assert extra == {"shape_sequence_length", "shape_prompt_length", "shape_new_tokens", "version_torch",
                     "version_onnxruntime", "version_numpy"}  # fmt: skip
    assert all(column.doc for column in COLUMNS)


def test_numbers_are_floats_and_missing_ones_nan(run):
    frame = load(run.path)
    assert {str(frame[name].dtype) for name in METRIC_COLUMNS} == {"float64"}
    assert frame.loc[0, "throughput_per_s"] == 400.0
    failed = frame[frame.status == "failed"].iloc[0]
    assert np.isnan(failed.throughput_per_s)
    assert failed.throughput_per_s_reason.startswith("failed: RuntimeError")


def test_identification(run):
    row = load(run.path).iloc[0]
    assert (row.run_id, row.suite, row.device_name) == ("20261122-101112-quick", "quick", "Example CPU 8-Core")
    assert row.created_at == pd.Timestamp("2026-11-22T10:11:12", tz="UTC")
    assert row.version_torch == "2.13.0+cpu"
    assert row.shape_sequence_length == 64


def test_one_several_or_a_folder_of_runs(run):
    shutil.copytree(run.path, run.path.parent / "two")
    one, twice = load(run.path), load([run.path, str(run.path)])
    pd.testing.assert_frame_equal(twice.iloc[: len(one)], one)
    pd.testing.assert_frame_equal(load(run.path.parent), twice)


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="neither a run nor a folder of runs"):
        load(tmp_path)


def test_samples_are_every_stored_sample_in_order(run):
    frame = load_samples(run.path)
    assert list(frame.columns) == list(SAMPLE_COLUMNS)
    stored = [(m, run.samples(m)) for m in run.measurements]
    assert len(frame) == sum(len(a) for _, arrays in stored for a in arrays.values())
    first, arrays = stored[0]
    part = frame[(frame.case_id == first.case_id) & (frame.kind == "latency")]
    assert (part.seconds * 1e9).round().astype(np.int64).tolist() == arrays["latency_ns"].tolist()
    assert part["index"].tolist() == list(range(400))
    assert set(frame.kind) == {"latency", "warmup"}


def test_samples_of_one_case(run):
    case_id = run.info.plan[4].case.id
    assert set(load_samples(run.path, case_id).case_id) == {case_id}
    assert load_samples(run.path, run.info.plan[1].case.id).empty  # failed before any sample
    with pytest.raises(RunFolderError, match="no case 'nonsense'"):
        load_samples(run.path, "nonsense")


def test_an_empty_run_is_an_empty_frame(tmp_path):
    path = store(tmp_path / "run", run_info([]), []).path
    assert load(path).empty
    assert "throughput_per_s" in load(path).columns
    assert load_samples(path).empty


def test_power_samples_are_no_step_times(tmp_path):
    path = energy_run(tmp_path / "run").path
    assert set(load_samples(path).kind) == {"warmup"}
    frame = load_power(path)
    assert list(frame.columns) == list(POWER_COLUMNS)
    counter = frame[frame.trace == "throughput_nvidia_gpu_board_uj"]
    power = frame[frame.trace == "throughput_nvidia_gpu_board_uw"]
    assert len(counter) + len(power) == len(frame)
    assert (set(counter.unit), counter.value.tolist(), counter.time_s.tolist()) == (
        {"J"},
        [7.0, 9.0, 11.0],
        [0.0, 0.02, 0.04],
    )
    # One clock for both.
    assert (set(power.unit), power.value.tolist(), power.time_s.tolist()) == ({"W"}, [99.5, 100.5], [0.01, 0.03])
    assert set(frame.case_id) == {SPEC.id}


def test_power_of_a_run_without_a_meter_and_of_one_case(run, tmp_path):
    assert load_power(run.path).empty
    assert list(load_power(run.path).columns) == list(POWER_COLUMNS)
    path = energy_run(tmp_path / "run").path
    assert len(load_power(path, SPEC.id)) == 5
    with pytest.raises(RunFolderError, match="no case 'nonsense'"):
        load_power(path, "nonsense")


def test_power_without_its_times_is_refused(tmp_path):
    samples = {"throughput_x_uw": np.arange(3), "throughput_x_uw_time_ns": np.arange(2)}
    path = store(tmp_path / "run", run_info([(SPEC, 1)]), [(metered(reading()), samples)]).path
    with pytest.raises(RunFolderError, match="samples of throughput_x_uw and their times do not match"):
        load_power(path)


def test_several_traces_of_one_reading(tmp_path):
    names = ["throughput_rapl_package-0_uj", "throughput_rapl_package-1_uj", "throughput_rapl_psys_uw"]
    times_ns = np.arange(3) * 1_000_000_000
    samples = {name: np.arange(3) * 1_000_000 * (k + 1) for k, name in enumerate(names)}
    samples |= {f"{name}_time_ns": times_ns for name in names}
    one = reading(trace=" ".join(names))
    frame = load_power(store(tmp_path / "run", run_info([(SPEC, 1)]), [(metered(one), samples)]).path)
    assert set(frame.trace) == set(one.trace.split())
    assert frame[frame.trace == names[1]].value.tolist() == [0.0, 2.0, 4.0]


def test_electricity_has_the_columns_of_the_csv(tmp_path):
    path = energy_run(tmp_path / "run").path
    frame = load(path, tariff_usd_per_kwh=0.36, pue=1.5)
    assert {*CSV_COLUMNS} <= {*frame.columns}
    # 0.5e6 J * 1.5 / 3.6e6 J a kWh * $0.36.
    assert frame.loc[0, "electricity_usd_per_1m_tokens"] == pytest.approx(0.075)
    assert (frame.loc[0, "tariff_usd_per_kwh"], frame.loc[0, "pue"]) == (0.36, 1.5)
    assert np.isnan(frame.loc[4, "electricity_usd_per_1k_steps"])
    assert frame.loc[4, "electricity_reason"] == "the meter was lost"
    rows = pd.read_csv(
        io.StringIO(render_summary(with_electricity(run_summary(open_run(path)), Tariff(0.36, 1.5)), "csv"))
    )
    for name in CSV_COLUMNS[:-1]:
        assert rows[name].tolist() == pytest.approx(frame[name].tolist(), nan_ok=True), name
    assert not {*CSV_COLUMNS} & {*load(path).columns}
    with pytest.raises(UsageError, match="^tariff_usd_per_kwh 20: give US dollars"):
        load(path, tariff_usd_per_kwh=20)
    with pytest.raises(UsageError, match="^pue needs tariff_usd_per_kwh"):
        load(path, pue=1.2)


def test_energies_are_columns(tmp_path):
    frame = load(energy_run(tmp_path / "run").path)
    assert frame.loc[0, "energy_per_token_j"] == pytest.approx(0.5)
    assert frame.loc[0, "energy_scope"] == "gpu_board"
    assert np.isnan(frame.loc[4, "energy_j"])
    assert frame.loc[4, "energy_j_reason"] == "the meter was lost"
