"""The CPU device and a torch that is left as it was found."""

from __future__ import annotations

import pytest
import torch

from backends import torch_precision
from backends.torch_backend import TorchBackend
from backends.torch_flags import restored


@pytest.fixture
def backend() -> TorchBackend:
    return TorchBackend()


@pytest.fixture
def cpu(backend):
    return backend.devices()[-1]


@pytest.fixture(autouse=True)
def untouched_torch():
    with restored(), torch.random.fork_rng(devices=[]):
        torch.set_num_threads(1)  # the toys are too small for more
        yield


@pytest.fixture
def flags(monkeypatch):
    """Set what the CPU says of itself (the only thing faked)."""

    def fake(*names):
        monkeypatch.setattr(torch_precision, "cpu_flags", lambda: frozenset(names))

    return fake
