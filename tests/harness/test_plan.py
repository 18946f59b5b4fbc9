from __future__ import annotations

from collections import Counter

import pytest

from harness.discovery import BackendReport
from harness.plan import Filters, check_filters, combine, measure_spec, place, resolve_devices, schedule
from harness.session import default_suite
from harness.suite import load_suite, parse_suite
from results.errors import BackendUnavailable, SuiteError, UnknownNameError, UsageError
from results.records import Device, PlannedCase
from tests.harness.fakes import make_case

CPU = Device(id="cpu", backend="torch", kind="cpu", name="CPU")
CUDA = [Device(id=f"cuda:{n}", backend="torch", kind="cuda", name="GPU", memory_bytes=80 * 2**30) for n in (0, 1)]
TORCH_CPU = BackendReport(name="torch", devices=(CPU,))
TORCH_GPU = BackendReport(name="torch", devices=(*CUDA, CPU))
ORT = BackendReport(name="onnxruntime", devices=(Device(id="cpu", backend="onnxruntime", kind="cpu", name="CPU"),))
NO_ORT = BackendReport(name="onnxruntime", reason="not installed", install_hint="pip install onnxruntime")


def suite(case: str):
    return parse_suite(f'[suite]\nname = "t"\n[[case]]\nworkload = "llm-decoder"\n{case}', "t.toml")


def expand(suite, filters, reports):
    names = {report.name for report in reports}
    found = [case for case in combine(suite, filters) if case.backend in names]
    return place(found, suite, filters, reports)


def cases(text: str, filters: Filters = Filters(), reports=(TORCH_CPU, ORT)):  # noqa: B008  frozen
    return [planned.case for planned in expand(suite(text), filters, reports)]


def test_lists_sweep_as_a_product() -> None:
    found = cases('phase = ["prefill", "decode"]\nprecision = ["fp32", "bf16", "int8"]\nbatch_size = [1, 4]')
    assert len(found) == 12
    assert len({case.id for case in found}) == 12
    assert Counter(case.batch_size for case in found) == {1: 6, 4: 6}


def test_defaults_come_from_the_preset() -> None:
    (case,) = cases('phase = "prefill"\nshape = { prompt_tokens = 7 }')
    assert case.shape["prompt_tokens"] == 7
    assert set(case.shape) > {"prompt_tokens"}
    assert case.batch_size >= 1
    assert (case.precision, case.backend, case.device) == ("fp32", "torch", "cpu")


def test_no_phase_means_all_the_workload_has() -> None:
    assert [case.phase for case in cases("")] == ["train", "prefill", "decode"]


def test_options_sweep_and_false_is_the_same_case_as_absent() -> None:
    (absent,) = cases('phase = "train"')
    off, on = cases('phase = "train"\noptions = { compile = [false, true] }')
    assert off.id == absent.id
    assert on.options == {"compile": True}
    assert on.id != off.id


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('phase = "infer"', r"t\.toml: case\[0\]\.phase: workload 'llm-decoder' has no phase 'infer'; it has: train"),
        ('preset = "tiney"', r"t\.toml: case\[0\]\.preset: unknown preset 'tiney'; did you mean 'tiny'"),
        (
            "shape = { prompt = 3 }",
            r"t\.toml: case\[0\]\.shape\.prompt: workload 'llm-decoder' has no such size; did you",
        ),
        (
            "options = { compil = true }",
            r"case\[0\]\.options\.compil: backend torch has no such option; did you mean 'comp",
        ),
        ('options = { compile = "yes" }', r"case\[0\]\.options\.compile: must be bool, is str"),
    ],
)
def test_what_a_workload_or_backend_lacks_is_named(text: str, message: str) -> None:
    with pytest.raises((SuiteError, UnknownNameError), match=message):
        cases(text)


def test_unknown_workload_and_backend() -> None:
    broken = parse_suite('[suite]\nname = "t"\n[[case]]\nworkload = "lm-decoder"', "t.toml")
    with pytest.raises(UnknownNameError, match="unknown workload 'lm-decoder'; did you mean 'llm-decoder'"):
        expand(broken, Filters(), [TORCH_CPU])


def test_precision_option_replaces_and_the_others_narrow() -> None:
    smoke = load_suite("smoke")
    found = [p.case for p in expand(smoke, Filters(precisions=("bf16",), workloads=("llm-*",)), [TORCH_CPU, ORT])]
    assert {case.precision for case in found} == {"bf16"}
    assert {case.workload for case in found} == {"llm-decoder"}
    assert {case.phase for case in found} == {"train", "prefill", "decode"}
    narrow = Filters(phases=("decode",), backends=("torch",))
    assert {p.case.phase for p in expand(smoke, narrow, [TORCH_CPU, ORT])} == {"decode"}
    with pytest.raises(UsageError, match="no case that"):
        expand(smoke, Filters(phases=("train",), backends=("onnxruntime",)), [TORCH_CPU, ORT])


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (Filters(precisions=("fp61",)), "--precision: unknown precision 'fp61'; did you mean 'fp16'"),
        (Filters(phases=("tain",)), "--phase: unknown phase 'tain'; did you mean 'train'"),
        (Filters(backends=("troch",)), "--backend: unknown backend 'troch'; did you mean 'torch'"),
        (Filters(workloads=("lm-*",)), r"--workload: unknown workload 'lm-\*'"),
    ],
)
def test_filters_are_checked_first(filters: Filters, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        check_filters(filters)


def test_smoke_has_twenty_cases_over_both_backends() -> None:
    planned = expand(load_suite("smoke"), Filters(), [TORCH_CPU, ORT])
    assert len(planned) >= 20
    assert {p.case.backend for p in planned} == {"torch", "onnxruntime"}


def test_devices_are_resolved_per_backend() -> None:
    assert resolve_devices("auto", [TORCH_GPU, ORT]) == {"torch": "cuda:0", "onnxruntime": "cpu"}
    assert resolve_devices("cuda:1", [TORCH_GPU, ORT]) == {"torch": "cuda:1", "onnxruntime": "cuda:1"}
    assert resolve_devices("cuda", [TORCH_GPU]) == {"torch": "cuda:0"}
    assert resolve_devices("cpu", [TORCH_GPU, ORT]) == {"torch": "cpu", "onnxruntime": "cpu"}
    assert resolve_devices("auto", [TORCH_CPU, NO_ORT]) == {"torch": "cpu", "onnxruntime": "cpu"}


def test_unknown_device_and_no_backend() -> None:
    with pytest.raises(UnknownNameError, match="--device: unknown device 'cuda:7'; did you mean 'cuda:"):
        resolve_devices("cuda:7", [TORCH_GPU, ORT])
    with pytest.raises(UsageError, match=r"--device cuda:0: no backend finds a cuda device here \(found: cpu\); its"):
        resolve_devices("cuda:0", [TORCH_CPU, ORT])
    with pytest.raises(BackendUnavailable, match="not installed.*pip install onnxruntime"):
        resolve_devices("auto", [NO_ORT])


def test_the_default_suite_fits_the_device() -> None:
    assert default_suite([TORCH_CPU], "auto")[0] == "smoke"
    assert default_suite([TORCH_GPU], "auto")[0] == "standard"
    assert default_suite([TORCH_GPU], "cpu")[0] == "smoke"
    small = BackendReport(name="torch", devices=(Device(id="mps", backend="torch", kind="mps", name="M1"), CPU))
    assert default_suite([small], "auto")[0] == "edge"


def test_a_case_keeps_its_own_window_for_energy_unless_the_command_gives_one() -> None:
    text = """
[suite]
name = "t"
[measure]
energy_min_seconds = 5
[[case]]
workload = "llm-decoder"
phase = ["prefill", "decode"]
precision = ["fp32", "bf16"]
[[case]]
workload = "llm-decoder"
phase = "decode"
precision = "bf16"
energy_seconds = 30
"""
    parsed = parse_suite(text, "t.toml")
    planned = expand(parsed, Filters(), (TORCH_CPU,))
    assert len(planned) == 4, "the same case named again is the same case"
    own = {(p.case.phase, p.case.precision): p.energy_seconds for p in planned}
    assert own.pop(("decode", "bf16")) == 30.0
    assert set(own.values()) == {None}
    assert measure_spec(parsed, Filters()).energy_min_seconds == 5.0

    asked = Filters(energy_seconds=2.0)
    assert {p.energy_seconds for p in expand(parsed, asked, (TORCH_CPU,))} == {None}
    assert measure_spec(parsed, asked).energy_min_seconds == 2.0
    assert (measure_spec(parsed, Filters()).energy, measure_spec(parsed, Filters(energy=False)).energy) == (True, False)


def test_the_environment_turns_energy_off(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = suite('phase = "decode"')
    for text, wanted in (("off", False), ("on", True), ("", True)):
        monkeypatch.setenv("CHIPMARK_ENERGY", text)
        assert measure_spec(parsed, Filters()).energy is wanted
    monkeypatch.setenv("CHIPMARK_ENERGY", "0")
    with pytest.raises(UsageError, match="CHIPMARK_ENERGY=0: must be on or off"):
        measure_spec(parsed, Filters())


def test_the_headline_rows_of_the_standard_suite_have_long_windows() -> None:
    standard = load_suite("standard")
    planned = place(combine(standard, Filters()), standard, Filters(), [TORCH_GPU])
    headline = [p for p in planned if p.energy_seconds]
    assert {p.energy_seconds for p in headline} == {30.0}
    assert {(p.case.workload, p.case.phase) for p in headline} == {
        ("llm-decoder", phase) for phase in ("train", "prefill", "decode")
    }
    assert len({p.case.id for p in planned}) == len(planned)


def test_schedule_interleaves_replicates_in_a_seeded_random_order() -> None:
    plan = [PlannedCase(case=make_case(batch_size=n), replicates=3) for n in range(1, 9)]
    order = schedule(plan, seed=1)
    assert order == schedule(plan, seed=1)
    assert order != schedule(plan, seed=2)
    assert len(order) == 24
    rounds = [order[n * 8 : n * 8 + 8] for n in range(3)]
    for number, one in enumerate(rounds):
        assert {replicate for _, replicate in one} == {number}
        assert {case.id for case, _ in one} == {p.case.id for p in plan}
    assert [c.id for c, _ in rounds[0]] != [c.id for c, _ in rounds[1]]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("options = { threads = 0 }", "t.toml: case[0]: torch: option threads must be a whole number of 1 or more"),
        ('backend = "onnxruntime"\nphase = "prefill"\noptions = { graph_optimization = "al" }', "graph_optimization"),
        ('phase = "prefill"\nshape = { prompt_tokens = 5000 }', "t.toml: case[0]: .*5000"),
    ],
)
def test_what_a_backend_or_workload_cannot_do_is_found_before_anything_starts(case: str, message: str) -> None:
    with pytest.raises(SuiteError, match=message.replace("[0]", r"\[0\]")):
        cases(case)
