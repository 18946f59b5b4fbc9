"""``chipmark compare``: slower, faster, the same as a baseline, or nobody could know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from results.comparison import ComparisonReport

FORMATS = ("table", "markdown", "json", "junit", "github")


def _names(ctx: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Comma-separated names as a tuple."""
    names = tuple(part.strip() for part in (value or "").split(",") if part.strip())
    if value is not None and not names:
        raise click.BadParameter("is empty; leave the option out to have all")
    return names


def _given(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """A value that must not be empty: an unset shell variable is no choice."""
    if value is not None and not value.strip():
        raise click.BadParameter("is empty")
    return value


@click.command("compare")
@click.argument("candidate", required=False, callback=_given)
@click.argument("baseline", required=False, callback=_given)
@click.option("--store", callback=_given, metavar="DIR",
              help="Store of baselines. Default: chipmark-baselines, then what is shipped.")  # fmt: skip
@click.option("--format", "output_format", type=click.Choice(FORMATS), default="table", show_default=True,
              help="markdown for a pull request, junit and github for continuous integration.")  # fmt: skip
@click.option("--allow-inconclusive", is_flag=True, help="Exit with 0 where nobody could know.")
@click.option("--strict", is_flag=True, help="Refuse where drivers, versions or hosts differ, too.")
@click.option("--workload", callback=_names, metavar="GLOBS", help="Only these workloads, for example 'llm-*'.")
@click.option("--phase", callback=_names, metavar="NAMES", help="Only these: train, infer, prefill, decode.")
@click.option("--precision", callback=_names, metavar="NAMES",
              help="Only these; with --ab instead of the suite's: fp32, fp16, bf16, fp8, int8.")  # fmt: skip
@click.option("--backend", callback=_names, metavar="NAMES", help="Only these backends.")
@click.option("--device", callback=_given, metavar="ID", help="With --ab: cpu, cuda, cuda:1, ... Default: the best.")
@click.option("--ab", nargs=2, metavar="REF_A REF_B",
              help="Measure two versions of chipmark here, in turns; `.` is the working tree.")  # fmt: skip
@click.option("--python-a", callback=_given, metavar="PYTHON", help="Interpreter of side A, instead of this one.")
@click.option("--python-b", callback=_given, metavar="PYTHON", help="Interpreter of side B.")
@click.option("--suite", callback=_given, metavar="SUITE", help="What to measure in turns. Default: smoke.")
@click.option("--pairs", type=int, metavar="N", help="How often to measure either side in turns. Default: 8.")
@click.option("--out", callback=_given, metavar="DIR",
              help="Folder for these runs. Default: chipmark-runs/<time>-ab.")  # fmt: skip
def command(
    candidate: str | None, baseline: str | None, store: str | None, output_format: str, allow_inconclusive: bool,
    strict: bool, workload: tuple[str, ...], phase: tuple[str, ...], precision: tuple[str, ...],
    backend: tuple[str, ...], device: str | None, ab: tuple[str, str] | None,
    python_a: str | None, python_b: str | None, suite: str | None, pairs: int | None, out: str | None,
) -> int:  # fmt: skip
    """Compare CANDIDATE with BASELINE: slower, faster, same, inconclusive or not-comparable.

    CANDIDATE is a run's folder, `latest`, several of them separated by commas, or a folder of runs;
    each run is one session. BASELINE is the same, or a store of baselines; without it, the stored
    baselines that fit. With --ab, or --python-a and --python-b, both sides are measured here and now.

    Times are compared, new over base: +5 % is slower. The energy of a step is compared likewise where it
    was measured, and counts only where the baseline says so. Exit codes: 0 the same or faster; 1 a case no
    longer ends well; 2 bad input; 3 slower; 4 inconclusive; 5 not comparable; 130 interrupted.
    """
    from harness.cli.output import write_result
    from results.compare import CompareOptions
    from results.render import terminal_color, terminal_width
    from results.render_compare import render_comparison
    from results.run_sets import Filters, check_filters

    stored_filters = Filters(workload, phase, precision, backend)
    check_filters(stored_filters)
    options = CompareOptions(strict=strict, allow_inconclusive=allow_inconclusive)
    measured = {"python_a": python_a, "python_b": python_b, "suite": suite, "pairs": pairs, "out": out}
    if ab or python_a or python_b:
        _refuse("--ab measures both sides", CANDIDATE=candidate, BASELINE=baseline, store=store)
        sides: tuple[Any, Any] = ab or (None, None)
        filters: dict[str, Any] = {
            "workloads": workload, "phases": phase, "precisions": precision, "backends": backend,
            "device": device or "auto",
        }  # fmt: skip
        report, exit_code = _measure(sides, measured, filters, options)
    else:
        _refuse("nothing is measured without --ab", suite=suite, pairs=pairs, out=out, device=device)
        report = _stored(candidate, baseline, store, stored_filters, options)
        exit_code = report.exit_code
    write_result(render_comparison(report, output_format, terminal_width(), terminal_color()))
    return exit_code


def _refuse(why: str, **given: object) -> None:
    from results.errors import UsageError

    for name, value in given.items():
        if value is not None:
            option = name if name.isupper() else f"--{name}"
            raise UsageError(f"{option} has no meaning here: {why}")


def _measure(
    refs: tuple[str | None, str | None], given: dict[str, Any], filters: dict[str, Any], options: Any
) -> tuple[ComparisonReport, int]:
    """Both sides now, in turns."""
    from harness.ab.command import run_ab
    from harness.ab.request import AbRequest
    from harness.cli.output import say
    from harness.plan import Filters

    chosen = {name: value for name, value in given.items() if value is not None}
    if "out" in chosen:
        chosen["out"] = Path(chosen["out"])
    request = AbRequest(ref_a=refs[0], ref_b=refs[1], filters=Filters(**filters), **chosen)
    outcome = run_ab(request, options, say)
    return outcome.report, int(outcome.exit_code)


def _stored(
    candidate: str | None, baseline: str | None, store: str | None, filters: Any, options: Any
) -> ComparisonReport:
    """Both sides from what is stored."""
    from harness.cli.compare_sides import paths_of
    from harness.cli.run_argument import named_path
    from results.compare_stored import compare_ab, compare_with_runs, compare_with_stores
    from results.errors import UsageError
    from results.run_sets import is_ab

    if candidate is None:
        raise UsageError("give a CANDIDATE: a run's folder, or `latest`; or --ab REF_A REF_B to measure two versions")
    if baseline is not None and store is not None:
        raise UsageError("give BASELINE or --store, not both")
    paths = paths_of(candidate)
    if len(paths) == 1 and is_ab(paths[0]):
        _refuse("an A/B comparison holds both sides", BASELINE=baseline, store=store)
        if any(filters):
            raise UsageError("an A/B comparison is judged as a whole: give no filter with it")
        return compare_ab(paths[0], options)
    if baseline is None or store is not None:
        return compare_with_stores(paths, named_path(store) if store is not None else None, filters, options)
    return compare_with_runs(paths, paths_of(baseline), filters, options)
