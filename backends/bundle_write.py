"""Writes a bundle: exports cases with torch and keeps what a device needs to run them without."""

from __future__ import annotations

import gc
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np

from backends.bundle_check import Arrays, check_case, check_description, check_graph
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
    open_bundle,
    sealed,
)
from backends.bundle_install import write_weights
from backends.bundle_recipes import WEIGHTS_FILE, Recipes, load
from backends.bundle_weights import digest_of, stream_values
from backends.bundle_workload import MIN_INPUTS, BundleWorkload
from backends.onnx_cache import MODEL_FILE, content_key
from backends.onnx_export import export_ingredients
from backends.onnx_provider_row import Int8Scheme
from backends.onnx_source import ExportedHere
from results.errors import ChipmarkError
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
        """Export a case, and see that what a device will read and make is what was exported.

        Raises:
            ChipmarkError: it cannot be exported. The bundle does not have the case then.
        """
        source_workload = BundleWorkload(workload)
        source = ExportedHere(source_workload, case)
        schemes: tuple[str, ...] = get_args(Int8Scheme) if case.precision == "int8" else ("",)
        graphs = {scheme: self._graph(source_workload, source, case, scheme) for scheme in schemes}
        by, outputs = source.reference()
        batches = source.batches()
        kept, made = self._inputs(source_workload, case, batches)
        bundled = BundledCase(
            case=case,
            work=workload.work(case.preset, case.phase, case.batch_size, case.shape),
            graphs=graphs,
            inputs=self._put_arrays(kept),
            made=made,
            reference=self._put_arrays(outputs),
            reference_by=by,
        )
        check_case(self._opened(bundled), bundled, batches, outputs)
        self._cases.append(bundled)
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
        bundle = msgspec.structs.replace(
            self._bundle(self._cases),
            chipmark_version=packages.get("chipmark", "unknown"),
            created_at=created_at,
            suite=suite,
            failed=dict(failed),
            packages=dict(packages),
        )
        self._write(bundle.suite_file, suite_text.encode())
        if self._with_weights:
            self._write_weights(bundle)
        bundle = sealed(msgspec.structs.replace(bundle, files=self._files))
        (self._folder / BUNDLE_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(bundle), indent=1))
        check_description(open_bundle(self._folder))

    def _bundle(self, cases: Iterable[BundledCase]) -> Bundle:
        """What there is so far."""
        return Bundle(
            schema_version=BUNDLE_SCHEMA_VERSION, chipmark_version="", created_at="", suite="", licence=LICENCE,
            streams=self._streams, graphs=self._graphs, cases=tuple(cases), failed={}, packages={}, files=self._files,
        )  # fmt: skip

    def _opened(self, *cases: BundledCase) -> OpenBundle:
        return OpenBundle(self._folder, self._bundle(cases), "")

    @property
    def num_bytes(self) -> int:
        """Of all files so far."""
        return sum(part.num_bytes for part in self._files.values())

    def _inputs(
        self, workload: BundleWorkload, case: CaseSpec, batches: Sequence[Arrays]
    ) -> tuple[dict[str, np.ndarray], dict[str, Made]]:
        """What is to be stored, and what a device makes itself."""
        kept, made = {}, {}
        for number, batch in enumerate(batches):
            for name, values in batch.items():
                if values.size >= MIN_INPUTS and values.dtype.kind == "f":
                    seed = case.seed + 1 + number
                    stream = workload.input_name(case.preset, case.phase, case.batch_size, case.shape, seed, name)
                    plain = stream_values(stream, values.shape, 1.0)
                    if np.array_equal(plain.astype(values.dtype), values):
                        self._put_stream(stream, plain, 1.0)
                        made[f"{number}/{name}"] = Made(stream=stream, dtype=values.dtype.name)
                        continue
                kept[f"{number}/{name}"] = values
        return kept, made

    def _put_stream(self, name: str, values: np.ndarray, sd: float) -> None:
        stream = Stream(shape=values.shape, sd=sd, digest=digest_of(values))
        if self._streams.setdefault(name, stream) != stream:
            raise ChipmarkError(f"two tensors have the name {name}; report this as a defect of chipmark")

    def _graph(self, workload: BundleWorkload, source: ExportedHere, case: CaseSpec, scheme: str) -> str:
        key = content_key({**export_ingredients(workload, case), "precision": case.precision, "scheme": scheme})[:8]
        parts = (case.workload, case.preset, f"b{case.batch_size}", case.precision, scheme.lower(), key)
        name = "-".join(filter(None, parts))
        if name not in self._graphs:
            recipes = self._recipes_of(workload, case)
            with source.model(scheme or None) as entry:  # type: ignore[arg-type]  # of the literal's own values
                model = load(entry.model_path)
                info = {k: v for k, v in entry.info.items() if k not in _TIMES}
            taken = recipes.take_out(model)
            opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
            file = f"graphs/{name}/{MODEL_FILE}"
            self._write(file, model.SerializeToString())
            graph = Graph(file=file, num_weight_bytes=taken.num_bytes, pieces=taken.pieces, opset=opset, info=info)
            check_graph(self._opened(), graph, taken.digests)
            self._graphs[name] = graph
        return name

    def _recipes_of(self, workload: BundleWorkload, case: CaseSpec) -> Recipes:
        """With the FP32 graph looked at first: the others' initializers are made of its own."""
        plain = msgspec.structs.replace(case, precision="fp32")
        key = content_key(export_ingredients(workload, plain))
        if self._recipes is None or self._recipes[0] != key:
            streams = workload.streams(case.preset, case.seed)
            for name, (sd, values) in streams.items():
                self._put_stream(name, values, sd)
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
