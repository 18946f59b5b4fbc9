"""The instance as the user names it: by option or variable, for ``run`` and for ``devices``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.instance.identify import Identified, given_instance, identify
from harness.instance.override import parse_instance
from results.errors import UsageError
from results.instance_record import Instance
from results.price_cells import PRICINGS
from results.price_table import load_prices
from tests.harness.instance.fake_clouds import DMI, Cloud, machine
from tests.plugins import Runner

BAD = [
    "p5", "aws:", ":p5", "aws:p5@", "aws:p5/", "aws:p5/free", "aws:p5@us-east-1/", "aws:p5@a@b", "a b:c", "aws:p5\n.48xlarge",
    "aws:\x1b[31mp5", "aws:=1+1", "aws:-1", "aws:+1", "aws:@SUM(A1)", "aws:p5,gcp:a3", "aws:" + "a" * 65, "aws:p5/Spot",
    "aws:\udcff", "aws:ｐ5", "aws:p5;x", "aws:p5'", "x" * 10**5,
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("aws:p5.48xlarge", ("aws", "p5.48xlarge", None, None)),
        (" AWS:p5.48xlarge@us-east-1/spot ", ("aws", "p5.48xlarge", "us-east-1", "spot")),
        ("azure:Standard_ND96isr_H100_v5/reserved_3y", ("azure", "Standard_ND96isr_H100_v5", None, "reserved_3y")),
        ("lambda:NVIDIA H100 SXM", ("lambda", "NVIDIA H100 SXM", None, None)),
        ("novita:RTX 4090 (High freq.)", ("novita", "RTX 4090 (High freq.)", None, None)),
        ("gcp:a2-highgpu-1g@us (base)", ("gcp", "a2-highgpu-1g", "us (base)", None)),
        *((f"aws:p5/{pricing}", ("aws", "p5", None, pricing)) for pricing in PRICINGS),
    ],
)
def test_a_name(text: str, found: tuple[str | None, ...]) -> None:
    provider, instance_type, region, pricing = found
    assert provider
    assert parse_instance(text, "--instance") == Instance(
        provider=provider, instance_type=instance_type, region=region, pricing=pricing, evidence="given"
    )


def test_every_row_of_the_price_table_can_be_named() -> None:
    for row in load_prices().rows:
        region = f"@{row.region}" if row.region else ""
        found = parse_instance(f"{row.provider}:{row.instance_type}{region}/{row.pricing}", "--instance")
        assert (found.provider, found.instance_type, found.region, found.pricing) == (
            row.provider, row.instance_type, row.region or None, row.pricing,
        )  # fmt: skip


@pytest.mark.parametrize("text", BAD, ids=lambda text: ascii(text)[:40])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_instance(text, "--instance")
    message = str(refused.value)
    assert message.startswith("--instance: ")
    assert "PROVIDER:TYPE[@REGION][/PRICING]" in message
    assert message.isprintable()
    assert len(message) < 500


@given(st.text(max_size=100) | st.from_regex(r"[a-z]{2,4}:.{0,20}(@.{0,9})?(/.{0,9})?", fullmatch=True))
def test_any_text_is_a_clean_name_or_a_clean_error(text: str) -> None:
    try:
        found = parse_instance(text, "--instance")
    except UsageError as error:
        refusal = str(error)
    else:
        refusal = ""
        for part in (found.provider, found.instance_type, found.region):
            assert part is None or (part.isascii() and part.isprintable() and 0 < len(part) <= 64)
            assert part is None or part[0] not in "=+@ ("
        assert found.pricing in (None, *PRICINGS)
    assert refusal.isprintable()


def test_the_option_comes_before_the_variable_before_all_else(cloud: Cloud, tmp_path: Path) -> None:
    variables = {"CHIPMARK_INSTANCE": "gcp:a3-highgpu-8g"}
    option = given_instance("aws:p5.48xlarge", variables)
    assert option
    assert option.provider == "aws"
    variable = given_instance(None, variables)
    assert variable
    assert variable.provider == "gcp"
    root = machine(tmp_path, DMI["aws"])
    assert identify(variable, True, {"RUNPOD_POD_ID": "x"}, root, cloud.where) == Identified(variable)
    assert cloud.asked == []


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_variable_names_none(text: str) -> None:
    assert given_instance(None, {"CHIPMARK_INSTANCE": text}) is None


@pytest.mark.parametrize("bad", ["p5", "aws:p5\nx", "aws:=1+1"])
@pytest.mark.parametrize("arguments", [["run", "smoke"], ["devices"], ["devices", "--json"]], ids="-".join)
def test_a_bad_variable_ends_a_command_before_it_begins(
    arguments: list[str], bad: str, chipmark: Runner, plugin_environment: dict[str, str], tmp_path: Path
) -> None:
    done = chipmark(*arguments, env=plugin_environment | {"CHIPMARK_INSTANCE": bad})
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"chipmark: error: CHIPMARK_INSTANCE: {bad!r} names no instance; give PROVIDER:TYPE")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("bad", ["p5", "aws:p5/free"])
def test_a_bad_option_ends_a_run_before_it_begins(bad: str, chipmark: Runner, tmp_path: Path) -> None:
    done = chipmark("run", "smoke", "--instance", bad)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"chipmark: error: --instance: {bad!r} names no instance")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("options", [["--instance", "aws:p5.48xlarge"], ["--no-metadata"]], ids=lambda o: o[0])
def test_a_resumed_run_keeps_its_instance(options: list[str], chipmark: Runner) -> None:
    done = chipmark("run", "--resume", "missing", *options)
    assert done.returncode == 2
    assert done.stderr == (
        "chipmark: error: --resume keeps the instance that the run has stored: leave --instance and --no-metadata out\n"
    )
