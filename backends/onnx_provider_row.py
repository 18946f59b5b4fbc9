"""What the table of ONNX Runtime's execution providers says of one of them: data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# Types of activations and weights of a quantized graph, and of the results of its products where those are quantized
# too (else they are FP32).
Int8Scheme = Literal["U8U8", "U8S8", "S8S8", "U8U8U8", "U8S8U8", "S8S8S8"]
# "by cpu": as the CPU's instructions allow.
Int8Wanted = Literal["by cpu"] | Int8Scheme


@dataclass(frozen=True)
class Target:
    """Hardware that a provider can be told to use.

    Attributes:
        suffix: the part of the device's id after the colon; ``""``: none; ``"N"``: the hardware's index.
        kind: kind of the device, which meters and guards go by.
        hardware: type of the hardware as plugin providers tell it (``OrtHardwareDeviceType``): CPU, GPU, NPU.
        options: provider options that choose it in a build with the provider in it; ``{N}`` stands for the index.
        plugin_options: those that the plugin needs beside the device that it is given.
    """

    suffix: str
    kind: str
    hardware: Literal["CPU", "GPU", "NPU"]
    options: Mapping[str, str] = field(default_factory=dict)
    plugin_options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ProviderRow:
    """An execution provider.

    Attributes:
        name: ONNX Runtime's name of it.
        short: the part of device ids before the colon.
        title: for people.
        vendor: of the hardware.
        chips: what it runs on.
        package: what pip installs, or ``""`` where there is no wheel.
        extra: chipmark's extra that pulls the package, or ``""``.
        is_plugin: the package joins the plain ``onnxruntime``; else it is a build of its own, to be installed alone.
        plugin: the importable module of its plugin package (``get_library_path``), or ``""``.
        system: operating systems of the package.
        needs: what must be there beside the package.
        targets: the hardware that it can be told to use, best first.
        int8: the types of a QDQ graph that it takes best.
        precisions: what it takes, as its documentation says; what is measured is found by probing.
        fused: it compiles whole subgraphs, so that a profile has one event for each of them.
        memory: where tensors of an I/O binding lie: the name of the memory for ``OrtValue`` s.
        ep_context: it writes models whose nodes are compiled (``ep.context_enable``).
        cache: provider options by which it keeps compiled models in a folder, for which ``{folder}`` stands; this
            is preferred, because the graph then stays as it was.
        threads: the provider option that says how many threads it uses on a CPU, or ``""``: as ONNX Runtime's own.
        cuda_graph: the provider option that turns graph capture on, or ``""`` where it has none.
        library: name of its library in a build with the provider in it, or ``""`` where it has none of its own.
        is_cpu: it is made for CPUs, so that its CPU device is no simulator.
        mark: what chipmark has seen of it.
    """

    name: str
    short: str
    title: str
    vendor: str
    chips: str
    package: str
    targets: tuple[Target, ...]
    int8: Int8Wanted
    precisions: str
    mark: str
    extra: str = ""
    is_plugin: bool = False
    plugin: str = ""
    system: str = "Linux, Windows"
    needs: str = ""
    fused: bool = False
    memory: str = "cpu"
    ep_context: bool = False
    cache: Mapping[str, str] = field(default_factory=dict)
    threads: str = ""
    cuda_graph: str = ""
    library: str = ""
    is_cpu: bool = False

    @property
    def keeps_compiled(self) -> bool:
        """Whether compiled models can be kept, by either way."""
        return self.ep_context or bool(self.cache)
