"""``chipmark export``: cases as a bundle for a device that has no torch."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.run import given, names


@click.command("export")
@click.option("--suite", required=True, callback=given, metavar="SUITE", help="smoke, edge, standard, or a TOML file.")
@click.option("-o", "--output", required=True, callback=given, metavar="DIR", help="New folder for the bundle.")
@click.option("--workload", callback=names, metavar="GLOBS", help="Only these workloads, for example 'llm-*'.")
@click.option("--phase", callback=names, metavar="NAMES", help="Only these: infer, prefill, decode.")
@click.option("--precision", callback=names, metavar="NAMES", help="Instead of the suite's: fp32, fp16, int8, ...")
@click.option("--with-weights", is_flag=True,
              help="Whole ONNX files, for other tools; else a device makes large weights from seeds.")  # fmt: skip
@click.option("--quiet", is_flag=True, help="No progress, only the result.")
def command(
    suite: str, output: str, workload: tuple[str, ...], phase: tuple[str, ...], precision: tuple[str, ...],
    with_weights: bool, quiet: bool,
) -> int:  # fmt: skip
    """Export the ONNX Runtime cases of a suite as a bundle: models, inputs, FP32 reference outputs.

    Copy the folder to a device that has Python, chipmark and ONNX Runtime, but no torch, and measure
    there with: chipmark run --bundle DIR. A case that cannot be exported is told and left out (exit 1).
    """
    from harness.bundle_export import BACKEND, export_bundle
    from harness.cli.output import say, write_result
    from harness.plan import Filters
    from harness.runner import Interrupted, interruptible
    from results.errors import ExitCode

    filters = Filters(workloads=workload, phases=phase, precisions=precision, backends=(BACKEND,))
    tell = (lambda text: None) if quiet else say
    try:
        with interruptible():
            done = export_bundle(suite, filters, Path(output), with_weights, tell)
    except Interrupted:
        raise KeyboardInterrupt from None
    lines = [f"{done.num_cases} cases, {done.num_bytes / 1e6:.1f} MB in {done.path}"]
    lines += [f"not exported: {name}: {reason}" for name, reason in done.failed.items()]
    lines.append(f"on the device: chipmark run --bundle {done.path.name}")
    write_result("".join(f"{line}\n" for line in lines))
    return ExitCode.CASE_FAILED if done.failed else ExitCode.DONE
