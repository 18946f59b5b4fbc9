"""Writes a bundle: exports cases with torch and keeps what a device needs to run them without."""

from __future__ import annotations

import gc
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np

from backends.bundle_format import (
    BUNDLE_FILE,
    BUNDLE_SCHEMA_VERSION,
    Bundle,
    BundledCase,
    Graph,
    Made,
    OpenBundle,
    Part,
    Stream,
)
from backends.bundle_install import write_weights
from backends.bundle_recipes import WEIGHTS_FILE, Recipes, load
from backends.bundle_weights import digest_of, stream_values
from backends.bundle_workload import MIN_INPUTS, BundleWorkload
from backends.onnx_cache import MODEL_FILE, content_key
from backends.onnx_export import export_ingredients
from backends.onnx_provider_row import Int8Scheme
from backends.onnx_source import ExportedHere
from results.records import CaseSpec
from workloads.base import Workload

LICENCE = (
    "Models, inputs and outputs are made by chipmark from seeds; they contain nobody's trained weights or data. "
    "They may be used under the licence of chipmark (Apache-2.0)."
)
# What exporting told that is of no interest where the bundle is used.
_TIMES = ("export_s", "quantize_s", "export_cached", "export_note")


class BundleWriter:
    """Collects exported cases in a folder.

    Args:
        folder: an empty folder.
        with_weights: write each graph's file of weights too, so that other tools can open the models.
    """

    def __init__(self, folder: Path, with_weights: bool = False) -> None:
        self._folder, self._with_weights = folder, with_weights
        self._files: dict[str, Part] = {}
        self._streams: dict[str, Stream] = {}
        self._graphs: dict[str, Graph] = {}
        self._cases: list[BundledCase] = []
        # Of the model that was exported last: the next case is mostly of the same one.
        self._recipes: tuple[str, Recipes] | None = None

    def add(self, workload: Workload, case: CaseSpec) -> None:
        """Export a case.

        Raises:
            ChipmarkError: it cannot be exported. Nothing of it is kept then.
        """
        source_workload = BundleWorkload(workload)
        source = ExportedHere(source_workload, case)
        schemes: tuple[str, ...] = get_args(Int8Scheme) if case.precision == "int8" else ("",)
        graphs = {scheme: self._graph(source_workload, source, case, scheme) for scheme in schemes}
        by, outputs = source.reference()
        batches, made = self._inputs(source_workload, source, case)
        self._cases.append(
            BundledCase(
                case=case,
                work=workload.work(case.preset, case.phase, case.batch_size, case.shape),
                graphs=graphs,
                inputs=self._put_arrays(batches),
                made=made,
                reference=self._put_arrays(outputs),
                reference_by=by,
            )
        )
        gc.collect()

    def finish(
        self,
        suite: str,
        created_at: str,
        failed: Mapping[str, str],
        packages: Mapping[str, str],
        suite_text: str,
    ) -> None:
        """Write suite, licence and, last of all, the description."""
        self._write("LICENCE.txt", f"{LICENCE}\n".encode())
        bundle = Bundle(
            schema_version=BUNDLE_SCHEMA_VERSION,
            chipmark_version=packages.get("chipmark", "unknown"),
            created_at=created_at,
            suite=suite,
            licence=LICENCE,
            streams=self._streams,
            graphs=self._graphs,
            cases=tuple(self._cases),
            failed=dict(failed),
            packages=dict(packages),
            files=self._files,
        )
        self._write(bundle.suite_file, suite_text.encode())
        if self._with_weights:
            self._write_weights(bundle)
            bundle = msgspec.structs.replace(bundle, files=self._files)
        (self._folder / BUNDLE_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(bundle), indent=1))

    @property
    def num_bytes(self) -> int:
        """Of all files so far."""
        return sum(part.num_bytes for part in self._files.values())

    def _inputs(
        self, workload: BundleWorkload, source: ExportedHere, case: CaseSpec
    ) -> tuple[dict[str, np.ndarray], dict[str, Made]]:
        """What is to be stored, and what a device makes itself."""
        kept, made = {}, {}
        for number, batch in enumerate(source.batches()):
            for name, values in batch.items():
                stream = workload.input_name(case.preset, case.phase, case.shape, case.seed + 1 + number, name)
                if values.size >= MIN_INPUTS and values.dtype.kind == "f":
                    plain = stream_values(stream, values.shape, 1.0)
                    if np.array_equal(plain.astype(values.dtype), values):
                        self._streams[stream] = Stream(shape=values.shape, sd=1.0, digest=digest_of(plain))
                        made[f"{number}/{name}"] = Made(stream=stream, dtype=values.dtype.name)
                        continue
                kept[f"{number}/{name}"] = values
        return kept, made

    def _graph(self, workload: BundleWorkload, source: ExportedHere, case: CaseSpec, scheme: str) -> str:
        key = content_key({**export_ingredients(workload, case), "precision": case.precision, "scheme": scheme})[:8]
        parts = (case.workload, case.preset, f"b{case.batch_size}", case.precision, scheme.lower(), key)
        name = "-".join(filter(None, parts))
        if name not in self._graphs:
            recipes = self._recipes_of(workload, case)
            with source.model(scheme or None) as entry:  # type: ignore[arg-type]  # of the literal's own values
                model = load(entry.model_path)
                info = {k: v for k, v in entry.info.items() if k not in _TIMES}
            pieces, num_bytes = recipes.take_out(model)
            opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
            file = f"graphs/{name}/{MODEL_FILE}"
            self._write(file, model.SerializeToString())
            self._graphs[name] = Graph(file=file, num_weight_bytes=num_bytes, pieces=pieces, opset=opset, info=info)
        return name

    def _recipes_of(self, workload: BundleWorkload, case: CaseSpec) -> Recipes:
        """With the FP32 graph looked at first: the others' initializers are made of its own."""
        plain = msgspec.structs.replace(case, precision="fp32")
        key = content_key(export_ingredients(workload, plain))
        if self._recipes is None or self._recipes[0] != key:
            streams = workload.streams(case.preset, case.seed)
            for name, (sd, values) in streams.items():
                self._streams[name] = Stream(shape=values.shape, sd=sd, digest=digest_of(values))
            recipes = Recipes({name: values for name, (_, values) in streams.items()}, self._put_blob)
            if case.precision != "fp32":
                with ExportedHere(workload, plain).model(None) as entry:
                    recipes.learn(load(entry.model_path))
            self._recipes = (key, recipes)
        return self._recipes[1]

    def _write_weights(self, bundle: Bundle) -> None:
        opened = OpenBundle(self._folder, bundle, "")
        for name, graph in self._graphs.items():
            if graph.pieces:
                path = self._folder / f"graphs/{name}/{WEIGHTS_FILE}"
                write_weights(opened, graph, path)
                with path.open("rb") as stream:
                    digest = hashlib.file_digest(stream, "sha256").hexdigest()
                self._files[f"graphs/{name}/{WEIGHTS_FILE}"] = Part(sha256=digest, num_bytes=path.stat().st_size)

    def _put_arrays(self, arrays: Mapping[str, np.ndarray]) -> str:
        content: Any = io.BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type]  # its other keywords are no names of tensors
        digest = hashlib.sha256()
        for name, values in sorted(arrays.items()):
            digest.update(
                f"{name}\0{values.dtype.str}{values.shape}\0".encode() + np.ascontiguousarray(values).tobytes()
            )
        return self._write(f"arrays/{digest.hexdigest()[:32]}.npz", content.getvalue())

    def _put_blob(self, content: bytes) -> str:
        return self._write(f"blobs/{hashlib.sha256(content).hexdigest()[:32]}.bin", content)

    def _write(self, name: str, content: bytes) -> str:
        if name not in self._files:
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            self._files[name] = Part(sha256=hashlib.sha256(content).hexdigest(), num_bytes=len(content))
        return name
