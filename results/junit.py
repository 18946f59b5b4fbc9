"""A comparison as JUnit XML: what continuous integration shows as test results.

One test case for each case and metric. slower = failure; inconclusive = skipped; not comparable,
or no longer ending well = error. Rows that do not count pass, with their verdict as output.
"""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree

from results.compare_text import METRIC_LABELS, all_reasons, case_text, last_line, numbers_text, verdict_text
from results.comparison import CaseComparison, ComparisonReport
from results.notes import one_line

SUITE = "chipmark compare"
TAGS = {"slower": "failure", "inconclusive": "skipped", "not-comparable": "error", "failed": "error"}


def junit(report: ComparisonReport) -> str:
    """A ``testsuites`` document with one suite."""
    cases = [_case(row) for row in report.rows]
    cases += [_unpaired(label, "has no baseline") for label in report.only_in_candidate]
    cases += [_unpaired(label, "is in the baseline and not in the candidate") for label in report.only_in_base]
    tags = Counter(child.tag for case in cases for child in case)
    numbers = {
        "tests": str(len(cases)),
        "failures": str(tags["failure"]),
        "errors": str(tags["error"]),
        "skipped": str(tags["skipped"]),
    }
    root = ElementTree.Element("testsuites", {"name": SUITE, **numbers})
    suite = ElementTree.SubElement(root, "testsuite", {"name": SUITE, **numbers})
    suite.extend(cases)
    output = ElementTree.SubElement(suite, "system-out")
    output.text = "\n".join([*(one_line(f"warning: {text}") for text in report.warnings), last_line(report)])
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(row: CaseComparison) -> ElementTree.Element:
    element = _element(case_text(row), METRIC_LABELS[row.metric])
    verdict = "failed" if row.failed else row.verdict
    message = f"{verdict_text(row)}{numbers_text(row)}"
    text = "\n".join(all_reasons(row))
    tag = TAGS.get(verdict) if row.gating or row.failed else None
    if tag is None:
        ElementTree.SubElement(element, "system-out").text = f"{message}\n{text}"
    else:
        ElementTree.SubElement(element, tag, {"message": message, "type": verdict}).text = text
    return element


def _unpaired(label: str, what: str) -> ElementTree.Element:
    element = _element(one_line(label), "")
    ElementTree.SubElement(element, "skipped", {"message": what})
    return element


def _element(case: str, metric: str) -> ElementTree.Element:
    name = f"{case} {metric}".rstrip()
    return ElementTree.Element("testcase", {"classname": "chipmark", "name": name})
