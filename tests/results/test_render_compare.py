"""A comparison in every format."""

from __future__ import annotations

import json
import math
import re
from xml.etree import ElementTree

import msgspec
import pytest

from results.compare_text import change, change_with_interval, last_line, sides, throughput_change
from results.comparison import VERDICTS, ComparisonReport, Judgement
from results.github_annotations import escape_data, escape_property
from results.render_compare import FORMATS, render_comparison
from tests.results.example_comparison import hostile, judgement, report, row, rows
from tests.results.example_run import case

SUFFIX = {"table": "txt", "markdown": "md", "json": "json", "junit": "xml", "github": "github.txt"}


def lines_of(text):
    return text.splitlines()


@pytest.mark.parametrize("output_format", FORMATS)
def test_golden(golden, output_format):
    golden(f"compare.{SUFFIX[output_format]}", render_comparison(report(), output_format))


def test_the_example_has_every_verdict():
    assert {each.verdict for each in rows()} == set(VERDICTS)
    assert any(each.failed for each in rows())


def test_the_table_fits_and_ends_with_the_verdict():
    text = render_comparison(report(), "table")
    assert max(map(len, lines_of(text))) <= 100
    assert text.endswith("(exit code 3)\n")
    assert "\n\nslower: of 9 gating" in text


# Directions


def test_plus_is_slower_and_throughput_goes_the_other_way():
    slower = row(case("resnet", "train", "fp32"), "throughput", "slower", judgement=judgement("slower", 0.05))
    assert change_with_interval(slower.judgement).startswith("+5.0 %")
    assert throughput_change(slower) == "-4.8 %"
    assert throughput_change(msgspec.structs.replace(slower, metric="latency_p50")) == ""
    text = render_comparison(report((slower,)), "markdown")
    assert "| +5.0 % (+3.4..+6.6) | -4.8 % |" in text
    assert "+ is slower" in render_comparison(report((slower,)), "table")


@pytest.mark.parametrize(("ratio", "text"), [
    (None, "n/a"), (math.nan, "n/a"), (1.0, "0.0 %"), (0.9999, "0.0 %"), (1.0481, "+4.8 %"), (0.5, "-50.0 %"), (9.99, "+899.0 %"), (25, "x25"),
    (math.inf, "xinf"),
])  # fmt: skip
def test_change(ratio, text):
    assert change(ratio) == text


def test_replication():
    assert sides(judgement("same", 0.0)) == "3x5 v 1x5"
    assert sides(judgement("same", 0.0, num_processes_base=14)) == "3x4.67 v 1x5"
    assert sides(None) == "n/a"
    assert sides(Judgement(verdict="inconclusive", reason="")) == "0 v 0"


def test_a_row_without_numbers():
    bare = row(case("resnet", "train", "fp32"), "throughput", "not-comparable", judgement=None, reason="no")
    for output_format in FORMATS:
        assert "not-comparable" in render_comparison(report((bare,)), output_format)


def test_no_rows():
    empty = report((), outcome="not-comparable", exit_code=5, counts={}, num_failed=0)
    for output_format in FORMATS:
        assert "not-comparable" in render_comparison(empty, output_format)


@pytest.mark.parametrize("outcome", ["faster", "same", "slower", "inconclusive", "not-comparable", "failed"])
def test_the_last_line_says_what_to_do(outcome):
    text = last_line(report(outcome=outcome, exit_code=4))
    assert text.startswith(f"{outcome}: of 9 gating")
    assert text.endswith("(exit code 4)")
    assert len(text.split("; ")[-1]) > 20


# Hostile texts


def controls(text):
    return [c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160]


@pytest.mark.parametrize("output_format", FORMATS)
def test_nothing_stored_reaches_the_terminal(output_format):
    text = render_comparison(hostile(), output_format)
    assert controls(text) == []
    text.encode("utf-8")


def test_junit_is_xml_whatever_was_stored():
    for made in (report(), hostile(), report(())):
        text = render_comparison(made, "junit")
        root = ElementTree.fromstring(text)
        suite = root.find("testsuite")
        cases = suite.findall("testcase")
        for holder in (root, suite):
            assert int(holder.get("tests")) == len(cases)
            assert int(holder.get("failures")) == len(suite.findall("testcase/failure"))
            assert int(holder.get("errors")) == len(suite.findall("testcase/error"))
            assert int(holder.get("skipped")) == len(suite.findall("testcase/skipped"))
        names = [each.get("name") for each in cases]
        assert all(each.get("name") and each.get("classname") for each in cases)
        assert made is not report() or len(set(names)) == len(names)


def test_junit_outcomes():
    suite = ElementTree.fromstring(render_comparison(report(), "junit")).find("testsuite")
    found = {}
    for each, spec in zip(suite.findall("testcase"), rows(), strict=False):
        found.setdefault((spec.verdict, spec.gating, spec.failed), set()).add(each[0].tag)
    assert found == {
        ("slower", True, False): {"failure"},
        ("slower", False, False): {"system-out"},
        ("inconclusive", False, False): {"system-out"},
        ("inconclusive", True, False): {"skipped"},
        ("inconclusive", True, True): {"error"},
        ("same", True, False): {"system-out"},
        ("faster", True, False): {"system-out"},
        ("not-comparable", True, False): {"error"},
    }


def test_annotations_are_one_line_each_and_escaped():
    lines = lines_of(render_comparison(hostile(), "github"))
    commands = [line for line in lines if line.startswith("::")]
    assert len(lines) == len(commands) + 1
    pattern = re.compile(r"::(error|warning|notice) title=([^:,\r\n]*)::(.*)")
    for line in commands:
        assert pattern.fullmatch(line), line
        assert not re.search(r"%(?!25|0A|0D)", pattern.fullmatch(line).group(3)), line
    assert escape_data("50 %\r\n::x") == "50 %25%0D%0A::x"
    assert escape_property("a:b,c%\n") == "a%3Ab%2Cc%25%0A"


def test_annotation_levels():
    lines = lines_of(render_comparison(report(), "github"))
    levels = {re.search(r"chipmark%3A ([\w -]+)::", line).group(1): line.split()[0] for line in lines[:-4]}
    assert levels == {
        "failed": "::error", "slower": "::error", "not-comparable": "::error", "inconclusive": "::warning", "faster": "::notice",
        "less energy": "::notice",
    }  # fmt: skip
    allowed = lines_of(render_comparison(report(allow_inconclusive=True), "github"))
    assert not [line for line in allowed if line.startswith("::warning title=chipmark%3A inconclusive")]
    assert [line for line in allowed if line.startswith("::notice title=chipmark%3A inconclusive")]


def test_markdown_is_a_comment_with_details_folded_in():
    text = render_comparison(hostile(), "markdown")
    assert text.count("<details>") == text.count("</details>") == 1
    assert "<script>" not in text
    for line in lines_of(text):
        if line.startswith("| "):
            assert len(re.findall(r"(?<!\\)\|", line)) in (8, 11), line


def test_json_is_the_record():
    assert msgspec.json.decode(render_comparison(report(), "json"), type=ComparisonReport) == report()
    text = render_comparison(hostile(), "json")
    assert msgspec.json.decode(text, type=ComparisonReport) == hostile()
    assert "\x9b" in json.loads(text)["reason"]


# Many cases


def many(number, verdict):
    specs = [case("resnet", "infer", "fp32", batch_size=i + 1) for i in range(number)]
    return tuple(row(spec, "throughput", verdict, judgement=judgement(verdict, 0.1), reason=f"reason {spec.batch_size} " + 100 * "long ")
                 for spec in specs)  # fmt: skip


@pytest.mark.parametrize("verdict", ["same", "slower", "inconclusive"])
def test_thousands_of_cases_stay_readable(verdict):
    found = many(3000, verdict) + many(1, "slower")
    made = report(found, outcome="slower")
    table = render_comparison(made, "table")
    assert len(lines_of(table)) < 1500
    assert "not shown" in table
    assert "b1 " in table
    comment = render_comparison(made, "markdown")
    assert len(comment) < 65_536
    assert comment.count("slower") >= 2
    annotations = lines_of(render_comparison(made, "github"))
    assert len(annotations) <= 32
    assert len(ElementTree.fromstring(render_comparison(made, "junit")).findall("testsuite/testcase")) == 3003
