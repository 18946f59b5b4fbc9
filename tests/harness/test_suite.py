from __future__ import annotations

from pathlib import Path

import pytest

from harness.suite import load_suite, parse_suite, suite_names
from results.errors import SuiteError, UnknownNameError

GOOD = """
[suite]
name = "mine"
[measure]
min_seconds = 1
[[case]]
workload = "llm-decoder"
precision = ["fp32", "bf16"]
"""


def test_a_good_suite_is_read() -> None:
    suite = parse_suite(GOOD, "mine.toml")
    assert suite.suite.name == "mine"
    assert suite.measure.min_seconds == 1.0
    assert suite.case[0].precision == ["fp32", "bf16"]
    assert suite.source == "mine.toml"


@pytest.mark.parametrize("name", suite_names())
def test_shipped_suites_are_good(name: str) -> None:
    assert load_suite(name).suite.name == name


def test_the_three_suites_ship() -> None:
    assert suite_names() == ["edge", "smoke", "standard"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[suite]", "[suite"), "mine.toml: is not valid TOML: Expected ']' at the end of a table declaration"),
        (('name = "mine"', 'name = "mine"\nnam = 1'), "mine.toml: suite.nam: unknown key; did you mean 'name'?"),
        (("min_seconds = 1", "min_secons = 1"), "mine.toml: measure.min_secons: unknown key; did you mean 'min_seconds'"),
        (("[measure]", "[mesure]"), "mine.toml: mesure: unknown key; did you mean 'measure'"),
        (("workload =", "worklod ="), "mine.toml: case[0].worklod: unknown key; did you mean 'workload'?"),
        (('"bf16"', '"bf61"'), "mine.toml: case[0].precision[1]: unknown precision 'bf61'; did you mean 'bf16'"),
        (("min_seconds = 1", 'min_seconds = "1"'), "mine.toml: measure.min_seconds: Expected `float`, got `str`"),
        (("min_seconds = 1", "min_seconds = 0"), "mine.toml: measure.min_seconds: must be greater than 0 and at most 604800, is 0.0"),
        (("min_seconds = 1", "max_seconds = 0.1"), "mine.toml: measure.max_seconds: is below measure.min_seconds"),
        (('["fp32", "bf16"]', "[]"), "mine.toml: case[0].precision: is an empty list"),
        (('["fp32", "bf16"]', '"fp32"\nbatch_size = [1, 0]'), "mine.toml: case[0].batch_size: must be at least 1 and at most 2147483647, is 0"),
        (('["fp32", "bf16"]', '"fp32"\nbatch_size = 1.5'), "mine.toml: case[0].batch_size: Expected `int | array | null`"),
        (('["fp32", "bf16"]', '"fp32"\nscenarios = []'), "mine.toml: case[0].scenarios: is empty"),
        (('["fp32", "bf16"]', '"fp32"\nphase = "trian"'), "mine.toml: case[0].phase: unknown phase 'trian'; did you mean 'train'"),
        (('["fp32", "bf16"]', '"fp32"\nshape = {a = 0}'), "mine.toml: case[0].shape.a: must be at least 1 and at most 2147483647, is 0"),
        (('workload = "llm-decoder"', ""), "mine.toml: case[0]: Object missing required field `workload`"),
        (("min_seconds = 1", "max_seconds = inf"), "mine.toml: measure.max_seconds: must be greater than 0 and at most 604800, is inf"),
        (("min_seconds = 1", "timeout_seconds = nan"), "mine.toml: measure.timeout_seconds: must be greater than 0"),
        (("min_seconds = 1", "energy_min_seconds = -1"), "mine.toml: measure.energy_min_seconds: must be at least 0 and at most 604800, is -1"),
        (("min_seconds = 1", "energy_idle_seconds = nan"), "mine.toml: measure.energy_idle_seconds: must be at least 0"),
        (("min_seconds = 1", "half_width = 2"), "mine.toml: measure.half_width: must be greater than 0 and at most 1, is 2"),
        (("min_seconds = 1", "half_width = 0"), "mine.toml: measure.half_width: must be greater than 0 and at most 1, is 0"),
        (("min_seconds = 1", "replicates = 99999"), "mine.toml: measure.replicates: must be greater than 0 and at most 10000"),
        (('["fp32", "bf16"]', '"fp32"\nbatch_size = 9999999999'), "mine.toml: case[0].batch_size: must be at least 1 and at most 2147483647"),
        (('["fp32", "bf16"]', '"fp32"\nseed = -1'), "mine.toml: case[0].seed: must be at least 0 and at most 4294967295, is -1"),
        (('["fp32", "bf16"]', '"fp32"\noptions = {x = [nan]}'), "mine.toml: case[0].options.x: must be a finite number, is nan"),
        (('["fp32", "bf16"]', '"fp32"\nscenarios = ["latency", "latency"]'), "mine.toml: case[0].scenarios: names one twice"),
        (("[[case]]", "[case]"), "mine.toml: case: Expected `array`, got `object`"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)  # fmt: skip
def test_each_fault_is_named_with_its_path(change: tuple[str, str], message: str) -> None:
    text = GOOD.replace(*change)
    assert text != GOOD
    with pytest.raises(SuiteError) as caught:
        parse_suite(text, "mine.toml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_no_cases() -> None:
    with pytest.raises(SuiteError, match="at least one"):
        parse_suite('case = []\n[suite]\nname = "x"', "x.toml")


def test_unknown_suite_and_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="unknown suite 'smok'; did you mean 'smoke'"):
        load_suite("smok")
    with pytest.raises(SuiteError, match="cannot be read: No such file"):
        load_suite(str(tmp_path / "none.toml"))
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(SuiteError, match="is not UTF-8"):
        load_suite(str(binary))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(GOOD)
    with pytest.raises(UnknownNameError, match="use its whole name, mine.toml"):
        load_suite("mine")


def test_a_silent_warm_up_must_not_look_like_a_hang() -> None:
    text = GOOD.replace("min_seconds = 1", "warmup_max_seconds = 5.0\nprogress_timeout_seconds = 5.0")
    with pytest.raises(SuiteError, match=r"measure\.progress_timeout_seconds: must be greater than .*\(5\), is 5"):
        parse_suite(text, "t.toml")
