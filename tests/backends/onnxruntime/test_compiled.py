"""The cache of compiled models, with a provider whose compiler writes what it is told to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from backends.onnx_providers import OPENVINO, QNN
from backends.onnxruntime_compiled import Compiled, compiled, not_kept
from backends.onnxruntime_provider import Provider
from results.errors import ChipmarkError

KEEPS_FOLDER = Provider(OPENVINO.name, "openvino:cpu", "cpu", OPENVINO, {"device_type": "CPU"})
WRITES_MODEL = Provider(QNN.name, "qnn:npu", "npu", QNN)
INGREDIENTS = {"identity": "chip, driver 1"}


class Compiler:
    """Sessions of a provider: compiles where nothing compiled is found, and counts that."""

    def __init__(self, readable: bool = True) -> None:
        self.compilations, self.readable = 0, readable

    def open(self, model: Path, provider: Provider, config: Mapping[str, str]) -> str:
        if folder := provider.options.get("cache_dir"):
            blob = Path(folder) / "model.blob"
            if not blob.exists():
                self._compile(blob)
            return blob.read_text()
        if target := config.get("ep.context_file_path"):
            self._compile(Path(target))
            return "compiled"
        if model.read_text() == "compiled" and not self.readable:
            raise RuntimeError("[ONNXRuntimeError] : 11 : EP_FAIL : Unhandled exception type: 1")
        if model.read_text() not in ("graph", "compiled"):
            raise RuntimeError("cannot read it")
        return model.read_text()

    def _compile(self, place: Path) -> None:
        self.compilations += 1
        place.write_text("compiled")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHIPMARK_CACHE", str(tmp_path / "cache"))
    (tmp_path / "model").mkdir()
    path = tmp_path / "model" / "model.onnx"
    path.write_text("graph")
    return path


def make(model: Path, provider: Provider, compiler: Compiler, ingredients: Any = INGREDIENTS) -> Compiled:
    found = compiled(model, provider, ingredients, compiler.open)
    assert compiler.open(found.model, found.provider, {}) == "compiled"
    return found


both = pytest.mark.parametrize("provider", [KEEPS_FOLDER, WRITES_MODEL], ids=["folder", "model"])


@both
def test_cold_then_warm(model: Path, provider: Provider) -> None:
    compiler = Compiler()
    cold, warm = make(model, provider, compiler), make(model, provider, compiler)
    assert compiler.compilations == 1
    assert cold.facts["ep_context"] == "cold"
    assert isinstance(cold.facts["compile_s"], float)
    assert warm.facts == {"ep_context": "warm", "compile_s": None}
    assert (warm.model, warm.provider) == (cold.model, cold.provider)


@both
def test_what_it_depends_on(model: Path, provider: Provider) -> None:
    compiler = Compiler()
    make(model, provider, compiler)
    make(model, provider, compiler, {"identity": "chip, driver 2"})
    make(model, dataclasses.replace(provider, options={"vtcm_mb": "4"}), compiler)
    make(model, dataclasses.replace(provider, device_id="other"), compiler)
    assert compiler.compilations == 4
    (model.parent / "model.data").write_text("other weights")
    assert make(model, provider, compiler).facts["ep_context"] == "cold"


def test_a_damaged_model_is_compiled_again(model: Path) -> None:
    compiler = Compiler()
    make(model, WRITES_MODEL, compiler).model.write_text("half of it")
    again = make(model, WRITES_MODEL, compiler)
    assert (again.facts["ep_context"], compiler.compilations) == ("cold", 2)
    assert make(model, WRITES_MODEL, compiler).facts["ep_context"] == "warm"


def test_a_provider_that_compiles_in_spite_of_what_it_kept(model: Path) -> None:
    class Forgetful(Compiler):
        def open(self, model: Path, provider: Provider, config: Mapping[str, str]) -> str:
            (Path(provider.options["cache_dir"]) / "model.blob").unlink(missing_ok=True)
            return super().open(model, provider, config)

    compiler = Forgetful()
    make(model, KEEPS_FOLDER, compiler)
    again = make(model, KEEPS_FOLDER, compiler)
    assert again.facts["ep_context"] == "unused"
    assert isinstance(again.facts["compile_s"], float)
    assert "compiled again" in str(again.facts["ep_context_note"])


def test_a_provider_that_does_not_read_what_it_wrote(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ChipmarkError) as caught:
        compiled(model, WRITES_MODEL, INGREDIENTS, Compiler(readable=False).open)
    assert str(caught.value) == (
        "QNN does not read the compiled model that it wrote: Unhandled exception type: 1; leave out option ep_context"
    )
    assert list((tmp_path / "cache" / "compiled").iterdir()) == []


def test_a_provider_that_writes_nothing(model: Path) -> None:
    with pytest.raises(ChipmarkError, match="QNN wrote no compiled model; leave out option ep_context"):
        compiled(model, WRITES_MODEL, INGREDIENTS, lambda *arguments: "session")


@both
def test_an_unwritable_cache(model: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHIPMARK_CACHE", str(tmp_path / "file" / "below"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = make(model, provider, Compiler())
    assert found.facts["ep_context"] == "cold"
    assert "cannot be written" in str(found.facts["ep_context_note"])
    assert found.folder is not None
    found.clean_up()
    assert not found.folder.exists()


def test_a_failure_leaves_nothing_behind(model: Path, tmp_path: Path) -> None:
    def fail(*arguments: Any) -> None:
        raise RuntimeError("no such op")

    with pytest.raises(RuntimeError, match="no such op"):
        compiled(model, KEEPS_FOLDER, INGREDIENTS, fail)
    assert list((tmp_path / "cache" / "compiled").iterdir()) == []


def test_without_the_cache(model: Path) -> None:
    assert not_kept(model, KEEPS_FOLDER).facts == {"ep_context": "off", "compile_s": None}
