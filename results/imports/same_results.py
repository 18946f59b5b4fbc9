"""Numbers that stand twice in one file: flagged, so that nobody counts them twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from results.imported_record import ImportedResult

# Two accuracy targets of one benchmark; one run usually serves both.
_TARGETS = ("-99.9", "-99")
SAME_RUN = "the same number stands under another accuracy target (row {row}): one measurement, count it once"


def flag_same(results: Sequence[ImportedResult]) -> list[ImportedResult]:
    """The results, with a doubt on each that repeats an earlier one."""
    measured: dict[tuple[object, ...], ImportedResult] = {}
    placed: dict[tuple[object, ...], ImportedResult] = {}
    flagged = []
    for result in results:
        doubts = []
        twin = measured.setdefault((*_place(result, _base(result)), result.value), result)
        before = placed.setdefault(_place(result, result.citation.benchmark), result)
        if before is not result:
            same = "with the same value" if before.value == result.value else "with another value"
            doubts.append(f"row {before.row} is of the same system, benchmark and scenario, {same}")
        elif twin is not result:
            doubts.append(SAME_RUN.format(row=twin.row))
        flagged.append(msgspec.structs.replace(result, doubts=(*result.doubts, *doubts)) if doubts else result)
    return flagged


def num_measurements(results: Iterable[ImportedResult]) -> int:
    """How many different measurements there are: a number that stands under two accuracy targets is one."""
    return len({(*_place(result, _base(result)), result.value) for result in results})


def _base(result: ImportedResult) -> str:
    name = result.citation.benchmark
    return next((name.removesuffix(target) for target in _TARGETS if name.endswith(target)), name)


def _place(result: ImportedResult, benchmark: str) -> tuple[object, ...]:
    cited = result.citation
    return (
        result.origin, cited.title, cited.submitter, cited.division, cited.category, cited.suite, result.system,
        result.accelerator, result.processor, result.num_nodes, result.num_accelerators, result.precision,
        result.software, result.quantity, benchmark, cited.scenario, result.batch_size, result.phase,
    )  # fmt: skip
