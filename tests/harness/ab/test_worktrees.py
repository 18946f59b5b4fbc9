from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from harness.ab import worktrees
from results.errors import UsageError
from tests.harness.ab.repository import commit, git
from tests.harness.ab.repository import worktrees as listed


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    (root / "file").write_text("old")
    commit(root, "old")
    (root / "file").write_text("new")
    commit(root, "new")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return root


def assert_nothing_left(repository: Path) -> None:
    assert len(listed(repository)) == 1
    assert list((repository.parent / "temporary").iterdir()) == []


def test_a_revision_as_a_folder_of_its_own(repository: Path) -> None:
    before = git(repository, "status", "--porcelain", "--branch")
    with worktrees.worktree(repository, worktrees.resolve(repository, "old")) as folder:
        assert (folder / "file").read_text() == "old"
        assert worktrees.describe(folder) == git(repository, "rev-parse", "--short=12", "old").strip()
        (folder / "file").write_text("changed")
        (folder / "new file").write_text("left behind")
        assert len(listed(repository)) == 2
    assert_nothing_left(repository)
    assert git(repository, "status", "--porcelain", "--branch") == before


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_it_is_removed_whatever_ends_the_block(repository: Path, kind: type[BaseException]) -> None:
    with pytest.raises(kind), worktrees.worktree(repository, "HEAD"):
        raise kind
    assert_nothing_left(repository)


def test_it_is_removed_though_its_folder_has_gone(repository: Path) -> None:
    import shutil

    with worktrees.worktree(repository, "HEAD") as folder:
        shutil.rmtree(folder)
    assert_nothing_left(repository)


def test_a_second_signal_waits_until_it_is_removed(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    removed = []
    remove = worktrees._git

    def interrupted(root: Path, *arguments: str):
        if arguments[:2] == ("worktree", "remove"):
            os.kill(os.getpid(), signal.SIGINT)
            removed.append(remove(root, *arguments))
            return removed[-1]
        return remove(root, *arguments)

    monkeypatch.setattr(worktrees, "_git", interrupted)
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), worktrees.worktree(repository, "HEAD"):
            pass
    finally:
        signal.signal(signal.SIGINT, previous)
    assert [done.returncode for done in removed] == [0]
    assert_nothing_left(repository)


def test_a_hook_of_the_repository_is_not_run(repository: Path) -> None:
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {repository.parent}/hooked\n")
    hook.chmod(0o755)
    with worktrees.worktree(repository, "HEAD"):
        assert not (repository.parent / "hooked").exists()
    git(repository, "checkout", "--quiet", "old")
    assert (repository.parent / "hooked").exists(), "the hook would have run"


@pytest.mark.parametrize("ref", ["nwe", "", " ", "-f", "--all", "old^{tree}", "a\0b", "HEAD~9", "0" * 40])
def test_what_is_no_revision_is_refused(repository: Path, ref: str) -> None:
    with pytest.raises(UsageError, match="has no revision") as raised:
        worktrees.resolve(repository, ref)
    assert "\n" not in str(raised.value)
    if ref == "nwe":
        assert "did you mean 'new'" in str(raised.value)


def test_variables_of_a_git_hook_lead_nowhere_else(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_WORK_TREE", "/nonexistent")
    assert len(worktrees.resolve(repository, "HEAD")) == 40


def test_what_is_not_chipmarks_own_checkout_is_refused(repository: Path) -> None:
    assert worktrees.checkout_root(repository) == repository
    inside = repository / "lib"
    inside.mkdir()
    with pytest.raises(UsageError, match="belongs to the repository"):
        worktrees.checkout_root(inside)
    outside = repository.parent / "temporary"
    with pytest.raises(UsageError, match="not a git checkout"):
        worktrees.checkout_root(outside)


def test_git_that_is_missing_is_named(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UsageError, match="needs git"):
        worktrees.checkout_root(repository)
