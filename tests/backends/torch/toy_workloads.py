"""Small workloads of known make-up, so that a test can say exactly what must have been multiplied.

Shape suffixes: B batch, S positions, C width, V classes or vocabulary, H and W image height and
width, T cached positions.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from results.records import CaseSpec, Work
from workloads.base import Preset, WorkloadSpec

WIDTH, NUM_CLASSES, VOCABULARY = 32, 16, 48


def generator(*numbers: int) -> torch.Generator:
    return torch.Generator().manual_seed(sum(n * 7919**k for k, n in enumerate(numbers)) % 2**31)


def spec(name, phases, optimizer="adamw", has_top1=True):
    presets = {"tiny": Preset(summary="toy", model={}, shape={"prompt": 6, "new": 4}, batch_size=4)}
    return WorkloadSpec(
        name=name, version=1, domain="toy", summary="toy", phases=phases, presets=presets,
        item_unit="sample", optimizer=optimizer, learning_rate=1e-2, has_top1=has_top1,
    )  # fmt: skip


class Toy:
    """A classifier of ``x``; subclasses say what the model and the input are."""

    spec = spec("toy", ("train", "infer"))
    input_shape: tuple[int, ...] = (WIDTH,)
    flops_forward = 0

    def build(self) -> nn.Module:
        raise NotImplementedError

    def model(self, preset, seed):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.build().eval()

    def batch(self, preset, phase, batch_size, shape, seed):
        g = generator(seed, 1)
        batch = {"x": torch.randn(batch_size, *self.input_shape, generator=g)}
        if phase == "train":
            batch["labels"] = torch.randint(NUM_CLASSES, (batch_size,), generator=g)
        return batch

    def loss(self, model, batch):
        return functional.cross_entropy(model(x=batch["x"]).float(), batch["labels"])

    def work(self, preset, phase, batch_size, shape):
        return Work(items=batch_size, item_unit="sample", flops=batch_size * self.flops_forward)


class Named(nn.Module):
    """Calls layers in a row; the input is called ``x``."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


class ToyMlp(Toy):
    """Two linear layers with dropout between them: training draws random numbers."""

    spec = spec("toy-mlp", ("train", "infer"))
    flops_forward = 2 * (WIDTH * WIDTH + WIDTH * NUM_CLASSES)

    def build(self):
        return Named(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Dropout(0.5), nn.Linear(WIDTH, NUM_CLASSES, bias=False))


class ToyConv(Toy):
    """Convolutions and a batch norm: training moves buffers. SGD."""

    spec = spec("toy-conv", ("train", "infer"), optimizer="sgd")
    input_shape = (3, 8, 8)

    def build(self):
        return Named(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(8, NUM_CLASSES),
        )  # fmt: skip


class Stubborn(nn.Module):
    """Computes in FP32 whatever it is cast to."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, NUM_CLASSES)

    def forward(self, x):
        with torch.autocast(x.device.type, enabled=False):
            logits = functional.linear(x.float(), self.layer.weight.float(), self.layer.bias.float())
        return logits.to(x.dtype)


class ToyStubborn(Toy):
    spec = spec("toy-stubborn", ("train", "infer"))

    def build(self):
        return Stubborn()


class RawWeights(nn.Module):
    """Two of three products use parameters that belong to no linear layer: 4/5 of the FLOPs."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(WIDTH, WIDTH) / WIDTH)
        self.second = nn.Parameter(torch.randn(WIDTH, WIDTH) / WIDTH)
        self.head = nn.Linear(WIDTH, NUM_CLASSES)

    def forward(self, x):
        return self.head(x @ self.first @ self.second)


class ToyRawWeights(Toy):
    spec = spec("toy-raw", ("train", "infer"))

    def build(self):
        return RawWeights()


class ToyOddWidths(Toy):
    """One linear layer in two whose widths FP8 cannot take."""

    spec = spec("toy-odd", ("train",))

    def build(self):
        return Named(nn.Linear(WIDTH, 31), nn.Linear(31, NUM_CLASSES))


class TinyDecoder(nn.Module):
    """One attention layer with a key/value cache; no positions are encoded."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.positions_seen: list[int] = []

    def new_cache(self, batch_size, max_length):
        shape = (batch_size, max_length, WIDTH)
        like = self.embedding.weight
        return [(like.new_zeros(shape), like.new_zeros(shape))]

    def forward(self, input_ids):
        return self.extend(input_ids, self.new_cache(*input_ids.shape), 0)

    @torch.no_grad()
    def extend(self, input_ids, cache, position):
        self.positions_seen.append(position)
        end = position + input_ids.shape[1]
        q_BSC, k_BSC, v_BSC = self.qkv(self.embedding(input_ids)).chunk(3, dim=-1)
        cache[0][0][:, position:end], cache[0][1][:, position:end] = k_BSC, v_BSC
        q_B1C, k_BTC, v_BTC = q_BSC[:, -1:], cache[0][0][:, :end], cache[0][1][:, :end]
        mixed_B1C = functional.scaled_dot_product_attention(q_B1C, k_BTC, v_BTC)
        return self.head(mixed_B1C[:, 0])


class ToyDecoder(Toy):
    spec = spec("toy-decoder", ("prefill", "decode"))

    def build(self):
        return TinyDecoder()

    def batch(self, preset, phase, batch_size, shape, seed):
        g = generator(seed, 2)
        return {"input_ids": torch.randint(VOCABULARY, (batch_size, shape["prompt"]), generator=g)}

    def work(self, preset, phase, batch_size, shape):
        steps = shape["new"] if phase == "decode" else 1
        return Work(steps=steps, items=batch_size * steps, item_unit="token", flops=1)


def make_case(workload, phase, precision="fp32", device="cpu", seed=3, new_tokens=None, **options) -> CaseSpec:
    preset = workload.spec.presets["tiny"]
    shape = dict(preset.shape)
    if new_tokens is not None and "new_tokens" in shape:
        shape["new_tokens"] = new_tokens
    return CaseSpec(
        workload=workload.spec.name, workload_version=1, phase=phase, preset="tiny",
        precision=precision, batch_size=preset.batch_size, shape=shape, backend="torch",
        device=device, options=options, seed=seed,
    )  # fmt: skip
