"""``chipmark devices``: what is here, what can be measured on it, and what not and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.capabilities import Capability
    from harness.discovery import BackendReport


@click.command("devices")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(as_json: bool) -> None:
    """Show every backend's devices and, for each, which precision can be measured.

    native: the device multiplies in this type. emulated: the values have this type, products are
    computed by widening. unsupported: not measured, for the reason given.
    """
    import msgspec

    from backends import REGISTRY as BACKENDS
    from harness.capabilities import probe
    from harness.cli.output import write_result
    from harness.discovery import discover
    from harness.session import preload_modules
    from harness.supervisor import Supervisor

    names = BACKENDS.names()
    supervisor = Supervisor(preload_modules(names))
    reports = discover(supervisor, names)
    answers = {r.name: probe(supervisor, r.name) for r in reports if r.devices}
    if as_json:
        content = {"backends": reports, "capabilities": answers, "broken_plugins": BACKENDS.broken()}
        write_result(msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n")
        return
    lines = [line for report in reports for line in _lines(report, answers.get(report.name, []))]
    for name, reason in BACKENDS.broken().items():
        lines.append(f"broken plugin {name}: {reason}")
    lines.append("power: no meter is built in yet; energy is reported as not measurable")
    write_result("".join(f"{line}\n" for line in lines))


def _lines(report: BackendReport, answers: list[Capability]) -> list[str]:
    if not report.devices:
        hint = f"; {report.install_hint}" if report.install_hint else ""
        return [f"{report.name}: not usable here: {report.reason}{hint}"]
    lines = []
    for device in report.devices:
        memory = f", {device.memory_bytes / 2**30:.1f} GiB" if device.memory_bytes else ""
        lines.append(f"{report.name} @ {device.id}: {device.name}{memory}")
        for answer in answers:
            if answer.device == device.id:
                reason = f": {answer.reason}" if answer.reason else ""
                lines.append(f"    {answer.mode:<9} {answer.precision:<5} {answer.level}{reason}")
    return lines
