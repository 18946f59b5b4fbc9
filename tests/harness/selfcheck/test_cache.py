"""Every run stores a self-check, and none fails by it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from harness.environment import host_id
from harness.selfcheck import cache
from harness.selfcheck.check import loops_check
from harness.session import order_seed
from results.selfcheck_record import Detectable, SelfCheck
from results.store import open_run
from tests.plugins import Runner


def full(**changes: object) -> SelfCheck:
    fields = {
        "isolation_cost_s": 0.03, "jitter_p99_ratio": 1.05, "process_sd": 0.01, "num_pairs": 16, "pair_sd": 0.012,
        "aa_verdict": "same", "aa_ratio": 1.001, "aa_half_width": 0.009, "pair_s": 8.0, "notes": (),
        "detectable": (Detectable(minutes=1, ratio=None, reason="why"), Detectable(minutes=3, ratio=0.034)),
    }  # fmt: skip
    return msgspec.structs.replace(loops_check(), **(fields | changes))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHIPMARK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_full_check_is_kept_for_this_host_version_and_python(folder: Path) -> None:
    check = full()
    assert cache.keep(check) == ""
    assert cache.cache_file().parent == folder / "selfcheck"
    assert host_id() in cache.cache_file().name
    found = cache.for_run()
    assert found.check == check
    assert found.reason.startswith("made 0.0 hours before this run")
    assert [path.name for path in cache.cache_file().parent.iterdir()] == [cache.cache_file().name]


@pytest.mark.parametrize(
    ("days", "words"), [(2.04, "made 2.0 days before"), (31, "it is old: run `chipmark selfcheck`")]
)
def test_its_age_is_told(days: float, words: str) -> None:
    when = datetime.now(UTC) - timedelta(days=days)
    cache.keep(full(measured_at=when.isoformat(timespec="seconds")))
    assert words in cache.for_run().reason


def test_without_one_a_short_one_is_made() -> None:
    found = cache.for_run()
    assert found.check is not None
    assert found.check.clock_cost_s
    assert found.check.aa_ratio is None
    assert "there is no full self-check of this host yet" in found.reason
    assert not cache.cache_file().exists(), "a short check is not kept: it would pass for a full one"


def encoded(**changes: object) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(full()) | changes)


DAMAGED = {
    "empty": lambda: b"",
    "torn": lambda: encoded()[:-20],
    "no object": lambda: b"[]",
    "unknown field": lambda: encoded(surprise=1),
    "wrong type": lambda: encoded(process_sd="small"),
    "not UTF-8": lambda: b"\xff\xfe" + encoded(),
    "nested deeply": lambda: b"[" * 100_000,
    "no time": lambda: encoded(measured_at="yesterday"),
    "time without zone": lambda: encoded(measured_at="2026-01-01T00:00:00"),
    "future": lambda: encoded(measured_at="2999-01-01T00:00:00+00:00"),
    "other host": lambda: encoded(host_id="ffffffffffff"),
    "other version": lambda: encoded(chipmark_version="9.9"),
    "infinite": lambda: encoded().replace(b'"process_sd":0.01', b'"process_sd":1e999'),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_or_foreign_one_is_ignored_with_a_note(content) -> None:
    cache.keep(full())
    cache.cache_file().write_bytes(content())
    found = cache.for_run()
    assert found.check is not None
    assert found.check.process_sd is None
    assert "a short check made for this run: the cached one was ignored" in found.reason
    assert str(cache.cache_file()) in found.reason
    assert "\n" not in found.reason


def test_a_file_that_cannot_be_read_or_written(folder: Path) -> None:
    cache.cache_file().mkdir(parents=True)
    assert "cannot be read" in cache.for_run().reason
    assert "cannot be written" in cache.keep(full())
    assert [path.name for path in (folder / "selfcheck").iterdir()] == [cache.cache_file().name]


def test_whatever_goes_wrong_a_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("it broke")

    monkeypatch.setattr(cache, "loops_check", broken)
    assert cache.for_run() == (None, "no self-check: RuntimeError: it broke")
    monkeypatch.setattr(cache, "host_id", broken)
    assert cache.for_run().check is None


def test_a_number_that_is_not_finite_is_found() -> None:
    assert cache._fault(full()) == ""
    assert cache._fault(full(aa_half_width=math.nan)) == "a number is not finite"


def test_a_run_stores_the_cached_check_and_its_age(
    chipmark: Runner, write_suite, tmp_path: Path, plugin_environment: dict[str, str], folder: Path
) -> None:
    suite = write_suite('backend = "example"')
    environment = plugin_environment | {"CHIPMARK_CACHE": str(folder)}
    assert chipmark("run", suite, "--out", "before", env=environment).returncode == 0
    check = full()
    cache.keep(check)
    assert chipmark("run", suite, "--out", "after", env=environment).returncode == 0
    before, after = (open_run(tmp_path / name).info for name in ("before", "after"))
    assert before.selfcheck is not None
    assert before.selfcheck.detectable == ()
    assert before.selfcheck_reason.startswith("a short check made for this run")
    assert after.selfcheck == check
    assert after.selfcheck_reason.startswith("made 0.0 hours before this run")


@pytest.mark.parametrize(
    ("given", "seed"), [("12345", 12345), ("", 1_700_000_000), ("-1", 1_700_000_000), ("9" * 30, 1_700_000_000)]
)
def test_two_runs_can_be_given_one_order(monkeypatch: pytest.MonkeyPatch, given: str, seed: int) -> None:
    monkeypatch.setenv("CHIPMARK_ORDER_SEED", given)
    assert order_seed(datetime.fromtimestamp(1_700_000_000, UTC)) == seed
