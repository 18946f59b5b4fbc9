"""The model, inputs and reference of a case that were exported elsewhere."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backends.bundle_format import BundledCase, OpenBundle
from backends.bundle_install import checked_stream, write_weights
from backends.onnx_cache import MODEL_FILE, CacheEntry, Info, obtain
from results.errors import BundleError
from results.records import CaseSpec

WEIGHTS_FILE = "weights.bin"


class BundleSource:
    """A ``backends.onnx_source.ModelSource`` that reads a bundle; needs neither torch nor onnx."""

    def __init__(self, opened: OpenBundle, case: CaseSpec) -> None:
        self._opened, self._case = opened, case
        self._found = opened.bundle.find(case)

    def lacks(self) -> str:
        """Why the bundle cannot run the case, or ""."""
        if self._found is not None:
            return ""
        failed = [reason for label, reason in self._opened.bundle.failed.items() if label == _label(self._case)]
        why = f"it could not be exported: {failed[0]}" if failed else "it was not exported"
        return f"the bundle does not have this case: {why}"

    def model(self, scheme: str | None) -> CacheEntry:
        """See ``ModelSource``; weights are made on first use and kept in the cache.

        Raises:
            BundleError: the bundle has not such a graph, or is damaged.
        """
        name = self._case_here().graphs.get(scheme or "")
        if name is None or name not in self._opened.bundle.graphs:
            raise BundleError(f"{self._opened.path}: has no {scheme or 'such'} graph of this case; export it again")
        graph = self._opened.bundle.graphs[name]

        def build(folder: Path) -> Info:
            start = time.perf_counter()
            (folder / MODEL_FILE).write_bytes(self._opened.read(graph.file))
            if graph.pieces:
                write_weights(self._opened, graph, folder / WEIGHTS_FILE)
            return {**graph.info, "install_s": time.perf_counter() - start}

        entry = obtain({"bundle": self._opened.identity, "graph": name}, build)
        entry.info["bundle"] = self._opened.identity
        if entry.cached:
            entry.info["install_s"] = None
        return entry

    def batches(self) -> list[Mapping[str, np.ndarray]]:
        """See ``ModelSource``."""
        found: dict[int, dict[str, np.ndarray]] = {}
        case = self._case_here()
        arrays = self._arrays(case.inputs)
        for name, made in case.made.items():
            arrays[name] = checked_stream(self._opened, made.stream).astype(made.dtype)
        for name, values in arrays.items():
            number, _, tensor = name.partition("/")
            found.setdefault(int(number), {})[tensor] = values
        return [found[number] for number in sorted(found)]

    def reference(self) -> tuple[str, dict[str, np.ndarray]]:
        """See ``ModelSource``."""
        case = self._case_here()
        return f"{case.reference_by}, where the bundle was made", self._arrays(case.reference)

    def _case_here(self) -> BundledCase:
        if self._found is None:
            raise BundleError(self.lacks())
        return self._found

    def _arrays(self, name: str) -> dict[str, Any]:
        content = self._opened.read(name)
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files}
        except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
            raise BundleError(f"{self._opened.path / name}: holds no arrays: {error}") from error


def _label(case: CaseSpec) -> str:
    """As ``CaseSpec.label`` says it without the device."""
    return f"{case.workload}/{case.preset} {case.phase} {case.precision} b{case.batch_size}"
