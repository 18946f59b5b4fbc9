"""``chipmark list``: the names that suites and options may use."""

from __future__ import annotations

import click


@click.command("list")
def command() -> None:
    """List workloads with their presets, suites, backends, precisions and meters."""
    from backends import REGISTRY as BACKENDS
    from harness.meters import REGISTRY as METERS
    from harness.suite import load_suite, suite_names
    from results.records import PRECISIONS
    from workloads import REGISTRY as WORKLOADS

    broken = WORKLOADS.broken() | BACKENDS.broken() | METERS.broken()
    click.echo("Workloads (phases; presets):")
    for name in WORKLOADS.names():
        if name in broken:
            continue
        spec = WORKLOADS.get(name).spec
        click.echo(f"  {name} v{spec.version}: {spec.summary}")
        click.echo(f"    phases: {', '.join(spec.phases)}")
        for preset, details in spec.presets.items():
            click.echo(f"    preset {preset}: {details.summary}")
    click.echo("Suites:")
    for name in suite_names():
        click.echo(f"  {name}: {load_suite(name).suite.description}")
    click.echo(f"Backends: {', '.join(name for name in BACKENDS.names() if name not in broken)}")
    click.echo(f"Precisions: {', '.join(PRECISIONS)}")
    click.echo(f"Meters: {', '.join(name for name in METERS.names() if name not in broken) or 'none yet'}")
    for name, reason in broken.items():
        click.echo(f"Broken plugin {name}: {reason}")
