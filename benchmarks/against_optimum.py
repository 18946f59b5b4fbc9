"""Side by side with optimum-benchmark: a tiny BERT of the same shapes, FP32, one CPU thread.

    python -m benchmarks.against_optimum PATH_TO_PYTHON

``PATH_TO_PYTHON`` is the interpreter of an environment of its own; these pins make one that works
without a hub: ``torch==2.13.0 optimum-benchmark==0.6.0 transformers==4.57.6 datasets==4.8.5``.

The two BERTs are different code (chipmark's own, transformers'), so each tool is held against a
hand-written loop of the implementation it measures, timed in an interpreter of its own. Each tool
and each loop runs ``NUM_ROUNDS`` times, interleaved; medians are printed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results.frame import load
from workloads import REGISTRY

NUM_ROUNDS, SECONDS = 3, 1.0

SUITE = f"""
[suite]
name = "against-optimum"
[measure]
min_seconds = {SECONDS}
[[case]]
workload = "text-encoder"
phase = "infer"
preset = "tiny"
options = {{ threads = 1 }}
"""

# Arguments of the scripts: JSON with the model's dimensions, the batch, and a folder for the model.
SAVE_MODEL = """
import json, sys
from transformers import BertConfig, BertForMaskedLM
wanted = json.loads(sys.argv[1])
BertForMaskedLM(BertConfig(**wanted["config"])).save_pretrained(wanted["folder"])
"""

OPTIMUM = """
import json, sys
from optimum_benchmark import Benchmark, BenchmarkConfig, InferenceConfig, ProcessConfig, PyTorchConfig

def main():
    wanted = json.loads(sys.argv[1])
    scenario = InferenceConfig(
        memory=False, duration=wanted["seconds"], iterations=30, warmup_runs=30, input_shapes=wanted["shapes"]
    )
    backend = PyTorchConfig(
        model=wanted["folder"], device="cpu", task="fill-mask", library="transformers", torch_dtype="float32"
    )
    config = BenchmarkConfig(name="tiny", launcher=ProcessConfig(), scenario=scenario, backend=backend)
    forward = Benchmark.launch(config).to_dict()["forward"]
    print("RESULT", json.dumps([forward["throughput"]["value"], forward["latency"]["p50"]]))

if __name__ == "__main__":
    main()
"""

LOOP = """
import json, statistics, sys, time, torch
wanted = json.loads(sys.argv[1])
torch.set_num_threads(1)
if wanted["folder"]:
    from transformers import BertForMaskedLM
    model = BertForMaskedLM.from_pretrained(wanted["folder"]).eval()
else:
    from workloads import REGISTRY
    model = REGISTRY.get("text-encoder").model("tiny", 0).eval()
shape = (wanted["shapes"]["batch_size"], wanted["shapes"]["sequence_length"])
tokens = torch.randint(wanted["config"]["vocab_size"], shape)
with torch.inference_mode():
    for _ in range(200):
        model(input_ids=tokens)
    samples, start = [], time.perf_counter()
    while time.perf_counter() - start < wanted["seconds"]:
        before = time.perf_counter()
        model(input_ids=tokens)
        samples.append(time.perf_counter() - before)
print("RESULT", json.dumps([shape[0] * len(samples) / sum(samples), statistics.median(samples)]))
"""


def call(python: str, script: str, wanted: dict[str, object], folder: Path) -> tuple[float, float, float]:
    """Wall seconds, samples per second and median latency that a script reports."""
    file = folder / "script.py"
    file.write_text(script)
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
    start = time.perf_counter()
    command = [python, str(file), json.dumps(wanted)]
    # In the scratch folder: optimum-benchmark writes a log where it stands.
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    wall_s = time.perf_counter() - start
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if script is not SAVE_MODEL and not lines:
        raise SystemExit(f"{python} gave no result: {done.stderr.strip().splitlines()[-1:]}")
    throughput, median_s = json.loads(lines[0].removeprefix("RESULT ")) if lines else (0.0, 0.0)
    return wall_s, throughput, median_s


def call_chipmark(folder: Path, number: int) -> tuple[float, float, float]:
    """The same of the real ``chipmark run``."""
    (folder / "suite.toml").write_text(SUITE)
    out = folder / f"run-{number}"
    command = [sys.executable, "-m", "harness", "run", str(folder / "suite.toml"), "--device", "cpu", "--out", str(out)]
    start = time.perf_counter()
    subprocess.run([*command, "--quiet"], check=True, capture_output=True)
    wall_s = time.perf_counter() - start
    row = load(out).iloc[0]
    return wall_s, float(row["throughput_per_s"]), float(row["latency_p50_s"])


def describe() -> dict[str, object]:
    """The tiny preset in the words of transformers."""
    preset = REGISTRY.get("text-encoder").spec.presets["tiny"]
    sizes = preset.model
    config = {
        "vocab_size": sizes["vocab_size"], "hidden_size": sizes["dim"], "num_hidden_layers": sizes["num_layers"],
        "num_attention_heads": sizes["num_heads"], "intermediate_size": sizes["ffn_dim"],
        "max_position_embeddings": sizes["max_positions"], "type_vocab_size": sizes["num_token_types"],
    }  # fmt: skip
    shapes = {"batch_size": preset.batch_size, "sequence_length": preset.shape["sequence_length"]}
    return {"config": config, "shapes": shapes, "seconds": SECONDS}


def main() -> None:
    """Run everything and print one line a tool."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    python, wanted = sys.argv[1], describe()
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ("chipmark", "optimum-benchmark")}
    truth: dict[str, list[tuple[float, float, float]]] = {name: [] for name in found}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        saved = wanted | {"folder": str(folder / "model")}
        call(python, SAVE_MODEL, saved, folder)
        for number in range(NUM_ROUNDS):
            truth["chipmark"].append(call(sys.executable, LOOP, wanted | {"folder": ""}, folder))
            found["chipmark"].append(call_chipmark(folder, number))
            truth["optimum-benchmark"].append(call(python, LOOP, saved, folder))
            found["optimum-benchmark"].append(call(python, OPTIMUM, saved, folder))
    for tool, results in found.items():
        wall_s, throughput, median_s = (statistics.median(column) for column in zip(*results, strict=True))
        _, true_throughput, true_median_s = (statistics.median(column) for column in zip(*truth[tool], strict=True))
        print(
            f"{tool}: {wall_s:.1f} s from command to result; {throughput:.0f} samples/s, "
            f"{throughput / true_throughput:.3f} of its loop's {true_throughput:.0f}; median latency "
            f"{median_s * 1e6:.0f} us, {median_s / true_median_s:.3f} of its loop's {true_median_s * 1e6:.0f} us"
        )


if __name__ == "__main__":
    main()
