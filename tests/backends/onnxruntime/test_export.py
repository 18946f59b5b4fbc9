"""Exporting: what goes into a cache key, what is said when it fails, and that it is quiet."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path
from typing import Any

import msgspec
import pytest

for package in ("onnx", "onnxruntime", "onnxscript", "torch"):
    pytest.importorskip(package)

import torch  # noqa: E402

from backends import onnx_export  # noqa: E402
from backends.onnxruntime_backend import OnnxRuntimeBackend  # noqa: E402
from results.errors import ChipmarkError  # noqa: E402
from results.records import Device  # noqa: E402
from tests.backends.onnxruntime.tiny_workloads import (  # noqa: E402
    TinyDecoder,
    TinyWorkload,
    UnexportableWorkload,
    case_of,
)


def test_what_cannot_be_exported_is_one_line(backend: OnnxRuntimeBackend, cpu: Device, empty_cache: Path) -> None:
    workload = UnexportableWorkload()
    with pytest.raises(ChipmarkError) as caught:
        backend.prepare(workload, case_of(workload), cpu)
    message = str(caught.value)
    assert message.startswith("DataDependentNet/tiny infer cannot be exported to ONNX: ")
    assert message.endswith("measure it with the torch backend")
    assert "\n" not in message


def test_exporter_is_kept_quiet_and_its_warnings_are_told(
    backend: OnnxRuntimeBackend,
    cpu: Device,
    empty_cache: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def export(*args: Any, **kwargs: Any) -> Any:
        print("step 1/3")
        warnings.warn("this layer is approximated\nmore", UserWarning, stacklevel=2)
        warnings.warn("old interface", FutureWarning, stacklevel=2)
        return real(*args, **kwargs)

    real = torch.onnx.export
    monkeypatch.setattr(torch.onnx, "export", export)
    workload = TinyWorkload()
    facts = backend.prepare(workload, case_of(workload), cpu).facts
    assert "UserWarning: this layer is approximated" in facts["export_warnings"]
    assert not any("old interface" in text for text in facts["export_warnings"])
    assert capfd.readouterr().out == ""


def ingredients(**changes: Any) -> dict[str, object]:
    workload = TinyDecoder()
    case = msgspec.structs.replace(case_of(workload, "infer"), **changes)
    return onnx_export.export_ingredients(workload, case)


def test_what_the_key_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    base = ingredients()
    changes: list[dict[str, Any]] = [
        {"seed": 1}, {"batch_size": 3}, {"shape": {"sequence_length": 13}}, {"phase": "prefill"}, {"precision": "fp16"},
    ]  # fmt: skip
    for change in changes:
        assert ingredients(**change) != base, change
    assert ingredients(precision="int8") == base  # quantized from the same FP32 export
    assert ingredients(options={"threads": 2}) == base
    monkeypatch.setattr(onnx_export, "package_version", lambda name: "0")
    assert ingredients() != base


def test_changed_source_changes_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(folder: Path, package: str, body: str, layers: str) -> str:
        folder.mkdir(exist_ok=True)
        (folder / "layers.py").write_text(layers)
        file = folder / "thing.py"
        file.write_text(f"{body}\nclass Thing: ...\n")
        spec = importlib.util.spec_from_file_location(f"{package}thing", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return onnx_export.source_digest(module.Thing())

    first = digest(tmp_path / "a", "package.", "x = 1", "y = 1")
    assert digest(tmp_path / "a", "package.", "x = 1", "y = 1") == first
    assert digest(tmp_path / "b", "package.", "x = 1", "y = 1") == first  # wherever it lies
    assert digest(tmp_path / "a", "package.", "x = 2", "y = 1") != first
    assert digest(tmp_path / "a", "package.", "x = 1", "y = 2") != first  # the layers it is made of
    alone = digest(tmp_path / "a", "", "x = 1", "y = 1")
    assert digest(tmp_path / "a", "", "x = 1", "y = 2") == alone  # a lone module's neighbours are strangers


def test_without_source_nothing_repeats() -> None:
    space: dict[str, Any] = {"__name__": "nowhere"}
    exec("class Thing: ...", space)
    assert onnx_export.source_digest(space["Thing"]()) != onnx_export.source_digest(space["Thing"]())
