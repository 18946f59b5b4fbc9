"""``chipmark list``: the names that suites and options may use."""

from __future__ import annotations

import click


@click.command("list")
def command() -> None:
    """List workloads with their presets, suites, backends, precisions and meters."""
    from backends import REGISTRY as BACKENDS
    from harness.cli.output import write_result
    from harness.meters import REGISTRY as METERS
    from harness.suite import load_suite, suite_names
    from results.records import PRECISIONS
    from workloads import REGISTRY as WORKLOADS

    lines: list[str] = []
    broken = WORKLOADS.broken() | BACKENDS.broken() | METERS.broken()
    lines.append("Workloads (phases; presets):")
    for name in WORKLOADS.names():
        if name in broken:
            continue
        spec = WORKLOADS.get(name).spec
        lines.append(f"  {name} v{spec.version}: {spec.summary}")
        lines.append(f"    phases: {', '.join(spec.phases)}")
        for preset, details in spec.presets.items():
            lines.append(f"    preset {preset}: {details.summary}")
    lines.append("Suites:")
    for name in suite_names():
        lines.append(f"  {name}: {load_suite(name).suite.description}")
    lines.append(f"Backends: {', '.join(name for name in BACKENDS.names() if name not in broken)}")
    lines.append(f"Precisions: {', '.join(PRECISIONS)}")
    lines.append(f"Meters: {', '.join(name for name in METERS.names() if name not in broken) or 'none yet'}")
    for name, reason in broken.items():
        lines.append(f"Broken plugin {name}: {reason}")
    write_result("".join(f"{line}\n" for line in lines))
