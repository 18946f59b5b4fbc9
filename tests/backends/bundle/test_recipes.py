"""Initializers are described so that NumPy alone makes the same bits again; what cannot be described is stored."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from backends.bundle_format import Bundle, Graph, OpenBundle, Part, Stream  # noqa: E402
from backends.bundle_install import quantized, write_weights  # noqa: E402
from backends.bundle_recipes import ALIGNMENT, Recipes  # noqa: E402
from backends.bundle_weights import digest_of, stream_values  # noqa: E402
from results.errors import BundleError  # noqa: E402

NAMES = {"square": (160, 160), "wide": (96, 320), "filter": (128, 32, 3, 3)}
STREAMS = {name: stream_values(name, shape, 0.1) for name, shape in NAMES.items()}
RNG = np.random.default_rng(0)
FACTORS = (RNG.standard_normal((128, 1, 1, 1)) ** 2 + 0.1).astype(np.float32)
SCALE = np.abs(STREAMS["wide"].T).max(0).astype(np.float32) / np.float32(127)
ZERO = np.full(96, 128, np.uint8)


def model_of(**tensors):
    """A graph with these initializers, of which ``*_quantized`` is dequantized along its last axis."""
    inits = [numpy_helper.from_array(values, name) for name, values in tensors.items()]
    nodes = [
        helper.make_node("DequantizeLinear", [n, n.replace("quantized", "scale"), n.replace("quantized", "zero_point")],
                         [f"{n}_wide"], axis=1)
        for n in tensors if n.endswith("_quantized")
    ]  # fmt: skip
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([*nodes, helper.make_node("Identity", ["x"], ["y"])], "g", [value],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])], inits)  # fmt: skip
    return helper.make_model(graph)


def opened_bundle(folder: Path, files: dict[str, bytes], graph: Graph, digest: str = "") -> OpenBundle:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    parts = {n: Part(sha256=hashlib.sha256(c).hexdigest(), num_bytes=len(c)) for n, c in files.items()}
    streams = {n: Stream(shape=v.shape, sd=0.1, digest=digest or digest_of(v)) for n, v in STREAMS.items()}
    bundle = Bundle(
        schema_version=1, chipmark_version="1", created_at="", suite="s", licence="", streams=streams,
        graphs={"g": graph}, cases=(), failed={}, packages={}, files=parts,
    )  # fmt: skip
    return OpenBundle(folder, bundle, "id")


def round_trip(folder: Path, tensors, learned=None):
    files: dict[str, bytes] = {}

    def put(content: bytes) -> str:
        name = f"blobs/{hashlib.sha256(content).hexdigest()[:8]}.bin"
        files[name] = content
        return name

    recipes = Recipes(STREAMS, put)
    if learned:
        recipes.learn(model_of(**learned))
    model = model_of(**tensors)
    pieces, size, _ = recipes.take_out(model)
    graph = Graph(file="graphs/g/model.onnx", num_weight_bytes=size, pieces=pieces, opset=20)
    write_weights(opened_bundle(folder, files, graph), graph, folder / "weights.bin")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    again = onnx.load(str(folder / "model.onnx"))
    found = {t.name: numpy_helper.to_array(t) for t in again.graph.initializer}
    for name, values in tensors.items():
        assert found[name].dtype == values.dtype
        assert found[name].shape == values.shape
        assert found[name].tobytes() == values.tobytes(), name
    return pieces, files


@pytest.mark.parametrize(
    ("tensors", "learned", "want"),
    [
        ({"a": STREAMS["square"]}, None, {"stream": "square"}),
        ({"a": STREAMS["wide"].T.copy()}, None, {"stream": "wide", "transposed": True}),
        ({"a": STREAMS["filter"] * FACTORS}, None, {"stream": "filter"}),
        ({"a": STREAMS["filter"].astype(np.float16)}, None, {"stream": "filter", "dtype": "float16"}),
        ({"a": STREAMS["filter"].reshape(128, -1)}, None, {"stream": "filter"}),
        ({"a": (STREAMS["filter"] * FACTORS).astype(np.float16)}, {"a": STREAMS["filter"] * FACTORS},
         {"stream": "filter", "dtype": "float16"}),
    ],
)  # fmt: skip
def test_made_from_streams(tmp_path, tensors, learned, want):
    pieces, files = round_trip(tmp_path, tensors, learned)
    (piece,) = pieces
    assert {name: getattr(piece, name) for name in want} == want
    assert piece.file is None
    assert sum(map(len, files.values())) <= 512  # a factor for each channel, at most


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_quantized_along_an_axis(tmp_path, dtype):
    source = np.concatenate([STREAMS["wide"].T.copy()] * 1)
    zero = ZERO if dtype == np.uint8 else np.zeros(96, np.int8)
    tensors = {
        "w_quantized": np.concatenate([quantized(source, SCALE, zero, 1)] * 1),
        "w_scale": SCALE,
        "w_zero_point": zero,
    }
    import backends.bundle_recipes as recipes

    before = recipes.MIN_BYTES
    recipes.MIN_BYTES = 16_384
    try:
        pieces, _ = round_trip(tmp_path, tensors, {"w": source})
    finally:
        recipes.MIN_BYTES = before
    (piece,) = pieces
    assert (piece.stream, piece.transposed, piece.axis, piece.dtype) == ("wide", True, 1, np.dtype(dtype).name)


def test_fp8_and_bf16_are_stored(tmp_path, monkeypatch):
    import ml_dtypes

    monkeypatch.setattr("backends.bundle_recipes.MIN_BYTES", 16_384)
    source, scale = STREAMS["square"], np.ones(160, np.float32)
    tensors = {
        "w_quantized": source.astype(ml_dtypes.float8_e4m3fn),
        "w_scale": scale,
        "w_zero_point": scale.astype(ml_dtypes.float8_e4m3fn),
        "b": source.astype(ml_dtypes.bfloat16),
    }
    pieces, _ = round_trip(tmp_path, tensors, {"w": source, "b": source})
    assert [piece.file is not None for piece in pieces] == [True, True]


def test_what_no_recipe_makes_is_stored(tmp_path):
    odd = RNG.standard_normal((160, 160)).astype(np.float32)
    nearly = STREAMS["square"].copy()
    nearly[0, 0] = np.nextafter(nearly[0, 0], np.float32(1))
    pieces, files = round_trip(tmp_path, {"odd": odd, "nearly": nearly, "small": odd[:3]})
    assert [piece.file is not None for piece in pieces] == [True, True]
    assert [piece.offset % ALIGNMENT for piece in pieces] == [0, 0]
    assert sorted(map(len, files.values())) == [odd.nbytes, odd.nbytes]


def test_quantization_is_that_of_onnx_runtime():
    """Against QuantizeLinear itself, halves and values out of range included."""
    runtime = pytest.importorskip("onnxruntime")
    values = np.concatenate([np.arange(-40, 40) / 4, RNG.standard_normal(400) * 30]).astype(np.float32).reshape(2, -1)
    scale, zero = np.array([0.5, 0.1], np.float32), np.array([3, -7], np.int8)
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], axis=0)
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, values.shape)],
        [helper.make_tensor_value_info("y", TensorProto.INT8, values.shape)],
        [numpy_helper.from_array(scale, "s"), numpy_helper.from_array(zero, "z")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert np.array_equal(session.run(None, {"x": values})[0], quantized(values, scale, zero, 0))


def test_weights_that_come_out_differently_are_refused(tmp_path):
    files: dict[str, bytes] = {}
    pieces, size, _ = Recipes(STREAMS, lambda content: "").take_out(model_of(a=STREAMS["square"]))
    graph = Graph(file="graphs/g/model.onnx", num_weight_bytes=size, pieces=pieces, opset=20)
    opened = opened_bundle(tmp_path, files, graph, digest="0" * 64)
    with pytest.raises(BundleError, match="come out differently here"):
        write_weights(opened, graph, tmp_path / "weights.bin")


def test_no_room(tmp_path):
    graph = Graph(file="graphs/g/model.onnx", num_weight_bytes=1 << 60, pieces=(), opset=20)
    with pytest.raises(BundleError, match="MiB are free, the weights need"):
        write_weights(opened_bundle(tmp_path, {}, graph), graph, tmp_path / "weights.bin")
