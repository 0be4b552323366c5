#!/usr/bin/env python3
"""Real pipelines on this machine: profile, plan on the measured costs, run, and what a user would do instead, on the same inputs.

usage: run_runtime.py CHECKOUT [--only SUBSTRING] [--repeats N]

For each model and number of stages: `sluice profile`, `sluice plan --costs`, `sluice run --against single,replicas`, N times. Prints a
table, writes bench/results/runtime.json and runtime.md. Figures are medians over the repeats with their range; throughput on cores that
were not free is marked "busy" and is no measurement. Exit 1 when a command fails.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from run_suite import machine  # noqa: E402

MODELS = [  # file beside the checkout, else the zoo's of the same shape; inputs a run
    ("resnet50", "zoo:resnet50", 120),
    ("bert_base", "zoo:bert-base", 60),
    ("inception_v3", None, 100),
    ("gpt2", "zoo:gpt2", 8),
]
STAGES = (2, 4)


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[1:4])}: exit {done.returncode}: {done.stderr.strip()[:400]}")
    return done.stdout


def model_of(checkout, name, zoo):
    path = checkout.parent / "shared" / "models" / f"{name}.onnx"
    if path.exists():
        return str(path), ["--weights", "random"]
    if zoo:
        print(f"{path.name} is absent; {zoo} instead", file=sys.stderr)
        return zoo, []
    print(f"missing: {path.name} (the folder beside the checkout is absent); not measured", file=sys.stderr)
    return None, []


def measure(sluice, model, weights, stages, inputs, repeats, folder):
    plan, costs = folder / "plan.json", folder / "costs.json"
    runs = []
    for _ in range(repeats):  # costs anew each time: the machine's pace is part of what is tested
        run([sluice, "profile", model, *weights, "-o", str(costs), "--quiet"])
        planned = json.loads(run([sluice, "plan", model, "-p", "cpu", "-k", str(stages), "--costs", str(costs), "-o", str(plan), "--quiet",
                                  "--json"]))
        ran = json.loads(run([sluice, "run", model, str(plan), *weights, "--inputs", str(inputs), "--against", "single,replicas", "--quiet",
                              "--json"]))
        ran["gap"] = planned["gap"]
        runs.append(ran)
    return runs


def stage_errors(runs):
    """Each stage's predicted work against its own measured time, alone on the machine: medians, one a stage."""
    stages = max(len(r["stages"]) for r in runs)
    errors = [[] for _ in range(stages)]
    for result in runs:
        for s, stage in enumerate(result["stages"]):
            if stage["alone_ps"] > 0:
                errors[s].append(stage["predicted"]["work_ps"] / stage["alone_ps"] - 1)
    return "; ".join(percent(statistics.median(e)) if e else "unknown" for e in errors)


def middle(values):
    values = list(values)
    return statistics.median(values), min(values), max(values)


def spread(values, form):
    mid, low, high = middle(values)
    return form(mid) if low == high else f"{form(mid)} ({form(low)} to {form(high)})"


def rate(value):
    return f"{value:.3g}"


def percent(value):
    return f"{value * 100:+.1f} %"


def row(name, stages, runs):
    """Figures of the repeats whose cores were free; of all of them, and marked, when none had free cores."""
    free = [r for r in runs if r["measured"]]
    shown = free or runs
    cpu = [sum(s["forward_cpu_ps"] for s in r["stages"]) / max(1, sum(s["forward_ps"] for s in r["stages"])) for r in shown]
    efficiency = [r["efficiency"] for r in free if r["efficiency"] is not None]
    return {
        "model": name, "stages": stages, "cores free": f"{len(free)} of {len(runs)}",
        "predicted/s": spread([r["predicted_throughput_per_s"] for r in shown], rate),
        "measured/s": spread([r["throughput_per_s"] for r in shown], rate) + ("" if free else " busy"),
        "predicted to measured": spread([r["predicted_throughput_per_s"] / r["throughput_per_s"] - 1 for r in shown], percent),
        "stages' own error": stage_errors(shown),
        "CPU / wall": spread(cpu, lambda v: f"{v:.2f}"),
        "efficiency": spread(efficiency, lambda v: f"{v:.3f}") if efficiency else "unknown",
        "single/s": spread([r["against"]["single"]["throughput_per_s"] for r in shown], rate),
        "replicas/s": spread([r["against"]["replicas"]["throughput_per_s"] for r in shown], rate),
        "start to first output": spread([r["first_output_seconds"] for r in shown], lambda v: f"{v:.2f} s"),
    }


def write_results(results, about, raw):
    results.mkdir(exist_ok=True)
    (results / "runtime.json").write_text(json.dumps({"suite": "runtime", "machine": about, "cases": raw}, indent=1) + "\n")
    rows = [row(case["model"], case["stages"], case["runs"]) for case in raw]
    lines = ["# runtime", "", "`./dev bench runtime`: profile with one thread, plan on the measured costs, run with one thread a stage, and the "
             "whole model in one process with all threads (single) and once a stage process with one thread each (replicas), on the same inputs.", "",
             f"{about['cpu']}, {about['cores']} cores; random weights, batch 1; medians over the repeats, range in brackets. `busy`: stages shared "
             "cores with each other or with other work, so the figure is no measurement of the pipeline. Efficiency: throughput x the slowest "
             "stage's own measured time.", "",
             "| " + " | ".join(rows[0]) + " |", "|" + " --- |" * len(rows[0])]
    lines += ["| " + " | ".join(str(value) for value in r.values()) + " |" for r in rows]
    (results / "runtime.md").write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--only", default="", help="models whose name holds this")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    checkout = options.checkout.resolve()
    sluice = str(checkout / "build" / "release" / "bin" / "sluice")
    raw, failed, about = [], False, machine()
    for name, zoo, inputs in MODELS:
        if options.only not in name:
            continue
        model, weights = model_of(checkout, name, zoo)
        if not model:
            continue
        for stages in STAGES:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    runs = measure(sluice, model, weights, stages, inputs, options.repeats, Path(folder))
                except RuntimeError as error:
                    print(f"{name}, {stages} stages: FAILED: {error}", flush=True)
                    failed = True
                    continue
            raw.append({"model": name, "stages": stages, "inputs": inputs, "runs": runs})
            print(" | ".join(f"{key} {value}" for key, value in row(name, stages, runs).items()), flush=True)
            write_results(checkout / "bench" / "results", about, raw)
    if not raw:
        sys.exit("nothing was measured")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
