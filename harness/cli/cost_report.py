"""From the options of ``chipmark cost`` to its text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from harness.cli.run_argument import LATEST, resolve_run
from results.case_summary import RunSummary
from results.cost import CostQuestion, PlanTerms, RankTerms, cost_report
from results.cost_record import CostReport, CostTerms, OwnedTerms
from results.device_table import DeviceTable, shipped_devices
from results.errors import UsageError
from results.imported_record import ImportedCost, ImportedFile
from results.price_layers import load_layers
from results.price_table import PriceTable
from results.pricing import find
from results.render import terminal_color, terminal_width
from results.run_prices import DEFAULT_PRICING, PriceChoice, instance_names, no_instance_reason, run_prices
from results.store import open_run
from results.summary import run_summary

_RUN = ("run_steps", "run_tokens")
_PLAN = ("training_tokens", "parameters", "chips")
# Option -> those of which it needs one.
_NEEDS = {
    **dict.fromkeys(("startup", "checkpoints", "goodput"), _RUN),
    "efficiency": ("training_tokens",),
    "max_latency": ("rank",),
    "min_throughput": ("rank",),
    "latency_percentile": ("max_latency",),
    "pue": ("tariff",),
}
_NEED_A_PRICE = (*_RUN, *_PLAN, "rank", "owned", "tariff")
_NOT_ON_SCORECARDS = (*_RUN, *_PLAN, "rank", "owned", "tariff")
_NOT_OF_IMPORTED = (*_NOT_ON_SCORECARDS, "what_if")


def cost_text(runs: Sequence[str], options: Mapping[str, Any]) -> str:
    """What ``chipmark cost`` prints.

    Args:
        runs: as named on the command line.
        options: of the command, by the names of its parameters; None: not given.

    Raises:
        UsageError: something is wrong with what was asked for.
    """
    _check(runs, options)
    choice = PriceChoice(
        instance_names(options["instance"]),
        instance_names(options["what_if"], "--what-if"),
        options["region"],
        options["pricing"],
    )
    question = _question(options)
    table, devices = load_layers(options["prices"]), shipped_devices()
    files = _imported_files(options["imported"])
    summaries = _summaries(runs or ([] if files else [LATEST]))
    imported = _imported_costs(files, table, choice, question.terms, not summaries)
    priced = [run_prices(summary, table, devices, choice) for summary in summaries]
    for run in priced:
        if not run.prices:
            _refuse_without_price(options, run.summary)
    report = cost_report(priced, question, date.today(), imported)
    report = msgspec.structs.replace(report, warnings=(*table.notes, *report.warnings))
    if options["scorecards"]:
        return _scorecards(report, summaries, files, devices, options["output_format"])
    from results.render_cost import render_cost

    return render_cost(report, options["output_format"], terminal_width(), terminal_color())


def _scorecards(
    report: CostReport, summaries: Sequence[RunSummary], files: Sequence[ImportedFile], devices: DeviceTable, fmt: str
) -> str:
    from results.render_scorecard import render_scorecards
    from results.scorecard import scorecards

    cards = scorecards(report, summaries, files, devices)
    return render_scorecards(cards, fmt, terminal_width(), terminal_color())


def _check(runs: Sequence[str], options: Mapping[str, Any]) -> None:
    """Options that do not go together.

    Raises:
        UsageError: names the two.
    """
    if _given(options, "run_steps") and _given(options, "run_tokens"):
        raise UsageError("--run-steps does not go with --run-tokens: a training run has one length")
    for name, needed in _NEEDS.items():
        if _given(options, name) and not any(_given(options, other) for other in needed):
            raise UsageError(f"{_flag(name)} needs {' or '.join(map(_flag, needed))}")
    missing = [name for name in _PLAN if not _given(options, name)]
    if missing and len(missing) < len(_PLAN):
        raise UsageError(f"a projection needs {', '.join(map(_flag, _PLAN))}: {_flag(missing[0])} is missing")
    if options["scorecards"]:
        _refuse(options, _NOT_ON_SCORECARDS, "--scorecards")
    if options["imported"] and not runs:
        _refuse(options, _NOT_OF_IMPORTED, "--imported without a RUN")


def _refuse(options: Mapping[str, Any], names: Iterable[str], other: str) -> None:
    wrong = next((name for name in names if _given(options, name)), None)
    if wrong:
        raise UsageError(f"{_flag(wrong)} does not go with {other}: leave one of them out")


def _refuse_without_price(options: Mapping[str, Any], summary: RunSummary) -> None:
    wrong = next((name for name in _NEED_A_PRICE if _given(options, name)), None)
    if wrong:
        raise UsageError(
            f"{_flag(wrong)} needs a single price, and for {summary.run.run_id} there is only the range of the market "
            f"({no_instance_reason(summary)}): give --instance PROVIDER:TYPE"
        )


def _given(options: Mapping[str, Any], name: str) -> bool:
    return options[name] is not None and options[name] is not False and options[name] != ()


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _question(options: Mapping[str, Any]) -> CostQuestion:
    def given(**names: str) -> dict[str, Any]:
        return {field: options[name] for field, name in names.items() if options[name] is not None}

    terms = CostTerms(**given(
        utilisation="utilisation", lost_fraction="lost_fraction", tariff_usd_per_kwh="tariff", pue="pue",
        run_steps="run_steps", run_tokens="run_tokens", startup_s="startup", checkpoint_s="checkpoints",
        goodput="goodput",
    ))  # fmt: skip
    plan = rank = None
    if _given(options, "training_tokens"):
        plan = PlanTerms(
            **given(tokens="training_tokens", parameters="parameters", chips="chips", efficiency="efficiency")
        )
    if options["rank"]:
        rank = RankTerms(
            max_latency_s=options["max_latency"],
            latency_percentile=options["latency_percentile"] or "p99",
            min_throughput_per_s=options["min_throughput"],
        )
    return CostQuestion(terms, _owned(options["owned"]), plan, rank)


def _owned(file: Path | None) -> OwnedTerms | None:
    if file is None:
        return None
    from results.cost_owned import load_owned

    return load_owned(file)


def _summaries(runs: Sequence[str]) -> list[RunSummary]:
    """Each run once.

    Raises:
        UsageError: a run cannot be read, or two folders hold runs of one id.
    """
    folders = list(dict.fromkeys(resolve_run(run).resolve() for run in runs))
    found: dict[str, Path] = {}
    summaries = []
    for folder in folders:
        summary = run_summary(open_run(folder))
        run_id = summary.run.run_id
        if run_id in found:
            raise UsageError(f"{found[run_id]} and {folder} both hold run {run_id}: name one of them")
        found[run_id] = folder
        summaries.append(summary)
    return summaries


def _imported_files(paths: Sequence[Path]) -> list[ImportedFile]:
    if not paths:
        return []
    from results.imported_store import read_imported

    files = [read_imported(path) for path in dict.fromkeys(path.resolve() for path in paths)]
    # The same source under two names is one source.
    return list({(file.source_sha256, file.format): file for file in files}.values())


def _imported_costs(
    files: Sequence[ImportedFile], table: PriceTable, choice: PriceChoice, terms: CostTerms, alone: bool
) -> list[ImportedCost]:
    """Costs of imported results: at the instance that is named; else over the market.

    Raises:
        UsageError: several instances are named, or a region without one.
    """
    if not files:
        return []
    from results.imported_cost import imported_costs

    if len(choice.given) > 1:
        raise UsageError("--imported: name one --instance, or none for the range of the market")
    if alone and choice.region and not choice.given:
        raise UsageError("--region with --imported needs an --instance: the range of the market is over all regions")
    pricing = choice.pricing or DEFAULT_PRICING
    price = None
    if choice.given:
        (name,) = choice.given
        pricing = name.pricing or pricing
        price = find(table, name.provider, name.instance_type, name.region or choice.region, pricing)
    return [cost for file in files for cost in imported_costs(file, table, pricing, price, terms)]
