"""Small git repositories that hold chipmark as it is now, whether or not the tests run in a checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
FOLDERS = ("backends", "configs", "harness", "results", "workloads")


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def chipmark_repository(folder: Path) -> Path:
    """A repository with one commit, tagged ``old``: this chipmark."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "baselines"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / ".gitignore").write_text("__pycache__/\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "old")
    return folder


def commit(folder: Path, tag: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--no-verify", "--allow-empty", "--message", tag)
    git(folder, "tag", tag)


def worktrees(folder: Path) -> list[str]:
    return git(folder, "worktree", "list", "--porcelain").strip().split("\n\n")


def environment(folder: Path, *more: str, **variables: str) -> dict[str, str]:
    """Variables with which ``python -m harness`` is the repository's chipmark, and no other."""
    path = os.pathsep.join([str(folder), *more])
    return os.environ | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"} | variables
