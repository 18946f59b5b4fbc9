"""Systems that did not run as the part of the device table."""

from __future__ import annotations

import pytest

from results.imports.power_limits import another_part, limits_in


@pytest.mark.parametrize(("text", "watts"), [
    ("power limit 500 W per GPU", 500), ("Power limit set to 450 W", 450), ("GPUs limited to 450 W", 450),
    ("GPU TGP: 500W", 500), ("500W TGP Per GPU", 500), ("TDP 450W", 450), ("nvidia-smi -pl 450", 450),
    ("Power Cap 1000W", 1000), ("power capped at 1.2 kW", 1200), ("1,000W TGP", 1000),
    ("NVIDIA DGX H100 (8x H100-SXM-80GB, MaxQ, TensorRT)", None), ("H100_MaxQ_TRT", None),
    ("RTX PRO 6000 Max-Q", None), ("MIG 1g.10gb slice", None), ("power cap", None),
])  # fmt: skip
def test_what_makes_it_another_part(text, watts):
    found = limits_in([text])
    assert watts in {limit.watts for limit in found}
    reason, doubts = another_part(found, "H100", 700.0)
    assert reason.endswith("not the configuration of H100 in the device table")
    assert doubts[0].endswith("not run as the H100 of the device table, rated at 700 W")


@pytest.mark.parametrize(
    "text", ["", "8x H100-SXM-80GB, 700W TGP", "power limit 700 W", "TDP: 700 W", "maximum quality"]
)
def test_what_does_not(text):
    assert another_part(limits_in([text]), "H100", 700.0) == ("", [])


def test_a_stated_power_is_taken_for_the_rated_one_where_none_is_known_and_a_set_one_is_not():
    assert another_part(limits_in(["1400W TGP Per GPU"]), "GB300", None) == ("", [])
    assert another_part(limits_in(["power limit 1400 W"]), "GB300", None)[0]
