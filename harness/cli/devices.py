"""``chipmark devices``: what is here, what can be measured on it, and what not and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.capabilities import Capability
    from harness.discovery import BackendReport
    from harness.instance.identify import Identified
    from harness.meters.base import Capability as PowerCapability
    from harness.meters.survey import Survey
    from results.records import Device


@click.command("devices")
@click.option("--all", "show_all", is_flag=True, help="Also how to install each provider that is not here.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON (always all).")
def command(show_all: bool, as_json: bool) -> None:
    """Show every backend's devices: which precision can be measured on each, and who reads its power.

    native: the device multiplies in this type. emulated: the values have this type, products are
    computed by widening, by the chip or by the library. unsupported: not measured, for the reason
    given. energy: what each power meter reads of the device, or why not and what would grant it.
    """
    import msgspec

    from backends import REGISTRY as BACKENDS
    from harness.capabilities import probe
    from harness.cli.missing_lines import missing_lines
    from harness.cli.output import write_result
    from harness.discovery import discover
    from harness.instance.identify import given_instance, identify
    from harness.meters.survey import survey
    from harness.session import preload_modules
    from harness.supervisor import Supervisor

    here = identify(given_instance(None))
    names = BACKENDS.names()
    supervisor = Supervisor(preload_modules(names))
    reports = discover(supervisor, names)
    answers = {r.name: probe(supervisor, r.name) for r in reports if r.devices}
    surveyed = survey(supervisor, reports)
    broken = BACKENDS.broken() | {f"meter {name}": reason for name, reason in surveyed.broken.items()}
    if as_json:
        content = {
            "instance": here.instance, "instance_reason": here.reason, "backends": reports,
            "capabilities": answers, "meters": surveyed.answers, "broken_plugins": broken,
        }  # fmt: skip
        write_result(msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n")
        return
    lines = [_instance_line(here)]
    lines += [line for report in reports for line in _lines(report, answers.get(report.name, []), surveyed)]
    lines += [line for report in reports for line in missing_lines(report, show_all)]
    lines += [f"broken plugin {name}: {reason}" for name, reason in broken.items()]
    write_result("".join(f"{line}\n" for line in lines))


def _instance_line(here: Identified) -> str:
    """Which instance this is and by what evidence, or why none is named; whether a name by hand has a price."""
    from harness.instance.price_note import price_note

    found = here.instance
    if found is None:
        return f"instance: not known: {here.reason}"
    where = f" in {found.region}" if found.region else ""
    pricing = f", {found.pricing}" if found.pricing else ""
    reason = f"; {found.reason}" if found.reason else ""
    name = f"{found.provider} {found.instance_type or '(type not known)'}"
    by = "as given" if found.evidence == "given" else f"by {found.evidence}"
    note = price_note(found)
    return f"instance: {name}{where}{pricing}, {by}{reason}" + (f"\n    {note}" if note else "")


def _provider(device: Device) -> str:
    """The software between a backend and the device, with vendor and versions, where there is such."""
    provider = device.details.get("execution_provider")
    if provider is None:
        return ""
    by = f" by {vendor}" if (vendor := device.details.get("provider_vendor")) else ""
    packages = [str(device.details[name]) for name in ("plugin", "package") if device.details.get(name)]
    return f"; {provider}{by}" + (f" of {', '.join(packages)}" if packages else "")


def _lines(report: BackendReport, answers: list[Capability], surveyed: Survey) -> list[str]:
    from results.functional_only import MARKS

    if not report.devices:
        hint = f"; {report.install_hint}" if report.install_hint else ""
        return [f"{report.name}: not usable here: {report.reason}{hint}"]
    lines = []
    for device in report.devices:
        memory = f", {device.memory_bytes / 2**30:.1f} GiB" if device.memory_bytes else ""
        lines.append(f"{report.name} @ {device.id}: {device.name}{memory}{_provider(device)}")
        lines += [f"    {mark}: {device.details[mark]}" for mark in MARKS if device.details.get(mark)]
        for answer in answers:
            if answer.device == device.id:
                reason = f": {answer.reason}" if answer.reason else ""
                lines.append(f"    {answer.mode:<9} {answer.precision:<5} {answer.level}{reason}")
        lines += _energy_lines(device, surveyed.answers[report.name][device.id], list(surveyed.broken))
    return lines


def _energy_lines(device: Device, answers: dict[str, PowerCapability], broken: list[str]) -> list[str]:
    """A line a meter that is for such devices; one line if none of them reads it."""
    from harness.meters.describe import not_measurable, readable, unreadable

    if all(answer.reason for answer in answers.values()):
        return [f"    energy: not measurable here: {not_measurable(device, answers, broken)}"]
    lines = []
    for name, answer in answers.items():
        if not answer.reason:
            lines += [f"    energy: {name} reads {readable(answer)}", *(f"        {note}" for note in answer.notes)]
        elif answer.applies:
            lines.append(f"    energy: {name} does not read it: {unreadable(answer)}")
    return lines
