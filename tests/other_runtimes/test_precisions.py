"""What real providers compute in, by the results of small graphs; nothing in their profiles tells it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backends.cpu_units import cpu_flags, units
from tests.other_runtimes.conftest import Run

pytestmark = [pytest.mark.other_runtimes, pytest.mark.slow]

BF16 = {"provider.load_config": json.dumps({"CPU": {"INFERENCE_PRECISION_HINT": "bf16"}})}
needs_bf16 = pytest.mark.skipif(not units("bf16", cpu_flags()), reason="this CPU has no BF16 unit")


def probed(python: Run, device: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
    done = python("tests.other_runtimes.probed", device, *([json.dumps(options)] if options else []))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def on_openvino(openvino: Run) -> dict[str, Any]:
    return probed(openvino, "openvino:cpu")


@pytest.fixture(scope="module")
def on_qnn(qnn: Run) -> dict[str, Any]:
    return probed(qnn, "qnn:npu")


def test_openvino_computes_fp32_in_fp32_even_where_the_cpu_has_bf16(on_openvino: dict[str, Any]) -> None:
    assert on_openvino["fp32"]["level"] == "native"
    assert on_openvino["fp32"]["evidence"]["significant_bits"] == 24


def test_openvino_widens_fp16_on_a_cpu(on_openvino: dict[str, Any]) -> None:
    if not units("fp16", cpu_flags()):
        assert on_openvino["fp16"]["level"] == "emulated"
        assert on_openvino["fp16"]["evidence"]["computed_in"] == "fp32"


@needs_bf16
def test_openvino_computes_in_bf16_if_it_is_told(on_openvino: dict[str, Any]) -> None:
    assert on_openvino["bf16"]["level"] == "native"
    assert on_openvino["bf16"]["evidence"]["significant_bits"] == 8


@needs_bf16
def test_fp32_that_openvino_is_told_to_compute_in_bf16_is_refused(openvino: Run) -> None:
    found = probed(openvino, "openvino:cpu", BF16)["fp32"]
    assert found["level"] == "unsupported"
    assert "computes FP32 with 8 significant bits, as bf16: ask for that" in found["reason"]


def test_openvino_adds_up_int8_in_integers(on_openvino: dict[str, Any]) -> None:
    found = on_openvino["int8"]
    assert found["level"] == ("native" if units("int8", cpu_flags()) else "emulated")
    assert found["evidence"]["sums"] == "integer"


def test_qnn_rounds_fp16_and_not_fp32(on_qnn: dict[str, Any]) -> None:
    assert on_qnn["fp32"]["evidence"]["significant_bits"] == 24, "of the simulator; the Hexagon has FP16"
    assert on_qnn["fp16"]["evidence"]["significant_bits"] == 11


def test_qnn_takes_int8_with_quantized_results(on_qnn: dict[str, Any]) -> None:
    assert on_qnn["int8"]["evidence"]["scheme"] == "U8S8U8"
    assert on_qnn["int8"]["evidence"]["sums"] == "quantized"


def test_what_takes_no_bf16_and_no_fp8_says_so(on_qnn: dict[str, Any]) -> None:
    assert {on_qnn[precision]["level"] for precision in ("bf16", "fp8")} == {"unsupported"}
