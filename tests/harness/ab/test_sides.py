"""Both sides are what they should be, or one clear line says what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.ab import worktrees
from harness.ab.request import AbRequest, check_request
from harness.ab.sides import ready_sides, source_digest
from harness.plan import Filters
from results.errors import UsageError
from tests.harness.ab.repository import chipmark_repository, commit


@pytest.fixture
def script(tmp_path: Path):
    """Write an executable shell script and return its path."""

    def write(body: str, name: str = "python") -> str:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return str(path)

    return write


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = chipmark_repository(tmp_path_factory.mktemp("sides") / "repository")
    (root / "harness" / "origin.py").write_text("syntax error here\n")
    commit(root, "broken")
    return root


def test_two_interpreters_with_the_chipmark_that_runs(script) -> None:
    wrapper = script(f'exec "{sys.executable}" "$@"')
    with ready_sides(AbRequest(python_a=wrapper, python_b=sys.executable)) as sides:
        assert [sides[side].record.python for side in "ab"] == [wrapper, sys.executable]
        assert sides["a"].record.python_version == "{}.{}.{}".format(*sys.version_info[:3])
        assert sides["a"].tree == sides["b"].tree == worktrees.HOME
        assert not sides["a"].was_changed()


def test_a_virtual_environments_folder_will_do(tmp_path: Path) -> None:
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to(sys.executable)
    with pytest.raises(UsageError) as raised, ready_sides(AbRequest(python_a=str(tmp_path / "venv"))):
        pass
    # It is a bare environment: found, run, and told apart from ours by not following the link.
    assert f"side A: {tmp_path}/venv/bin/python cannot import chipmark: No module named" in str(raised.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("echo nonsense", "does not run as a Python interpreter"),
        ("echo 'PROBE{'", "does not run as a Python interpreter"),
        ("echo broken pipe >&2; exit 3", "does not run as a Python interpreter: broken pipe"),
        ("""echo 'PROBE{"python": "3.9.1", "fault": "is Python 3.9.1, chipmark needs 3.11"}'""", "needs 3.11"),
        ("""echo 'PROBE{"python": "3.12.1", "home": "/elsewhere/harness", "fault": null}'""", "from /elsewhere"),
    ],
)
def test_what_is_no_interpreter_of_chipmark_is_refused(script, body: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised, ready_sides(AbRequest(python_b=script(body))):
        pass
    assert str(raised.value).startswith("side B: ")


def test_a_missing_interpreter_is_refused() -> None:
    with (
        pytest.raises(UsageError, match="--python-a /no/such/python: no such interpreter"),
        ready_sides(AbRequest(python_a="/no/such/python")),
    ):
        pass


def test_a_chipmark_elsewhere_on_the_path_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("path", "here"):
        (tmp_path / place / "harness").mkdir(parents=True)
        (tmp_path / place / "harness" / "__init__.py").write_text("raise ImportError('a stranger')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    monkeypatch.chdir(tmp_path / "here")
    with ready_sides(AbRequest(python_a=sys.executable)) as sides:
        assert sides["a"].environment()["PYTHONPATH"] == os.pathsep.join([str(worktrees.HOME), str(tmp_path / "path")])


def test_revisions_and_the_working_tree(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worktrees, "HOME", repository)
    with (
        pytest.raises(UsageError, match=r"side B: .* does not run .*SyntaxError"),
        ready_sides(AbRequest(ref_a="old", ref_b="broken")),
    ):
        pass
    with ready_sides(AbRequest(ref_a="old", ref_b="old")) as sides:
        assert sides["a"].tree != sides["b"].tree
        assert sides["a"].digest == sides["b"].digest
        assert sides["a"].record.label.startswith("old (")
        (sides["b"].tree / "harness" / "clock.py").write_text("")  # type: ignore[operator]
        assert sides["b"].was_changed()
        assert not sides["a"].was_changed()
    with pytest.raises(UsageError, match="side A"), ready_sides(AbRequest(ref_a=".", ref_b="old")):
        pass  # the working tree is what is broken now
    subprocess.run(["git", "-C", str(repository), "checkout", "--quiet", "old"], check=True)
    edited = repository / "harness" / "clock.py"
    edited.write_text(edited.read_text() + "# edited\n")
    with ready_sides(AbRequest(ref_a="WORKTREE", ref_b=".")) as sides:
        assert sides["a"].tree == sides["b"].tree == repository
        assert sides["a"].record.label.endswith("-dirty)")
        assert sides["a"].record.commit.endswith("-dirty")  # type: ignore[union-attr]


def test_the_digest_sees_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "harness").mkdir()
    file = tmp_path / "harness" / "a.py"
    file.write_text("x")
    digests = [source_digest(tmp_path)]
    file.write_text("y")
    digests.append(source_digest(tmp_path))
    file.rename(tmp_path / "harness" / "b.py")
    digests.append(source_digest(tmp_path))
    assert len(set(digests)) == 3
    (tmp_path / "harness" / "notes.txt").write_text("not code")
    assert source_digest(tmp_path) == digests[-1]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pairs": 6}, "--pairs 6: must lie between 7"),
        ({"pairs": 0}, "cannot tell a change from noise"),
        ({"pairs": 10**9}, "must lie between"),
        ({"ref_b": None}, "needs two revisions"),
        ({"ref_a": None, "ref_b": None}, "nothing to compare"),
        ({"filters": Filters(replicates=3)}, "--replicates has no meaning"),
    ],
)
def test_requests_that_can_give_no_verdict(fields: dict, message: str) -> None:
    good = {"ref_a": "old", "ref_b": "new", "pairs": 7}
    check_request(AbRequest(**good))
    with pytest.raises(UsageError, match=message):
        check_request(AbRequest(**(good | fields)))
