"""Missing percentiles: a note for each row while they are few, one for all when they are many."""

from __future__ import annotations

import msgspec
import pytest

from results.latency_notes import MAX_ROW_NOTES, latency_notes, missing_percentile_notes
from results.notes import Notes, general_notes
from results.summary import run_summary
from tests.results.example_run import example_run


@pytest.fixture
def lacking(tmp_path):
    summary = run_summary(example_run(tmp_path))
    case = next(c for c in summary.cases if c.latency_p90_s is not None and c.latency_p99_s is None)
    return summary, case


def test_a_few_rows_have_a_note_each(lacking) -> None:
    summary, case = lacking
    cases = (case,) * MAX_ROW_NOTES
    assert missing_percentile_notes(cases) == []
    notes = Notes(cases)
    notes.of_case(case)
    assert any("p99 n/a (n_eff=" in text and "max " in text for _, text in notes.lines())
    assert not any("p99 n/a" in text for text in general_notes(msgspec.structs.replace(summary, cases=cases)))


def test_many_rows_share_one(lacking) -> None:
    summary, case = lacking
    cases = (case,) * (MAX_ROW_NOTES + 1)
    (note,) = missing_percentile_notes(cases)
    assert note.startswith("p99 n/a in 9 of 9 cases (needs n_eff=368); ")
    assert "p90" not in note
    notes = Notes(cases)
    notes.of_case(case)
    assert not any("p99 n/a" in text for _, text in notes.lines())
    assert note in general_notes(msgspec.structs.replace(summary, cases=cases))


def test_steadiness_is_said_of_each_row_all_the_same(lacking) -> None:
    case = msgspec.structs.replace(lacking[1], steady_notes="drift: slower")
    assert latency_notes(case, brief=True) == ["drift: slower"]
