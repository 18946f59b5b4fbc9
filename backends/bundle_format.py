"""What a bundle is: a folder with exported cases that run on a device without torch.

``bundle.json`` describes it and names every other file with its size and SHA-256; nothing of a bundle is used before
its file has been checked. Large weights are not in it: they are made again from seeds (``bundle_weights``).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from results.errors import BundleError
from results.records import CaseSpec, Work

# Raise with any change of the format. History: 1 the first.
BUNDLE_SCHEMA_VERSION = 1
BUNDLE_FILE = "bundle.json"
# Set by ``run --bundle`` for the workers.
BUNDLE_VARIABLE = "CHIPMARK_BUNDLE"
# bundle.json of the edge suite has some 100 kB.
MAX_JSON_BYTES = 64 * 2**20
CHUNK_BYTES = 2**20
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*){0,3}")


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of the bundle."""

    sha256: str
    num_bytes: int


class Stream(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A weight tensor that is made from its name: normal values of mean 0, FP32.

    Attributes:
        shape: of the tensor.
        sd: standard deviation.
        digest: SHA-256 of the values without their 12 lowest bits, little endian.
    """

    shape: tuple[int, ...]
    sd: float
    digest: str


class Piece(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one large initializer of a graph is made, in this order.

    Attributes:
        offset: of its bytes in the graph's file of weights.
        num_bytes: of it.
        stream: name of the weight tensor; None: the bytes are in ``file``.
        file: of the bundle, with the bytes of this initializer.
        transposed: the matrix is transposed.
        channel_scale: file with FP32 factors, one for each index of axis 0.
        dtype: NumPy's name of its type (little endian).
        scale: file with FP32 scales, where it is quantized: one, or one for each index of ``axis``.
        zero_point: file with zero points of type ``dtype``, as many as scales.
        axis: of the scales.
    """

    offset: int
    num_bytes: int
    stream: str | None = None
    file: str | None = None
    transposed: bool = False
    channel_scale: str | None = None
    dtype: str = "float32"
    scale: str | None = None
    zero_point: str | None = None
    axis: int | None = None


class Graph(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An ONNX model: the graph's file, and what its file of weights is made of.

    ``info`` is what exporting told of it; ``opset`` is that of the standard operators.
    """

    file: str
    num_weight_bytes: int
    pieces: tuple[Piece, ...]
    opset: int
    info: dict[str, Any] = {}


class Made(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A large input: the values of ``stream``, as NumPy's type ``dtype``."""

    stream: str
    dtype: str


class BundledCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case: its graphs by INT8 scheme (``""`` for other precisions), its inputs and its reference.

    ``inputs`` has one array for each input and batch, named ``<batch>/<input>``, but for the large ones, which are
    ``made`` from streams; ``reference`` holds the FP32
    outputs of the first steps, stacked on axis 0, and ``reference_by`` says what computed them.
    """

    case: CaseSpec
    work: Work
    graphs: dict[str, str]
    inputs: str
    made: dict[str, Made] = {}
    reference: str
    reference_by: str


class Bundle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``bundle.json``.

    ``failed`` has the cases that could not be exported, by :func:`case_name`, with the reason. ``checksum`` is the
    SHA-256 of all else (:func:`sealed`): it shows damage and hand-made changes, not forgery.
    """

    schema_version: int
    chipmark_version: str
    created_at: str
    suite: str
    licence: str
    streams: dict[str, Stream]
    graphs: dict[str, Graph]
    cases: tuple[BundledCase, ...]
    failed: dict[str, str]
    packages: dict[str, str]
    files: dict[str, Part]
    checksum: str = ""

    @property
    def suite_file(self) -> str:
        """Name of the suite file in the bundle, after which a run's folder is called."""
        return f"{self.suite if _SAFE_NAME.fullmatch(self.suite) and '/' not in self.suite else 'suite'}.toml"

    def find(self, case: CaseSpec) -> BundledCase | None:
        """The bundled case that computes the same as ``case``, wherever and with whatever options."""
        wanted = _essence(case)
        return next((one for one in self.cases if _essence(one.case) == wanted), None)


def sealed(bundle: Bundle) -> Bundle:
    """``bundle`` with its checksum."""
    bare = msgspec.structs.replace(bundle, checksum="")
    return msgspec.structs.replace(bare, checksum=hashlib.sha256(msgspec.json.encode(bare)).hexdigest())


def case_name(case: CaseSpec) -> str:
    """A case without its device: ``llm-decoder/tiny decode fp32 b2 (new_tokens 4, prompt_tokens 8)``."""
    sizes = ", ".join(f"{name} {value}" for name, value in sorted(case.shape.items()))
    plain = f"{case.workload}/{case.preset} {case.phase} {case.precision} b{case.batch_size}"
    return f"{plain} ({sizes})" if sizes else plain


def _essence(case: CaseSpec) -> tuple[object, ...]:
    return (
        case.workload, case.workload_version, case.preset, case.phase, case.precision, case.batch_size,
        tuple(sorted(case.shape.items())), case.seed,
    )  # fmt: skip


class OpenBundle:
    """A bundle on disk whose description has been read.

    Attributes:
        path: its folder.
        bundle: its description.
        identity: first 16 hex digits of the SHA-256 of ``bundle.json``, which names all files with their hashes.
    """

    def __init__(self, path: Path, bundle: Bundle, identity: str) -> None:
        self.path, self.bundle, self.identity = path, bundle, identity

    def read(self, name: str) -> bytes:
        """A file of the bundle, checked.

        Raises:
            BundleError: it is missing, cannot be read, or is not what was exported.
        """
        return b"".join(self._chunks(name))

    def copy(self, name: str, target: Path) -> None:
        """Copy a file of the bundle, checked; raises as :meth:`read`."""
        with target.open("wb") as stream:
            for chunk in self._chunks(name):
                stream.write(chunk)

    def _chunks(self, name: str) -> Iterator[bytes]:
        part = self.bundle.files.get(name)
        if part is None:
            raise BundleError(f"{self.path / BUNDLE_FILE}: does not list {name}; export the bundle again")
        digest, left = hashlib.sha256(), part.num_bytes + 1  # one more, to see whether the file is longer
        try:
            with (self.path / name).open("rb") as stream:
                while chunk := stream.read(min(CHUNK_BYTES, left)):
                    digest.update(chunk)
                    left -= len(chunk)
                    yield chunk
        except OSError as error:
            raise BundleError(f"{self.path / name}: {error.strerror}; copy the bundle again") from error
        if digest.hexdigest() != part.sha256:
            raise BundleError(f"{self.path / name}: is not what was exported (checksum); copy the bundle again")

    def check(self) -> None:
        """Read and check every file.

        Raises:
            BundleError: the first one that is missing or altered.
        """
        for name in self.bundle.files:
            for _ in self._chunks(name):
                pass


@cache
def open_bundle(path: Path) -> OpenBundle:
    """Read the description of the bundle in ``path``.

    Raises:
        BundleError: there is none, or this version of chipmark cannot read it.
    """
    file = path / BUNDLE_FILE
    try:
        if file.stat().st_size > MAX_JSON_BYTES:
            raise BundleError(f"{file}: is larger than any bundle's description ({MAX_JSON_BYTES} bytes)")
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise BundleError(f"{path}: is no bundle ({BUNDLE_FILE} is missing); make one with: chipmark export") from error
    except OSError as error:
        raise BundleError(f"{file}: cannot be read: {error.strerror}") from error
    bundle = _decode(content, file)
    for name, part in bundle.files.items():
        if not _SAFE_NAME.fullmatch(name) or ".." in name or part.num_bytes < 0:
            raise BundleError(f"{file}: names a file {name!r} that no bundle has")
    if bundle != sealed(bundle):
        raise BundleError(f"{file}: is not what was exported (checksum); copy the bundle again")
    return OpenBundle(path, bundle, hashlib.sha256(content).hexdigest()[:16])


def _decode(content: bytes, file: Path) -> Bundle:
    try:
        version = msgspec.json.decode(content, type=dict).get("schema_version")
        if version != BUNDLE_SCHEMA_VERSION:
            raise BundleError(
                f"{file}: has format {version!r}, this chipmark reads {BUNDLE_SCHEMA_VERSION}; "
                "export it again with this version"
            )
        return msgspec.json.decode(content, type=Bundle)
    except msgspec.MsgspecError as error:
        raise BundleError(f"{file}: is no description of a bundle: {error}") from error


def given_bundle() -> OpenBundle | None:
    """The bundle of ``run --bundle``, if there is one.

    Raises:
        BundleError: it cannot be read.
    """
    path = os.environ.get(BUNDLE_VARIABLE)
    try:
        return open_bundle(Path(path)) if path else None
    except BundleError as error:  # what ``run --bundle`` sets has been read before: this was set by hand
        raise BundleError(f"{BUNDLE_VARIABLE}: {error}") from error
