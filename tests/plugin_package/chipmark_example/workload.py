"""A workload without a network: it counts numbers."""

from results.records import Work
from workloads.base import Preset, WorkloadSpec


class CounterWorkload:
    spec = WorkloadSpec(
        name="example-counter",
        version=3,
        domain="example",
        summary="sums numbers",
        phases=("infer",),
        presets={"tiny": Preset(summary="a thousand numbers", model={}, shape={"numbers": 1000}, batch_size=2)},
        item_unit="sample",
        has_top1=False,
    )

    def model(self, preset, seed):
        raise TypeError("this workload has no torch model")

    def batch(self, preset, phase, batch_size, shape, seed):
        raise TypeError("this workload has no torch batches")

    def loss(self, model, batch):
        raise TypeError("this workload has no loss")

    def work(self, preset, phase, batch_size, shape):
        return Work(items=batch_size, item_unit="sample", flops=batch_size * shape["numbers"])
