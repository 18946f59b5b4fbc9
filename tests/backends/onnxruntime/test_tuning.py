"""Options of a case that change its provider: what is passed on, and what is refused instead of ignored."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from backends.onnx_provider_options import PROVIDER_OPTIONS, RESERVED
from backends.onnx_providers import BY_NAME, COREML, CPU, CUDA, OPENVINO, QNN, ROWS, TENSORRT
from backends.onnxruntime_options import check_options
from backends.onnxruntime_provider import Provider, ProviderAbsent
from backends.onnxruntime_tuning import tuned, untunable
from harness.plan import Filters, combine
from harness.suite import parse_suite
from results.errors import SuiteError, UsageError


def provider(row: Any, kind: str = "npu", **options: str) -> Provider:
    return Provider(row.name, row.short, kind, row, options)


def test_options_are_passed_on_beside_those_of_the_device() -> None:
    made = tuned(provider(QNN, backend_type="htp"), {"provider.htp_performance_mode": "burst", "threads": 2})
    assert made.options == {"backend_type": "htp", "htp_performance_mode": "burst"}


def test_threads_of_a_provider_that_counts_its_own() -> None:
    assert tuned(provider(OPENVINO, "cpu"), {"threads": 3}).options == {"num_of_threads": "3"}
    assert tuned(provider(OPENVINO, "npu"), {"threads": 3}).options == {}


def test_graph_capture() -> None:
    assert tuned(provider(CUDA, "cuda"), {"cuda_graph": True}).options == {"enable_cuda_graph": "1"}
    assert tuned(provider(TENSORRT, "cuda"), {"cuda_graph": True}).options == {"trt_cuda_graph_enable": "1"}
    assert untunable(provider(CUDA, "cuda"), {"cuda_graph": True}) == ""
    assert untunable(provider(OPENVINO, "cpu"), {"cuda_graph": True}) == "OpenVINO captures no CUDA graphs"


def test_keeping_compiled_models() -> None:
    assert untunable(provider(CPU, "cpu"), {"ep_context": True}) == "CPU keeps no compiled models"
    assert untunable(provider(CPU, "cpu"), {}) == ""
    for row in (QNN, OPENVINO, TENSORRT, COREML):
        assert untunable(provider(row), {"ep_context": True}) == ""


@pytest.mark.parametrize(
    ("row", "option", "value", "message"),
    [
        (QNN, "num_streams", "2", "provider.num_streams: QNN has none that chipmark knows; choose from: enable_htp"),
        (CPU, "num_streams", "2", "provider.num_streams: CPU has none that chipmark knows; none are available"),
        (QNN, "htp_performance_mode", "brst", "must be burst or balanced or "),
        (QNN, "vtcm_mb", "much", "provider.vtcm_mb must be a whole number, not 'much'"),
        (OPENVINO, "num_streams", "9", "not '9'"),
    ],
)
def test_what_would_be_ignored_is_refused(row: Any, option: str, value: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        tuned(provider(row), {f"provider.{option}": value})
    assert message in str(caught.value)
    assert str(caught.value).startswith("onnxruntime: option provider.")


@pytest.mark.parametrize("option", sorted(RESERVED))
def test_what_chipmark_sets_itself_is_refused(option: str) -> None:
    with pytest.raises(UsageError, match=f"option provider.{option} cannot be set: "):
        check_options({f"provider.{option}": "1"})


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("provider.num_streams", 2, "a string, not 2"),
        ("ep_context", "yes", "true or false, not 'yes'"),
        ("cuda_graph", 1, "true or false, not 1"),
    ],
)
def test_types(name: str, value: Any, takes: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_options({name: value})
    assert str(caught.value) == f"onnxruntime: option {name} must be {takes}"


def test_tables_agree() -> None:
    assert PROVIDER_OPTIONS.keys() <= BY_NAME.keys()
    for options in PROVIDER_OPTIONS.values():
        assert not options.keys() & RESERVED.keys()
    for row in ROWS:
        chosen = {name for target in row.targets for name in target.options}
        fixed = {"ModelFormat"}  # the format is a property of the target's row
        assert chosen - fixed <= RESERVED.keys(), row.short
        assert set(row.cache) <= RESERVED.keys()
        assert {row.threads, row.cuda_graph} - {""} <= RESERVED.keys()


def test_a_refused_option_is_named_where_the_provider_is_left_out() -> None:
    text = str(ProviderAbsent(dataclasses.replace(provider(OPENVINO, "cpu"), options={"load_config": "/nowhere"})))
    assert text.endswith("or it refuses an option (load_config=/nowhere)")


SUITE = """
[suite]
name = "tuned"
[[case]]
workload = "text-encoder"
phase = "infer"
backend = "onnxruntime"
options = {{ {options} }}
"""


def cases(options: str) -> list[Any]:
    return list(combine(parse_suite(SUITE.format(options=options), "tuned.toml"), Filters()))


def test_a_suite_passes_them_on_and_sweeps_over_them() -> None:
    found = cases('"provider.num_streams" = ["1", "2"], ep_context = true')
    assert [case.options for case in found] == [
        {"provider.num_streams": "1", "ep_context": True},
        {"provider.num_streams": "2", "ep_context": True},
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ('"provider.num_strems" = "1"', "backend onnxruntime has no such option; did you mean 'provider.num_streams'"),
        ('"provider.num_streams" = 1', "must be str, is int"),
        ('"provider.device_type" = "GPU"', "cannot be set: the device says it"),
    ],
)
def test_a_suite_is_refused_before_anything_starts(options: str, message: str) -> None:
    with pytest.raises(SuiteError) as caught:
        cases(options)
    assert message in str(caught.value)
    assert str(caught.value).startswith("tuned.toml: case[0]")
