"""Calls of ``chipmark cost`` as a user makes them, and the run and price tables that they take."""

from __future__ import annotations

import json

import msgspec

from harness.cli.main import _run
from results.instance_record import Instance
from results.price_row import PriceRow
from tests.results.example_run import example_stored, store

C7I = Instance(provider="aws", instance_type="c7i.4xlarge", region="us-east-1", evidence="DMI")
COLUMNS = ",".join(PriceRow.__struct_fields__)
# 3.6 dollars an hour: 0.001 a second, so that dollars for a million are a thousand over the rate.
BOX = "me,cellar,box,,0,,16,64,on_demand,3.6,instance,2026-11-01,my bill"


def price_file(path, *rows):
    path.write_text("\n".join([COLUMNS, *rows]) + "\n", encoding="utf-8")
    return path


def cpu_run(folder, instance=None, **changes):
    info, stored = example_stored()
    return store(folder, msgspec.structs.replace(info, instance=instance, **changes), stored).path


def call(capfd, *arguments):
    """Exit code, standard output and standard error of ``chipmark ...``."""
    code = _run([str(argument) for argument in arguments], debug=False)
    captured = capfd.readouterr()
    return code, captured.out, captured.err


def cost_json(capfd, *arguments):
    code, out, err = call(capfd, "cost", *arguments, "--format", "json")
    assert (code, err) == (0, "")
    return json.loads(out)


def refused(capfd, *arguments):
    """The one line that a wrong command gets."""
    code, out, err = call(capfd, "cost", *arguments)
    assert (code, out) == (2, ""), (code, out, err)
    assert err.startswith("chipmark: error: ")
    assert err.count("\n") == 1
    return err
