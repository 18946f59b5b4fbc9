"""What ``chipmark devices`` and ``--device`` say of devices that cannot be used."""

from __future__ import annotations

import msgspec
import pytest

from backends.base import MissingDevice
from harness.cli.missing_lines import missing_lines
from harness.discovery import BackendReport
from harness.plan import resolve_devices
from harness.session import default_suite
from results.errors import UnknownNameError, UsageError
from results.records import Device


def lost(device: str, reason: str, hint: str = "", installed: bool = False) -> MissingDevice:
    return MissingDevice(
        device=device, title=device.upper(), hardware="chips", reason=reason, hint=hint, installed=installed
    )


HERE = (Device(id="other:cpu", backend="ort", kind="cpu", name="CPU"),
        Device(id="cpu", backend="ort", kind="cpu", name="CPU"))  # fmt: skip
REPORT = BackendReport(
    name="ort",
    devices=HERE,
    missing=(
        lost("openvino:npu", "no driver", "it needs drivers", installed=True),
        lost("openvino:gpu", "no driver", "it needs drivers", installed=True),
        lost("qnn", "not installed", "pip install qnn"),
        lost("directml", "not for Linux"),
    ),
)


def test_few_lines_by_default() -> None:
    assert missing_lines(REPORT, show_all=False) == [
        "ort @ openvino:npu, openvino:gpu: cannot be used: no driver; it needs drivers",
        "ort: not here: qnn, directml (--all: what each needs)",
    ]


def test_all() -> None:
    assert missing_lines(REPORT, show_all=True)[1:] == [
        "ort @ qnn: QNN (chips): not installed; pip install qnn",
        "ort @ directml: DIRECTML (chips): not for Linux",
    ]


def test_nothing_missing() -> None:
    assert missing_lines(BackendReport(name="torch", devices=HERE), show_all=True) == []


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("openvino:npu", "--device openvino:npu: OPENVINO:NPU cannot be used here: no driver; it needs drivers"),
        ("qnn:npu", "--device qnn:npu: QNN cannot be used here: not installed; pip install qnn"),
        ("directml:0", "--device directml:0: DIRECTML cannot be used here: not for Linux"),
    ],
)
def test_a_known_device_that_is_not_here(wanted: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_devices(wanted, [REPORT])
    assert str(caught.value) == words


def test_a_kind_that_another_backend_has_is_not_one_providers_matter() -> None:
    cuda = BackendReport(name="ort", devices=HERE, missing=(lost("cuda", "not installed", "pip install ort-gpu"),))
    with pytest.raises(UsageError, match="CUDA cannot be used here: not installed"):
        resolve_devices("cuda:0", [cuda])
    torch = BackendReport(name="torch", devices=HERE)
    with pytest.raises(UsageError, match="no backend finds a cuda device here"):
        resolve_devices("cuda:0", [cuda, torch])


def test_a_simulator_chooses_no_suite() -> None:
    simulated = Device(id="qnn:npu", backend="ort", kind="npu", name="QNN", details={"functional_only": "simulates"})
    assert default_suite([BackendReport(name="ort", devices=(*HERE, simulated))], "auto")[0] == "smoke"
    real = msgspec.structs.replace(simulated, details={})
    assert default_suite([BackendReport(name="ort", devices=(*HERE, real))], "auto")[0] == "edge"


def test_an_unknown_device() -> None:
    with pytest.raises(UnknownNameError, match="unknown device 'opnvino:cpu'"):
        resolve_devices("opnvino:cpu", [REPORT])


def test_an_id_is_meant_before_a_kind() -> None:
    assert resolve_devices("cpu", [REPORT]) == {"ort": "cpu"}
    assert resolve_devices("other:cpu", [REPORT]) == {"ort": "other:cpu"}
    assert resolve_devices("auto", [REPORT]) == {"ort": "other:cpu"}
