"""``chipmark selfcheck``: what this machine and this harness can resolve."""

from __future__ import annotations

import click


def _finite(ctx: click.Context, option: click.Parameter, value: float) -> float:
    """A number that compares with others: a range lets "nan" through."""
    if value != value:
        raise click.BadParameter("is not a number")
    return value


@click.command("selfcheck")
@click.option("--minutes", type=click.FloatRange(0.25, 60), default=0.5, show_default=True, callback=_finite,
              help="How long the A/A comparison may take; longer knows the noise better.")  # fmt: skip
@click.option("--quick", is_flag=True, help="A few seconds: without the A/A comparison.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")
def command(minutes: float, quick: bool, as_json: bool) -> int:
    """Measure chipmark itself on this machine: clock, loops, isolation, jitter, an A/A comparison.

    From the noise between pairs of equal processes follows the smallest change that `compare --ab` can
    call here in 1, 3 and 10 minutes. Let the machine do nothing else meanwhile. The result is kept
    in the user's cache folder and stored in every run made on this host afterwards; `--quick` is not.
    """
    from harness.cli.output import say, write_result
    from harness.selfcheck import cache
    from harness.selfcheck.check import full_check, quick_check
    from results.errors import ExitCode
    from results.render import json_text
    from results.render_selfcheck import selfcheck_text

    check = quick_check(say) if quick else full_check(60 * minutes, say)
    write_result(json_text(check) if as_json else selfcheck_text(check))
    if not quick:
        trouble = cache.keep(check)
        say(f"not kept for later runs: {trouble}" if trouble else f"kept for later runs in {cache.cache_file()}")
    return ExitCode.DONE
