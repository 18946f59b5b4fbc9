from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from backends import onnx_cache
from backends.onnx_cache import Info, cache_root, content_key, obtain

ROOT = Path(__file__).parents[3]


class Builder:
    """Writes a model and counts how often."""

    def __init__(self, text: str = "model") -> None:
        self.text, self.calls = text, 0

    def __call__(self, folder: Path) -> Info:
        self.calls += 1
        (folder / "model.onnx").write_text(self.text)
        (folder / "model.onnx.data").write_text("weights")
        return {"export_s": 1.5}


def models(cache: Path) -> list[str]:
    """Everything in the cache folder but the lock."""
    return [file.name for file in (cache / "onnx").iterdir() if file.name != ".lock"]


def test_second_use_is_a_hit(empty_cache: Path) -> None:
    build = Builder()
    with obtain({"a": 1}, build) as first, obtain({"a": 1}, build) as second:
        assert (first.cached, second.cached, build.calls) == (False, True, 1)
        assert second.info == first.info == {"export_s": 1.5}
        assert second.model_path.read_text() == "model"
        assert (first.note, second.note) == ("", "")
    assert second.model_path.exists()


def test_other_ingredients_are_another_entry(empty_cache: Path) -> None:
    build = Builder()
    obtain({"a": 1}, build)
    assert not obtain({"a": 2}, build).cached
    assert content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1}) != content_key({"a": 2, "b": 1})


@pytest.mark.parametrize("damaged", ["model.onnx", "model.onnx.data", "entry.json"])
@pytest.mark.parametrize("how", ["changed", "gone"])
def test_damaged_entry_is_built_again(empty_cache: Path, damaged: str, how: str) -> None:
    build = Builder()
    file = obtain({"a": 1}, build).folder / damaged
    if how == "changed":
        file.write_text("{}")
    else:
        file.unlink()
    again = obtain({"a": 1}, build)
    assert not again.cached
    assert "damaged" in again.note
    assert damaged in again.note
    assert again.model_path.read_text() == "model"
    healed = obtain({"a": 1}, build)
    assert (healed.cached, healed.note, build.calls) == (True, "", 2)


def test_failed_build_leaves_nothing(empty_cache: Path) -> None:
    def build(folder: Path) -> Info:
        (folder / "model.onnx").write_text("half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        obtain({"a": 1}, build)
    assert list((empty_cache / "onnx").iterdir()) == []


def test_the_first_one_stays(empty_cache: Path) -> None:
    def build(folder: Path) -> Info:
        inner = obtain({"a": 1}, Builder("first"))  # what another process might do meanwhile
        stamps.append(inner.model_path.stat().st_ino)
        return Builder("second")(folder)

    stamps: list[int] = []
    entry = obtain({"a": 1}, build)
    assert entry.model_path.read_text() == "first"
    assert entry.model_path.stat().st_ino == stamps[0]
    assert models(empty_cache) == [content_key({"a": 1})]


def test_a_model_that_cannot_be_put_in_place_is_still_used(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", refuse)
    with obtain({"a": 1}, Builder()) as entry:
        assert entry.model_path.read_text() == "model"
        assert "No space left on device" in entry.note
    assert not entry.folder.exists()
    assert models(empty_cache) == []


def test_unwritable_cache_builds_in_a_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")  # root may write anywhere, but not below a file
    monkeypatch.setenv("CHIPMARK_CACHE", str(blocker / "cache"))
    build = Builder()
    with obtain({"a": 1}, build) as entry:
        assert entry.model_path.read_text() == "model"
        assert "cannot be written" in entry.note
        assert not entry.cached
    assert not entry.folder.exists()
    with obtain({"a": 1}, build):
        assert build.calls == 2


def test_abandoned_builds_are_swept(empty_cache: Path) -> None:
    old, young = empty_cache / "onnx" / ".build-old", empty_cache / "onnx" / ".build-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    yesterday = time.time() - 2 * onnx_cache.STALE_BUILD_S
    os.utime(old, (yesterday, yesterday))
    obtain({"a": 1}, Builder())
    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize("damaged_before", [False, True])
def test_writers_at_the_same_time(empty_cache: Path, damaged_before: bool) -> None:
    if damaged_before:
        obtain({"a": 1}, Builder("old")).model_path.write_text("damaged")
    together = threading.Barrier(4, timeout=20)
    entries: list[onnx_cache.CacheEntry] = []

    def build(folder: Path) -> Info:
        (folder / "model.onnx").write_text("model")
        together.wait()  # all four are past the look-up and none has published
        return {}

    threads = [threading.Thread(target=lambda: entries.append(obtain({"a": 1}, build))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.model_path.read_text() for entry in entries] == ["model"] * 4
    assert obtain({"a": 1}, build).cached
    assert models(empty_cache) == [content_key({"a": 1})]


def test_two_processes(empty_cache: Path) -> None:
    script = (
        "import sys, time; from backends.onnx_cache import obtain\n"
        "def build(folder):\n"
        "    time.sleep(0.3)\n"
        "    (folder / 'model.onnx').write_text('x' * 100_000)\n"
        "    return {}\n"
        "for i in range(3):\n"
        "    with obtain({'i': i}, build) as entry: assert len(entry.model_path.read_text()) == 100_000\n"
    )
    workers = [subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) for _ in range(2)]
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0]
    assert len(models(empty_cache)) == 3
    for key in models(empty_cache):
        assert json.loads((empty_cache / "onnx" / key / "entry.json").read_text())["key"] == key


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("CHIPMARK_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert cache_root() == Path("/home/someone/.cache/chipmark")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_root() == Path("/xdg/chipmark")
    monkeypatch.setenv("CHIPMARK_CACHE", "~/own")
    assert cache_root() == Path("/home/someone/own")
