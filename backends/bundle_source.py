"""The model, inputs and reference of a case that were exported elsewhere."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backends.base import GATE_STEPS, NUM_ROTATING_BATCHES, gate_is_enough
from backends.bundle_format import BundledCase, OpenBundle, case_name
from backends.bundle_install import checked_stream, write_weights
from backends.onnx_cache import MODEL_FILE, CacheEntry, Info, obtain
from results.errors import BundleError
from results.records import CaseSpec, Work

WEIGHTS_FILE = "weights.bin"
_NUMBERS = tuple(map(str, range(NUM_ROTATING_BATCHES)))


class BundleSource:
    """A ``backends.onnx_source.ModelSource`` that reads a bundle; needs neither torch nor onnx.

    Args:
        opened: the bundle.
        case: one case.
        work: of it, as counted here; None: it is not compared with the bundle's.
    """

    def __init__(self, opened: OpenBundle, case: CaseSpec, work: Work | None = None) -> None:
        self._opened, self._case, self._work = opened, case, work
        self._found = opened.bundle.find(case)

    def lacks(self) -> str:
        """Why the bundle cannot run the case, or ""."""
        if self._found is not None:
            return ""
        bundle, wanted = self._opened.bundle, self._case
        if reason := bundle.failed.get(case_name(wanted)):
            return f"the bundle does not have this case: it could not be exported: {reason}"
        versions = {one.case.workload_version for one in bundle.cases if one.case.workload == wanted.workload}
        if versions and wanted.workload_version not in versions:
            return (
                f"the bundle has version {min(versions)} of {wanted.workload}, this chipmark "
                f"version {wanted.workload_version}; export it again with this chipmark"
            )
        return "the bundle does not have this case: it was not exported"

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
        """See ``ModelSource``.

        Raises:
            BundleError: a file is damaged, or there is not an input of each name for each batch.
        """
        found: list[dict[str, np.ndarray]] = [{} for _ in range(NUM_ROTATING_BATCHES)]
        case = self._case_here()
        arrays = self._arrays(case.inputs)
        for name, made in case.made.items():
            arrays[name] = checked_stream(self._opened, made.stream).astype(made.dtype)
        for name, values in arrays.items():
            number, _, tensor = name.partition("/")
            if number not in _NUMBERS:
                raise BundleError(f"{self._opened.path / case.inputs}: has an input {name!r} of no batch")
            found[int(number)][tensor] = values
        if not found[0] or any(batch.keys() != found[0].keys() for batch in found):
            raise BundleError(f"{self._opened.path / case.inputs}: lacks inputs of some of {len(found)} batches")
        return list(found)

    def reference(self) -> tuple[str, dict[str, np.ndarray]]:
        """See ``ModelSource``.

        Raises:
            BundleError: the file is damaged, or holds less than the check of outputs needs.
        """
        case = self._case_here()
        outputs = self._arrays(case.reference)
        logits = outputs.get("logits", np.empty(0))
        enough = logits.ndim > 1 and logits.size > 0 and bool(np.isfinite(logits).all())
        if not enough or (len(logits) < GATE_STEPS[case.case.phase] and not gate_is_enough([*map(_as_output, logits)])):
            raise BundleError(
                f"{self._opened.path / case.reference}: holds no finite reference outputs of "
                f"{GATE_STEPS[case.case.phase]} steps, so nothing could be checked; export the bundle again"
            )
        return f"{case.reference_by}, where the bundle was made", outputs

    def _case_here(self) -> BundledCase:
        if self._found is None:
            raise BundleError(self.lacks())
        if self._work is not None and self._work != self._found.work:
            raise BundleError(
                f"{self._opened.path}: counts another work for this case than this chipmark does; "
                "export it again with this chipmark"
            )
        return self._found

    def _arrays(self, name: str) -> dict[str, Any]:
        content = self._opened.read(name)
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files}
        except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
            raise BundleError(f"{self._opened.path / name}: holds no arrays: {error}") from error


def _as_output(logits: np.ndarray) -> dict[str, np.ndarray]:
    return {"logits": logits}
