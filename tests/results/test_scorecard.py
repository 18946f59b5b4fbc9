"""Scorecards: every cell of one kind, its number the one it was taken from, its absence explained."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from results.case_summary import RunSummary
from results.cost_record import CostReport
from results.device_table import DeviceTable, load_devices
from results.imported_record import ImportedFile
from results.records import Guard
from results.render_scorecard import render_scorecards
from results.scorecard import scorecards
from results.scorecard_own import INVALID, own_groups
from results.scorecard_record import DeviceScorecards, Scorecard, ScorecardReport
from results.scorecard_rows import ROWS
from results.summary import run_summary
from tests.results.energy_run import metered, reading
from tests.results.example_run import (
    EMULATED,
    FAILED,
    H100,
    case,
    example_run,
    run_info,
    store,
)
from tests.results.scorecard_example import (
    cost,
    h100_run,
    imported_cost,
    imported_file,
    market_cost,
    on_h100,
    priced,
    report,
    result,
)


@pytest.fixture(scope="module")
def table() -> DeviceTable:
    return load_devices()


def made(report: CostReport, summary: RunSummary, table: DeviceTable, *files: ImportedFile) -> ScorecardReport:
    return scorecards(report, [summary], files, table)


def only(report: ScorecardReport) -> DeviceScorecards:
    (device,) = report.devices
    return device


def test_training_and_inference_of_one_device(tmp_path: Path, table: DeviceTable) -> None:
    summary = h100_run(tmp_path / "run")
    device = only(made(report(summary), summary, table))
    assert (device.device, device.row, device.role) == ("NVIDIA H100 80GB HBM3", "H100", "both")
    (train,), (requests,) = device.training, device.inference
    assert (train.workload, train.precision, train.batch_size) == ("bert-encoder/tiny v1", "bf16", 8)
    values = {name: cell.value for name, cell in train.cells.items() if cell.kind == "measured"}
    # 50 steps of 8 sequences and 512 tokens a second.
    assert values == {"steps_per_s": 50.0, "throughput": 400.0, "tokens_per_s": 25_600.0, "error": 0.0031}
    # 50 x 6e9 FLOP/s of a dense peak of 989e12.
    mfu = train.cells["mfu"]
    assert mfu.kind == "derived"
    assert mfu.value == pytest.approx(50 * 6e9 / 989e12)
    assert "peak: H100 bf16, confidence high" in mfu.source
    assert train.cells["scaling_efficiency"].reason == "not measured: needs several devices"
    assert list(requests.case_ids) == ["prefill", "decode"]
    values = {name: cell.value for name, cell in requests.cells.items() if cell.kind == "measured"}
    assert values == {
        "time_to_first_token_p50": pytest.approx(1.2e-3),
        "time_to_first_token_p99": pytest.approx(1.397e-3, rel=0.01),
        "throughput": 400.0,  # generated: 100 steps of 4
        "prompt_tokens_per_s": 640.0,  # 10 steps of 64
        "error": 0.0031,
    }
    assert requests.cells["throughput"].unit == "generated token/s"
    assert requests.cells["prompt_tokens_per_s"].unit == "prompt token/s"
    assert requests.cells["latency_p99"].reason == "not measured: prefill and decode are measured apart"


def test_dollars_are_derived_and_name_their_price(tmp_path: Path, table: DeviceTable) -> None:
    summary = h100_run(tmp_path / "run")
    train, prefill, decode = summary.cases
    costs = (
        cost(summary, train, headline="attributed", attribution="1/8", usd_per_1k_steps_attributed=0.038,
             usd_per_1k_steps_billed=0.306, usd_per_1k_steps_low=0.02, usd_per_1k_steps_high=0.04,
             usd_per_run_attributed=7.0, usd_per_run_billed=56.0, rate_half_width=0.01),
        cost(summary, decode, basis="what_if", price=priced(provider="azure"), headline="billed",
             usd_per_1m_tokens_billed=9.0),
        cost(summary, decode, basis="rented_here", headline="billed", usd_per_1m_tokens_billed=4.0),
    )  # fmt: skip
    market = market_cost(summary, prefill, usd_per_1m_tokens=(1.0, 2.0, 3.0))
    device = only(made(report(summary, *costs, markets=(market,)), summary, table))
    cells = device.training[0].cells
    steps = cells["usd_per_1k_steps"]
    assert (steps.kind, steps.value, steps.low, steps.high, steps.half_width) == ("derived", 0.038, 0.02, 0.04, 0.01)
    assert steps.source == (
        "aws big (8 x H100), us-east-1, on_demand, $55.04 per instance-hour, as of 2026-11-01, attributed 1/8; "
        "match exact_type"
    )
    assert cells["usd_per_run"].value == 7.0
    cells = device.inference[0].cells
    # The machine it was measured on comes first, though it is named last.
    assert (cells["usd_per_1m"].value, cells["usd_per_1m"].unit) == (4.0, "$/1M generated token")
    assert cells["usd_per_1m"].notes == (
        "at azure big (8 x H100), us-east-1, on_demand, $55.04 per instance-hour, as of 2026-11-01: $9; "
        "what if: the same accelerator rented elsewhere, measured on another machine",
    )
    prompt = cells["usd_per_1m_prompt_tokens"]
    assert (prompt.kind, prompt.value, prompt.low, prompt.high) == ("derived", None, 1.0, 3.0)
    assert prompt.notes == ("no instance is known: range of the market, median $2",)
    assert "12 offers of 5 providers" in prompt.source


def test_a_price_of_elsewhere_is_a_what_if(tmp_path: Path, table: DeviceTable) -> None:
    summary = h100_run(tmp_path / "run")
    elsewhere = cost(summary, summary.cases[0], basis="what_if", headline="billed", usd_per_1k_steps_billed=1.0)
    cell = only(made(report(summary, elsewhere), summary, table)).training[0].cells["usd_per_1k_steps"]
    assert cell.notes == ("what if: the same accelerator rented elsewhere, measured on another machine",)


def test_no_dollars_have_a_reason(tmp_path: Path, table: DeviceTable) -> None:
    summary = h100_run(tmp_path / "run")
    none = only(made(report(summary), summary, table)).training[0].cells
    assert (none["usd_per_1k_steps"].kind, none["usd_per_1k_steps"].reason) == ("empty", "no price was given")
    refused = cost(summary, summary.cases[0], reason="small holds no accelerator")
    cells = only(made(report(summary, refused), summary, table)).training[0].cells
    assert cells["usd_per_1k_steps"].reason == cells["usd_per_run"].reason == "small holds no accelerator"
    unasked = cost(summary, summary.cases[0], headline="billed", usd_per_1k_steps_billed=1.0)
    cells = only(made(report(summary, unasked), summary, table)).training[0].cells
    assert cells["usd_per_run"].reason == "no length of a training run was given"


def test_energy_and_marks_of_what_must_not_be_quoted(tmp_path: Path, table: DeviceTable) -> None:
    spec = case("bert-encoder", "infer", "bf16", device="cuda:0", batch_size=4)
    bad, fp8 = msgspec.structs.replace(spec, precision="int8"), msgspec.structs.replace(spec, precision="fp8")
    gap = Guard(name="energy_gap", value=0.9, threshold=0.5, verdict="FAIL", reason="a gap of 0.9 s")
    records = [
        # 100 W and 10 steps in 1.6 s: 16 J for 4 sequences and 32 tokens.
        metered(reading(duration_s=32.0, steps=10), spec=spec),
        metered(spec=bad, status="invalid", numerics=FAILED, reason="numerics"),
        metered(reading(), spec=fp8, support=EMULATED, guards=(gap,)),
    ]
    details = {"simulated": True}
    fake = msgspec.structs.replace(H100, details=details)
    info = run_info([(r.case, 1) for r in records], (fake,))
    summary = run_summary(store(tmp_path / "run", info, [(r, {}) for r in records]))
    good, invalid, emulated = only(made(report(summary), summary, table)).inference
    assert good.cells["energy_per_item"].value == pytest.approx(4.0)
    assert good.cells["energy_per_token"].value == pytest.approx(0.5)
    assert good.cells["throughput_per_w"].value == pytest.approx(0.25)  # 25 sequences/s from 100 W
    assert "gpu_board, NVML total energy counter" in good.cells["energy_per_item"].source
    assert good.cells["time_to_first_token_p50"].reason == "it generates no tokens"
    assert invalid.cells["throughput"].notes == (INVALID,)
    assert invalid.notes[0] == "invalid: numerics"
    assert emulated.notes[0].startswith("fp8 is emulated: the CPU has no FP8 units")
    assert "guard energy_gap failed: a gap of 0.9 s" in emulated.notes
    simulated = "functional only: NVIDIA H100 80GB HBM3 is marked simulated, its times are not those of a chip"
    assert all(simulated in card.notes for card in (good, invalid, emulated))


def test_every_case_of_a_run_is_in_one_card_and_every_cell_has_its_kind(tmp_path: Path, table: DeviceTable) -> None:
    summary = run_summary(example_run(tmp_path / "run"))
    device = only(made(report(summary), summary, table))
    assert (device.device, device.row, device.role) == ("Example CPU 8-Core", None, None)
    cards = (*device.training, *device.inference)
    named = [case_id for card in cards for case_id in card.case_ids.values()]
    assert sorted(named) == sorted(case.case_id for case in summary.cases)
    for card in cards:
        assert card.origin == "chipmark"
        assert set(card.cells) <= set(ROWS[card.mode])
        for name, cell in card.cells.items():
            assert cell.kind in ("measured", "derived", "empty"), name
            assert (cell.value is None and cell.low is None) == (cell.kind == "empty"), name
            assert bool(cell.reason) == (cell.kind == "empty"), name
            assert bool(cell.source) == (cell.kind != "empty"), name


def test_cases_that_differ_in_one_thing_share_no_card(tmp_path: Path) -> None:
    specs = [on_h100("prefill"), on_h100("decode"), on_h100("decode", options={"compile": True}),
             on_h100("decode", "fp16"), on_h100("prefill", seed=1)]  # fmt: skip
    summary = run_summary(store(tmp_path / "run", run_info([(s, 1) for s in specs], (H100,)), []))
    groups = own_groups(summary, report(summary))
    assert [list(group.cases) for group in groups] == [["prefill", "decode"], ["prefill"], ["decode"], ["decode"]]


def cards_of(report: ScorecardReport, row: str) -> tuple[Scorecard, ...]:
    (device,) = [device for device in report.devices if device.row == row]
    return (*device.training, *device.inference)


def test_own_and_published_numbers_of_one_device_are_in_different_cards(tmp_path: Path, table: DeviceTable) -> None:
    summary = h100_run(tmp_path / "run")
    theirs = result(accelerator="NVIDIA H100-SXM-80GB", device="H100")
    made_of = made(report(summary, imported=(imported_cost(theirs),)), summary, table, imported_file(theirs))
    assert only(made_of).device == "NVIDIA H100 80GB HBM3; NVIDIA H100-SXM-80GB"
    cards = cards_of(made_of, "H100")
    assert [card.origin for card in cards] == ["chipmark", "chipmark", "published"]
    for card in cards:
        kinds = {cell.kind for cell in card.cells.values()}
        assert not {"measured", "published"} <= kinds
        assert ("published" in kinds) == (card.origin == "published")
    published = cards[-1]
    assert published.run_id == ""
    assert published.workload == "MLPerf Inference v6.0, llama2-70b-99, Offline, closed"
    throughput = published.cells["throughput"]
    assert (throughput.value, throughput.unit) == (34000.0, "token/s")
    assert throughput.source == (
        "MLCommons, MLPerf Inference v6.0, closed, available, datacenter, llama2-70b-99, Offline, "
        "submitted by Somebody, result 6.0-0099, retrieved 2026-11-22; row 7"
    )
    assert throughput.notes == ("of the whole system; 4250 token/s for each accelerator",)
    assert published.notes == (
        "8xH200: 8 x NVIDIA H100-SXM-80GB in 1 node",
        "MLPerf is a trademark of MLCommons",
    )
    dollars = published.cells["usd_per_1m"]
    assert (dollars.kind, dollars.value, dollars.low, dollars.high) == ("derived", None, 0.25, 1.0)
    assert dollars.notes[0] == "derived by chipmark, same chip, different machine: not a result of MLCommons"


def test_published_quantities_of_one_system(tmp_path: Path, table: DeviceTable) -> None:
    summary = h100_run(tmp_path / "run")
    power = result(quantity="power", value=7600.0, unit="W")
    twice = result(value=33000.0, row=9)
    train = result(quantity="time_to_train", value=600.0, unit="s", better="lower", inferred=True, doubts=("odd",))
    reason = imported_cost(train, usd_per_1m=None, reason="no price of H200")
    unknown = result(accelerator="Chip of the future", device=None, origin="imported", row=11)
    file = imported_file(result(), power, twice, train, unknown)
    both = made(report(summary, imported=(reason,)), summary, table, file)
    training, first, second = cards_of(both, "H200")
    assert {name: cell.value for name, cell in first.cells.items()} == {"throughput": 34000.0, "power": 7600.0}
    assert {name: cell.value for name, cell in second.cells.items()} == {"throughput": 33000.0}
    assert training.mode == "training"
    assert training.cells["time_to_train"].notes[:2] == (
        "odd",
        "inferred by its publisher from another scenario, not measured",
    )
    assert (training.cells["usd_per_run"].kind, training.cells["usd_per_run"].reason) == ("empty", "no price of H200")
    (stranger,) = [device for device in both.devices if device.device == "Chip of the future"]
    assert (stranger.row, stranger.inference[0].origin) == (None, "imported")
    assert "imported by the user: measured with another tool, not by chipmark" in stranger.inference[0].notes


def test_what_never_has_dollars_takes_them_from_nobody(tmp_path: Path, table: DeviceTable) -> None:
    summary = h100_run(tmp_path / "run")
    late = result(quantity="latency", value=0.1, unit="s", better="lower", power_w=650.0, power_scope="board")
    none = imported_cost(late, market=None, usd_per_1m=None, reason="latency: no dollars")
    file = imported_file(result(), late)
    both = made(report(summary, imported=(imported_cost(result()), none)), summary, table, file)
    (card,) = cards_of(both, "H200")
    assert (card.cells["usd_per_1m"].kind, card.cells["usd_per_1m"].high) == ("derived", 1.0)
    # Power that was metered with one of the results stands with it.
    assert card.cells["power"].value == 650.0
    assert card.cells["power"].notes == ("of board", "metered with latency")


def test_training_throughput_of_others_has_its_dollars(tmp_path: Path, table: DeviceTable) -> None:
    summary = h100_run(tmp_path / "run")
    train = result(phase="train")
    both = made(report(summary, imported=(imported_cost(train),)), summary, table, imported_file(train))
    (card,) = cards_of(both, "H200")
    assert card.mode == "training"
    assert card.cells["usd_per_1m"].unit == "$/1M token"
    assert "$ per 1M" in render_scorecards(both, "table")
