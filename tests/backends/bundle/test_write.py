"""What is exported comes out again: batches of several sizes, weights that no stream can make, and nothing unchecked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

pytest.importorskip("onnxscript")
torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from backends.bundle_check import check_description  # noqa: E402
from backends.bundle_format import BUNDLE_FILE, Bundle, OpenBundle, open_bundle, sealed  # noqa: E402
from backends.bundle_source import BundleSource  # noqa: E402
from backends.bundle_workload import BundleWorkload  # noqa: E402
from backends.bundle_write import BundleWriter  # noqa: E402
from results.errors import BundleError, ChipmarkError  # noqa: E402
from results.records import CaseSpec, Phase  # noqa: E402
from tests.backends.onnxruntime.tiny_workloads import TinyWorkload, case_of  # noqa: E402
from workloads.base import Size  # noqa: E402

SIDE = 128


class OddNet(nn.Module):
    """Weights that an initialisation draws, and others: a mask of infinities, gains around 1, a table."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(256, SIDE)
        self.mask = nn.Parameter(torch.full((SIDE, SIDE), -torch.inf).triu(1))
        self.gain = nn.Parameter(1 + 0.1 * torch.randn(SIDE, SIDE))
        self.register_buffer("table", 2 + torch.randn(SIDE, SIDE).sin())
        self.head = nn.Linear(SIDE, 10)

    def forward(self, x_BNC: Tensor) -> Tensor:
        y_BSC = self.linear(x_BNC)[:, :SIDE]
        scores_BSS = (y_BSC @ y_BSC.transpose(1, 2) + self.mask).softmax(-1)
        mixed_BSC = scores_BSS @ y_BSC * self.gain / self.table
        return self.head(mixed_BSC)


class OddWorkload(TinyWorkload):
    phases = ("infer",)
    net = OddNet
    shape = {"size": 600}

    def batch(self, preset: str, phase: Phase, batch_size: int, shape: Size, seed: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        return {"x_BNC": torch.randn((batch_size, shape["size"], 256), generator=generator)}


def written(folder: Path, *cases: CaseSpec) -> OpenBundle:
    folder.mkdir()
    writer = BundleWriter(folder)
    for case in cases:
        writer.add(OddWorkload(), case)
    writer.finish("odd", "2000-01-01T00:00:00+00:00", {}, {"chipmark": "1"}, "")
    return open_bundle(folder)


@pytest.fixture(scope="module")
def cases() -> list[CaseSpec]:
    return [case_of(OddWorkload(), batch_size=size, precision=p) for size in (2, 4) for p in ("fp32", "fp16")]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, cases: list[CaseSpec]) -> OpenBundle:
    folder = tmp_path_factory.mktemp("bundle")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHIPMARK_CACHE", str(folder / "cache"))
        return written(folder / "b", *cases)


def test_each_batch_size_has_its_own_inputs(opened, cases):
    for case in cases:
        source = BundleSource(opened, case)
        made = next(one for one in opened.bundle.cases if one.case == case)
        assert len(made.made) == 4, "large inputs are made on the device"
        for number, batch in enumerate(source.batches()):
            assert batch["x_BNC"].shape == (case.batch_size, 600, 256)
            want = BundleWorkload(OddWorkload()).batch("tiny", "infer", case.batch_size, {"size": 600}, 1 + number)
            assert np.array_equal(batch["x_BNC"], want["x_BNC"].numpy())
        assert source.reference()[1]["logits"].shape[1:] == (case.batch_size, SIDE, 10)


def test_only_what_an_initialisation_drew_is_drawn_again(opened):
    weights = {name.split("/")[4] for name in opened.bundle.streams if "x_BNC" not in name}
    assert weights == {"linear.weight"}
    plain, drawn = OddWorkload().model("tiny", 0), BundleWorkload(OddWorkload()).model("tiny", 0)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, drawn.state_dict()[name]) is (name != "linear.weight"), name


def test_the_graph_of_a_bundle_computes_its_reference(opened, cases, tmp_path, monkeypatch):
    """With ONNX Runtime, from the files alone: infinities and all."""
    runtime = pytest.importorskip("onnxruntime")
    monkeypatch.setenv("CHIPMARK_CACHE", str(tmp_path))
    for case in cases:
        source = BundleSource(opened, case)
        with source.model(None) as entry:
            session = runtime.InferenceSession(str(entry.model_path), providers=["CPUExecutionProvider"])
        _, want = source.reference()
        got = np.stack([session.run(None, dict(batch))[0] for batch in source.batches()[: len(want["logits"])]])
        error = np.linalg.norm(got - want["logits"]) / np.linalg.norm(want["logits"])
        assert error < (1e-5 if case.precision == "fp32" else 2e-2)


def test_one_name_for_two_tensors_is_refused(tmp_path, monkeypatch, cases):
    """As it was when the names of inputs left the batch size out."""
    monkeypatch.setenv("CHIPMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(BundleWorkload, "input_name", lambda self, *parts: f"input {parts[-2:]}")
    with pytest.raises(ChipmarkError, match="two tensors have the name"):
        written(tmp_path / "b", cases[0], cases[2])


def test_an_input_that_comes_out_otherwise_is_not_exported(tmp_path, monkeypatch, cases):
    monkeypatch.setenv("CHIPMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(BundleSource, "batches", lambda self: [{"x_BNC": np.zeros(3, np.float32)}] * 4)
    with pytest.raises(BundleError, match="inputs or reference outputs come out otherwise"):
        written(tmp_path / "b", cases[0])


def test_a_weight_that_comes_out_otherwise_is_not_exported(tmp_path, monkeypatch, cases):
    monkeypatch.setenv("CHIPMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("backends.bundle_check.made_piece", lambda opened, piece: b"\0" * piece.num_bytes)
    with pytest.raises(BundleError, match="comes out otherwise than exported"):
        written(tmp_path / "b", cases[0])


def changed(bundle: Bundle, path: str, value: Any) -> dict[str, Any]:
    """The description with one value changed; ``path`` has keys and numbers, ``*`` for the first, MADE for a piece of a stream."""
    content = json.loads(msgspec.json.encode(bundle))
    pieces = next(iter(bundle.graphs.values())).pieces
    number = next(i for i, piece in enumerate(pieces) if piece.stream)
    *way, last = path.replace("MADE", str(number)).split("/")
    place: Any = content
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[next(iter(place)) if part == "*" else part]
    place[next(iter(place)) if last == "*" else last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("graphs/*/num_weight_bytes", -1, "a weight lies outside of its file"),
        ("graphs/*/pieces/0/offset", -4096, "a weight lies outside of its file"),
        ("graphs/*/pieces/MADE/dtype", "float31", "has the type 'float31', which NumPy does not know"),
        ("graphs/*/pieces/MADE/stream", "elsewhere", "no values are called 'elsewhere'"),
        ("graphs/*/pieces/MADE/stream", None, "neither of values nor of a file"),
        ("graphs/*/file", "graphs/other/model.onnx", "does not list graphs/other/model.onnx"),
        ("streams/*/sd", 0.0, "no possible shape or deviation"),
        ("streams/*/shape", [0], "no possible shape or deviation"),
        ("cases/0/inputs", "arrays/none.npz", "does not list arrays/none.npz"),
        ("cases/0/graphs/*", "none", "has no graph 'none'"),
        ("cases/0/made/*", {"stream": "none", "dtype": "float32"}, "no values are called 'none'"),
        ("suite", "another", "does not list another.toml"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused_even_with_a_right_checksum(opened, path, value, words):
    bundle = sealed(msgspec.convert(changed(opened.bundle, path, value), Bundle))
    with pytest.raises(BundleError, match="export the bundle again") as caught:
        check_description(OpenBundle(opened.path, bundle, ""))
    assert words in str(caught.value)
    check_description(opened)


@pytest.mark.parametrize("path", ["cases/0/case/batch_size", "cases/0/case/seed", "cases/0/case/shape/size"])
def test_a_description_that_was_changed_by_hand_is_refused(opened, tmp_path, path):
    (tmp_path / BUNDLE_FILE).write_text(json.dumps(changed(opened.bundle, path, 64)))
    with pytest.raises(BundleError, match=r"bundle.json: is not what was exported \(checksum\)"):
        open_bundle(tmp_path)


def test_another_count_of_work_is_refused(opened, cases):
    work = OddWorkload().work("tiny", "infer", 2, {"size": 600})
    BundleSource(opened, cases[0], work).batches()
    other = msgspec.structs.replace(work, items=64)
    with pytest.raises(BundleError, match="counts another work for this case"):
        BundleSource(opened, cases[0], other).batches()


def test_another_version_of_the_workload_is_named(opened, cases):
    newer = msgspec.structs.replace(cases[0], workload_version=2)
    assert BundleSource(opened, newer).lacks() == (
        "the bundle has version 1 of OddNet, this chipmark version 2; export it again with this chipmark"
    )
    other = msgspec.structs.replace(cases[0], batch_size=3)
    assert BundleSource(opened, other).lacks() == "the bundle does not have this case: it was not exported"


@pytest.mark.parametrize("outputs", [{}, {"logits": np.zeros((0, 2, 10))}, {"logits": np.full((4, 2, 10), np.nan)},
                                     {"logits": np.ones((3, 2, 10))}])  # fmt: skip
def test_a_reference_that_checks_nothing_is_refused(opened, cases, monkeypatch, outputs):
    monkeypatch.setattr(BundleSource, "_arrays", lambda self, name: outputs)
    with pytest.raises(BundleError, match="holds no finite reference outputs of 4 steps"):
        BundleSource(opened, cases[0]).reference()


def test_a_batch_that_is_missing_is_refused(opened, cases, monkeypatch):
    values = np.ones((2, 600, 256), np.float32)
    monkeypatch.setattr("backends.bundle_source.checked_stream", lambda opened, name: values)
    for arrays, words in (
        ({"4/x_BNC": values}, "an input '4/x_BNC' of no batch"),
        ({"0/more": values}, "lacks inputs"),
    ):
        monkeypatch.setattr(BundleSource, "_arrays", lambda self, name, arrays=arrays: dict(arrays))
        with pytest.raises(BundleError, match=words):
            BundleSource(opened, cases[0]).batches()
