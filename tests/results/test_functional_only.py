"""A simulator computes the right thing: its numbers are shown and marked, and nothing is concluded from them."""

from __future__ import annotations

import csv
import io

import msgspec
import pytest

from results.compare_stored import CompareOptions, compare_ab, compare_with_runs
from results.cost import RankTerms
from results.cost_frame import with_prices
from results.cost_record import CostTerms
from results.device_table import shipped_devices
from results.electricity import Tariff, with_electricity
from results.errors import ExitCode
from results.explain import explain
from results.frame import load
from results.functional_only import functional_only
from results.price_match import MarketRange
from results.records import Device
from results.render import FORMATS, render_summary
from results.render_compare import render_comparison
from results.render_cost import render_cost
from results.run_sets import Filters
from results.scorecard import scorecards
from results.summary import run_summary
from tests.results import ceiling_run
from tests.results.ab_folders import ab_folder
from tests.results.compared import base, new, only, report
from tests.results.costed import ONE_H100, TOKENS, run_of
from tests.results.costed import report as cost_report
from tests.results.energy_run import WORK, reading
from tests.results.example_run import H100, case, measurement, run_info, store, timing
from tests.results.sessions import session

SIMULATED = msgspec.structs.replace(H100, details={"simulated": True})
SAID = "functional only: NVIDIA H100 80GB HBM3 is marked simulated, its times are not those of a chip"
DECODE = case("llm-decoder", "decode", "bf16", device="cuda:0")


def flat(text: str) -> str:
    """Of a table, whose lines are wrapped."""
    return " ".join(text.split())


@pytest.mark.parametrize("mark", ["functional_only", "simulated"])
def test_what_is_marked(mark):
    device = Device(id="qnn:npu", backend="onnxruntime", kind="npu", name="Hexagon", details={mark: True})
    assert functional_only(device) == f"functional only: Hexagon is marked {mark}, its times are not those of a chip"
    because = msgspec.structs.replace(device, details={mark: "its library only simulates"})
    assert functional_only(because) == (
        "functional only: Hexagon, its times are not those of a chip: its library only simulates"
    )
    assert functional_only(msgspec.structs.replace(device, details={mark: False})) == ""
    assert functional_only(msgspec.structs.replace(device, details={})) == functional_only(None) == ""


@pytest.fixture
def run(tmp_path):
    """Sequences and matrix products on a simulator, with energy, which would give all tables something to show."""
    gemm = case("gemm", "infer", "bf16", device="cuda:0", shape={"rows": 64})
    measured = {"work": WORK, "timing": timing([(10, 10**9)], 0), "energy": (reading(),)}
    records = [(measurement(spec, **measured), {}) for spec in (DECODE, gemm)]
    return store(tmp_path / "runs" / "run", run_info([(DECODE, 1), (gemm, 1)], (SIMULATED,)), records)


def test_every_table_of_a_run_shows_and_marks_its_numbers(run):
    summary = run_summary(run)
    for output_format in FORMATS:
        text = flat(render_summary(summary, output_format))
        assert SAID in text, output_format
    table = render_summary(summary, "table")
    assert "40.0 " in table
    assert [case.functional_only for case in summary.cases] == [SAID, SAID]
    assert "cuda:0: NVIDIA H100 80GB HBM3, functional only (torch)" in table
    assert table.count("  1\n") == 2, "the note of both rows"
    assert table.partition("\nenergy\n")[2].count("2 1\n") == 2, "and of their energies"
    assert SAID in flat(explain(run, "decode"))


def test_the_table_of_ceilings_marks_each_row(tmp_path):
    """It has no notes."""
    summary = run_summary(ceiling_run.run_of(tmp_path / "run", ceiling_run.ceiling_cells(), (SIMULATED,)))
    for output_format in ("table", "markdown"):
        below = render_summary(summary, output_format).partition("against the ceilings")[2].partition("\n[1]")[0]
        assert below.count("functional") == len(summary.cases), output_format


def test_its_energy_has_no_dollars(run):
    summary = with_electricity(run_summary(run), Tariff(0.1, 1.0))
    assert summary.electricity is not None
    assert {cost.reason for cost in summary.electricity.cases} == {SAID}
    assert {cost.usd_per_1m_items for cost in summary.electricity.cases} == {None}


def decoding(device):
    batches = [msgspec.structs.replace(DECODE, batch_size=size) for size in (1, 2)]
    return run_of(*((spec, TOKENS, 1000.0 * spec.batch_size) for spec in batches), devices=(device,))


def test_it_has_no_dollars_and_no_place(tmp_path):
    terms = CostTerms(tariff_usd_per_kwh=0.1)
    real, found = (
        cost_report(decoding(device), ONE_H100, terms=terms, rank=RankTerms()) for device in (H100, SIMULATED)
    )
    assert [rank.place for rank in real.ranking] == [1, 2]
    assert [(rank.place, rank.reason, rank.usd) for rank in found.ranking] == [(None, SAID, None)] * 2
    assert [(cost.reason, cost.headline, cost.electricity_reason) for cost in found.cases] == [(SAID, None, SAID)] * 2
    assert [cost.tokens_per_s for cost in found.cases] == [1000, 2000], "shown"
    for output_format in FORMATS:
        assert SAID in flat(render_cost(found, output_format)), output_format
    rows = list(csv.DictReader(io.StringIO(render_cost(found, "csv"))))
    assert {row["reason"] for row in rows} == {SAID}


def test_no_place_even_where_dollars_were_given():
    """The rank asks by itself: dollars may come from elsewhere."""
    from results.cost_rank import ranking

    summary = decoding(SIMULATED)
    priced = cost_report(decoding(H100), ONE_H100).cases
    found = list(ranking(priced, {summary.run.run_id: summary}, RankTerms()))
    assert [(rank.place, rank.reason) for rank in found] == [(None, SAID)] * 2


def test_it_has_no_market(run):
    from results.cost_markets import market_costs

    offers = dict.fromkeys((f"usd_per_hour_{name}" for name in ("min", "median", "max")), 2.0)
    market = MarketRange(
        accelerator="H100", pricing="on_demand", num_offers=3, num_providers=3, oldest_as_of="2026-11-01",
        newest_as_of="2026-11-01", table_sha256={}, match_rule="accelerator_only", **offers,
    )  # fmt: skip
    found = list(market_costs(run_summary(run), [market], CostTerms()))
    assert {cost.reason for cost in found} == {SAID}
    assert {cost.usd_per_1m_tokens for cost in found} == {None}


def test_frames_mark_it_and_give_it_no_dollars(run):
    frame = load(run.path)
    assert set(frame["functional_only"]) == {SAID}
    priced = with_prices(frame, [ONE_H100])
    assert set(priced["cost_reason"]) == {SAID}
    assert priced["usd_per_1m_items_billed"].isna().all()


def test_its_scorecard_says_so(run):
    summary = run_summary(run)
    made = scorecards(cost_report(summary, ONE_H100), [summary], [], shipped_devices())
    cards = [card for device in made.devices for card in device.inference]
    assert all(SAID in card.notes for card in cards)
    dollars = [cell for card in cards for name, cell in card.cells.items() if name.startswith("usd")]
    assert dollars
    assert {cell.value for cell in dollars} == {None}


@pytest.mark.parametrize("side", ["candidate", "base", "both"])
def test_compare_gives_no_verdict(side):
    marked = {"functional_only": SAID}
    found = report(
        new(0.5, **(marked if side != "base" else {})), base(**(marked if side != "candidate" else {})),
        allow_inconclusive=True,
    )  # fmt: skip
    row = only(found)
    assert (row.verdict, row.reason, found.exit_code) == ("not-comparable", SAID, ExitCode.NOT_COMPARABLE)
    assert row.judgement is None
    for output_format in ("table", "markdown", "json"):
        assert SAID in flat(render_comparison(found, output_format))


def test_stored_runs_of_it_are_not_compared(tmp_path):
    runs = [session(tmp_path / name, hour=hour, devices=(SIMULATED,)).path for hour, name in enumerate("ab")]
    row = only(compare_with_runs(runs[:1], runs[1:], Filters(), CompareOptions()))
    assert (row.verdict, row.reason) == ("not-comparable", SAID)


def test_pairs_of_it_are_not_judged(tmp_path):
    folder = ab_folder(tmp_path / "ab", [(1.0, 1.5)] * 6, devices=(SIMULATED,))
    row = only(compare_ab(folder, CompareOptions()))
    assert (row.verdict, row.reason) == ("not-comparable", SAID)
