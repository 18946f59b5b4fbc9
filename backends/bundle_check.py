"""Whether the parts of a bundle's description fit each other; where one is written, whether it can be read back."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from backends.bundle_format import BUNDLE_FILE, Bundle, BundledCase, Graph, OpenBundle, Piece
from backends.bundle_install import made_piece
from backends.bundle_source import BundleSource
from results.errors import BundleError

Arrays = Mapping[str, np.ndarray]


def check_description(opened: OpenBundle) -> None:
    """Every name leads to something and every number can be one.

    Raises:
        BundleError: the first that does not.
    """
    for fault in _faults(opened.bundle):
        raise BundleError(f"{opened.path / BUNDLE_FILE}: {fault}; export the bundle again")


def check_graph(opened: OpenBundle, graph: Graph, digests: Sequence[bytes]) -> None:
    """The weights that a device will make are those that were exported.

    Args:
        opened: the bundle.
        graph: one of it.
        digests: SHA-256 of each piece as it was exported.

    Raises:
        BundleError: other bytes come out.
    """
    for piece, digest in zip(graph.pieces, digests, strict=True):
        if hashlib.sha256(made_piece(opened, piece)).digest() != digest:
            raise BundleError(f"{graph.file}: {piece.stream or piece.file} comes out otherwise than exported")


def check_case(opened: OpenBundle, case: BundledCase, batches: Sequence[Arrays], reference: Arrays) -> None:
    """The inputs and outputs that a device will read are those that were exported.

    Raises:
        BundleError: others come out.
    """
    source = BundleSource(opened, case.case)
    _, found = source.reference()
    for wanted, got in zip((*batches, reference), (*source.batches(), found), strict=True):
        if wanted.keys() != got.keys() or any(not _same(wanted[name], got[name]) for name in wanted):
            raise BundleError("its inputs or reference outputs come out otherwise than exported")


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _faults(bundle: Bundle) -> Iterator[str]:
    names = ["LICENCE.txt", bundle.suite_file]
    for graph in bundle.graphs.values():
        names.append(graph.file)
        for piece in graph.pieces:
            names += filter(None, (piece.file, piece.channel_scale, piece.scale, piece.zero_point))
            yield from _piece_faults(bundle, graph, piece)
    for stream, made in bundle.streams.items():
        if not made.shape or any(size < 1 for size in made.shape) or not math.isfinite(made.sd) or made.sd <= 0:
            yield f"the values {stream} have no possible shape or deviation"
    for case in bundle.cases:
        names += [case.inputs, case.reference]
        yield from _case_faults(bundle, case)
    for name in names:
        if name not in bundle.files:
            yield f"does not list {name}"


def _piece_faults(bundle: Bundle, graph: Graph, piece: Piece) -> Iterator[str]:
    if piece.offset < 0 or piece.num_bytes < 1 or piece.offset + piece.num_bytes > graph.num_weight_bytes:
        yield f"{graph.file}: a weight lies outside of its file"
    if (piece.stream is None) == (piece.file is None):
        yield f"{graph.file}: a weight is made neither of values nor of a file"
    if piece.stream is not None and piece.stream not in bundle.streams:
        yield f"{graph.file}: no values are called {piece.stream!r}"
    if piece.stream is not None and not _is_type(piece.dtype):
        yield f"{graph.file}: a weight has the type {piece.dtype!r}, which NumPy does not know"


def _case_faults(bundle: Bundle, case: BundledCase) -> Iterator[str]:
    for name in case.graphs.values():
        if name not in bundle.graphs:
            yield f"has no graph {name!r}"
    for made in case.made.values():
        if made.stream not in bundle.streams:
            yield f"no values are called {made.stream!r}"
        if not _is_type(made.dtype):
            yield f"an input has the type {made.dtype!r}, which NumPy does not know"


def _is_type(name: str) -> bool:
    try:
        return np.dtype(name).kind in "fiub"
    except TypeError:
        return False
