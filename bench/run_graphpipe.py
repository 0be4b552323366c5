#!/usr/bin/env python3
"""Training plans compared: the parts of bench/suites/graphpipe.json, one `sluice plan --for training` process a run, one simulator for all.

usage: run_graphpipe.py CHECKOUT [--quick | --tables] [--part NAME] [--only TEXT] [--any-build] [--list]

A mini-batch has so many samples a device (`samples` in the suite). Every finished run is one line of bench/results/graphpipe/runs.jsonl; started
again, a bench goes on with what this build of sluice has not done. --tables makes docs/results/graphpipe.md from the lines that there are; a whole
bench ends with that. --quick: two small parts into build/graphpipe-quick. Exit 1 when a run failed otherwise than by memory, or auto is slower than
another method; 130 after Ctrl-C.
"""
import argparse
import hashlib
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import store  # noqa: E402
from run_suite import geometric_mean, machine  # noqa: E402

LONGEST = 600   # seconds after which a run is given up
INFEASIBLE = 3  # exit code of sluice: proven that nothing fits
NONE_FITS = re.compile(r"no plan of .* fits the memory")  # a method that found nothing else, which proves nothing
PAPER = {"paper": "GraphPipe reports 1.12 to 1.40 times the faster of PipeDream and Piper for parallel stages alone, 1.25 to 1.61 with larger micro-batches, at 32 GPUs",
         "ablation": "The papers' PipeDream and Piper are linear pipelines: their stages wait for each other one after the other, branches or not (`1f1b-chain`). "
                     "Parallel stages alone: graphpipe with the micro-batch of the faster of the two. Then its own micro-batch, then the gradient of the weights "
                     "apart (`zero-bubble`), then several stages a device in the order of their urgency (auto with `list`). In brackets: times as fast as the chain",
         "memory": "auto with no more memory than graphpipe's plan needs on its fullest device",
         "case study": "GraphPipe reports +20 % over a chain: half from depth 8 to 4, half from micro-batches of 4 instead of 2",
         "branches": "GraphPipe reports up to 2 times at 16 branches"}


@dataclass(frozen=True)
class Run:
    part: str
    model: str
    name: str
    platform: str
    devices: int
    batch: int
    micro_batches: int  # 0: the planner's choice
    method: str  # the column: a planner, or a name for one with options
    planner: str
    schedule: str = ""
    micro_batch_of: tuple = ()  # columns of the same instance: of the fastest of them
    memory_of: str = ""         # a column of the same instance: its peak is the platform's memory

    @property
    def instance(self):
        return f"{self.part}: {self.name} {self.platform} batch={self.batch} micro-batches={self.micro_batches or 'any'}"

    @property
    def key(self):
        return f"{self.instance} {self.method}"


def runs_of(part):
    for platform in part["platforms"]:
        devices = int(re.search(r"devices=(\d+)", platform).group(1))
        for model in part["models"]:
            for count in part.get("micro_batches", [0]):
                for method in part["methods"]:
                    options = {"method": method, "planner": method} if isinstance(method, str) else method
                    options = {**options, "micro_batch_of": tuple(options.get("micro_batch_of", ()))}
                    yield Run(part["name"], model["model"], model["name"], platform, devices, model["samples"] * devices, count, **options)


def locate(model, shared):
    if model.startswith("zoo:"):
        return model
    path = shared / "models" / model
    return str(path) if path.exists() else None


def execute(run, sluice, model, others):
    """`others`: the lines of the same instance, by column."""
    needed = [*run.micro_batch_of, *([run.memory_of] if run.memory_of else [])]
    if missing := [column for column in needed if "iteration" not in others.get(column, {})]:
        return {"wall": 0, "infeasible": "no plan of " + ", ".join(missing)}
    platform = f"{run.platform},memory={others[run.memory_of]['memory']}" if run.memory_of else run.platform
    command = [sluice, "plan", model, "--for", "training", "-p", platform, "--batch", str(run.batch), "--method", run.planner, "--json", "--quiet"]
    if run.micro_batches:
        command += ["--micro-batch", str(run.batch // run.micro_batches)]
    if run.micro_batch_of:
        command += ["--micro-batch", str(min((others[column] for column in run.micro_batch_of), key=lambda line: line["iteration"])["micro_batch"])]
    if run.schedule:
        command += ["--schedule", run.schedule]
    started = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return {"wall": LONGEST, "failed": f"no end within {LONGEST} s"}
    wall = round(time.perf_counter() - started, 3)
    if done.returncode != 0:
        first = done.stderr.strip().splitlines()
        none = done.returncode == INFEASIBLE or (first and NONE_FITS.search(first[0]))
        return {"wall": wall, "infeasible" if none else "failed": first[0] if first else f"exit {done.returncode}"}
    plan = json.loads(done.stdout)
    bound = (plan.get("bounds") or {}).get("iteration")
    return {"wall": wall, "seconds": plan["seconds"], "iteration": plan["predicted"]["iteration_ps"], "bottleneck": plan["predicted"]["bottleneck_ps"],
            "memory": plan["predicted"]["peak_memory_bytes"], "stages": len(plan["stages"]), "micro_batch": plan["stages"][0]["micro_batch"],
            "bound": bound["value_ps"] if bound and bound["certified"] else None}


def told(figures):
    if "iteration" not in figures:
        return figures.get("infeasible") or f"FAILED: {figures['failed']}"
    return f"{figures['iteration'] / 1e9:.2f} ms, {figures['stages']} stages, {figures['seconds']:.2f} s"


def instances(lines, part):
    grouped = {}
    for line in lines:
        if line["part"] == part["name"]:
            grouped.setdefault(line["instance"], {})[line["method"]] = line
    return grouped


def cell(line, best):
    if line is None:
        return ""
    if "iteration" not in line:
        return "does not fit" if "infeasible" in line else "failed"
    text = f"{line['iteration'] / 1e9:.1f}"
    return f"**{text}**" if line["iteration"] == best else text


def section(lines, part):
    grouped = instances(lines, part)
    if not grouped:
        return
    methods = part["methods"]
    yield f"## {part['title']}\n"
    if part["name"] in PAPER:
        yield PAPER[part["name"]] + ".\n"
    fixed = "micro_batches" in part
    yield "| model | devices | mini-batch |" + (" micro-batches |" if fixed else "") + "".join(f" {m} |" for m in methods) + " graphpipe / auto | bound / auto | auto memory |"
    yield "| --- | --- | --- |" + (" --- |" if fixed else "") + " --- |" * (len(methods) + 3)
    gains, gaps = {}, []
    for of in grouped.values():
        any_line = next(iter(of.values()))
        times = [line["iteration"] for line in of.values() if "iteration" in line]
        auto, graphpipe = of.get("auto", {}), of.get("graphpipe", {})
        gain = graphpipe["iteration"] / auto["iteration"] if "iteration" in auto and "iteration" in graphpipe else None
        gap = auto["bound"] / auto["iteration"] if auto.get("bound") else None
        if gain:
            gains.setdefault((any_line["devices"], any_line["micro_batches"]), []).append(gain)
        if gap:
            gaps.append(gap)
        head = f"| {any_line['name']} | {any_line['devices']} | {any_line['batch']} |" + (f" {any_line['micro_batches']} |" if fixed else "")
        yield head + "".join(f" {cell(of.get(m), min(times, default=0))} |" for m in methods) + \
            (f" {gain:.2f} |" if gain else " |") + (f" {gap:.3f} |" if gap else " |") + (f" {auto['memory'] / 2**30:.1f} GiB |" if "memory" in auto else " |")
    yield ""
    rows = [f"{devices} devices{f', {count} micro-batches' if count else ''}: {geometric_mean(values):.3f} (of {len(values)})"
            for (devices, count), values in sorted(gains.items(), key=lambda entry: (entry[0][1], entry[0][0]))]
    if rows:
        yield "graphpipe / auto, geometric means: " + "; ".join(rows) + ".\n"
    if gaps:
        yield f"Certified bound / auto, geometric mean: {geometric_mean(gaps):.3f} (of {len(gaps)}), the least {min(gaps):.3f}.\n"


def ablation(lines, part):
    grouped = instances(lines, part)
    if not grouped:
        return
    columns = [method["method"] for method in part["methods"]]
    steps = [method["method"] for method in part["methods"] if method["method"] not in part["chains"]]
    yield f"## {part['title']}\n\n{PAPER[part['name']]}.\n"
    yield "| model | devices | mini-batch |" + "".join(f" {column} |" for column in columns)
    yield "| --- | --- | --- |" + " --- |" * len(columns)
    gains = {}
    for of in grouped.values():
        any_line = next(iter(of.values()))
        chain = min((of[column]["iteration"] for column in part["chains"] if "iteration" in of.get(column, {})), default=None)

        def gain(column):
            return chain / of[column]["iteration"] if chain and column in steps and "iteration" in of.get(column, {}) else None
        for column in steps:
            if gain(column):
                gains.setdefault((any_line["devices"], column), []).append(gain(column))
        yield f"| {any_line['name']} | {any_line['devices']} | {any_line['batch']} |" + \
            "".join(f" {cell(of.get(column), 0)}" + (f" ({gain(column):.2f})" if gain(column) else "") + " |" for column in columns)
    yield "\nTimes as fast as the faster chain, geometric means: " + "; ".join(
        f"{devices} devices: " + ", ".join(f"{column} {geometric_mean(gains[devices, column]):.3f}" for column in steps if (devices, column) in gains)
        for devices in sorted({devices for devices, _ in gains})) + ".\n"


def memory(lines, part):
    grouped = instances(lines, part)
    if not grouped:
        return
    base, capped = "graphpipe", "auto within its memory"
    yield f"## {part['title']}\n\n{PAPER[part['name']]}.\n"
    yield "| model | devices | mini-batch | graphpipe | its peak | auto within it | its peak | graphpipe / auto | peak / peak |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    ratios, counted = [], 0
    for of in grouped.values():
        any_line = next(iter(of.values()))
        a, b = of.get(base, {}), of.get(capped, {})
        counted += "iteration" in a
        both = "iteration" in a and "iteration" in b
        if both:
            ratios.append((a["iteration"] / b["iteration"], b["memory"] / a["memory"]))
        peaks = [f"{line['memory'] / 2**30:.2f} GiB" if "memory" in line else "" for line in (a, b)]
        yield f"| {any_line['name']} | {any_line['devices']} | {any_line['batch']} | {cell(of.get(base), 0)} | {peaks[0]} | {cell(of.get(capped), 0)} | {peaks[1]} |" + \
            (f" {ratios[-1][0]:.2f} | {ratios[-1][1]:.2f} |" if both else " | |")
    if ratios:
        yield f"\nWithin graphpipe's peak auto is as fast or faster in {sum(time >= 1 for time, _ in ratios)} of {counted}, " \
            f"geometric mean {geometric_mean([time for time, _ in ratios]):.3f}, the least {min(time for time, _ in ratios):.3f}; " \
            f"its peak is {max(peak for _, peak in ratios):.2f} times graphpipe's at most.\n"


def searches(lines, methods):
    yield "## Search\n"
    yield "Seconds of the planner, its bound included, as the plan file says; all runs above.\n"
    yield "| method | runs | median | largest | where |"
    yield "| --- | --- | --- | --- | --- |"
    for method in methods:
        of = sorted((line for line in lines if line["method"] == method and "seconds" in line), key=lambda line: line["seconds"])
        if of:
            yield f"| {method} | {len(of)} | {of[len(of) // 2]['seconds']:.3f} | {of[-1]['seconds']:.3f} | {of[-1]['name']}, {of[-1]['devices']} devices |"


def beaten(lines):
    """Instances where another method is faster than auto."""
    grouped = {}
    for line in lines:
        grouped.setdefault(line["instance"], {})[line["method"]] = line
    for instance, of in grouped.items():
        if "iteration" not in of.get("auto", {}):
            continue
        for method, line in of.items():
            if "iteration" in line and line["iteration"] < of["auto"]["iteration"]:
                yield f"{instance}: {method} {line['iteration'] / 1e9:.3f} ms, auto {of['auto']['iteration'] / 1e9:.3f} ms"


def write(suite, lines, document):
    if not lines:
        sys.exit("nothing was measured")
    about, worse = lines[-1], list(beaten(lines))
    failed = [line for line in lines if "failed" in line]
    text = ["# Training plans", "", f"`./dev bench graphpipe`: {suite['description']}. Iteration times in milliseconds, simulated with contention for links; the best of a row is bold.", "",
            f"{about['cpu']}, {about['cores']} cores, sluice {about['version']}; {lines[0]['at'][:10]} to {about['at'][:10]}; {len(lines)} runs, {len(failed)} failed.", ""]
    for part in suite["parts"]:
        text += {"ablation": ablation, "memory": memory}.get(part["name"], section)(lines, part)
    text += searches(lines, suite["methods"])
    text += ["", "## Where auto is not the fastest", ""] + ([f"- {line}" for line in worse] or [f"Nowhere in {len({line['instance'] for line in lines})} instances."])
    document.parent.mkdir(parents=True, exist_ok=True)
    document.write_text("\n".join(text) + "\n", encoding="utf-8")
    print(f"wrote {document}")
    return 1 if failed or worse else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--list", action="store_true", help="print the runs that are left, make none")
    parser.add_argument("--part", default="", help="one part of the suite")
    parser.add_argument("--only", default="", help="runs whose name holds this")
    parser.add_argument("--any-build", action="store_true", help="what another build of sluice has done counts as done, too")
    options = parser.parse_args()
    checkout = options.checkout.resolve()
    suite = json.loads((checkout / "bench" / "suites" / "graphpipe.json").read_text(encoding="utf-8"))
    out = checkout / "build" / "graphpipe-quick" if options.quick else checkout / "bench" / "results" / "graphpipe"
    document = out / "graphpipe.md" if options.quick else checkout / "docs" / "results" / "graphpipe.md"
    if options.tables:
        return write(suite, store.read(out), document)
    parts = [p for p in suite["parts"] if options.part in ("", p["name"])]
    wanted = [run for part in parts for run in runs_of(part) if options.only in run.key]
    if options.quick:
        quick = suite["quick"]
        wanted = [run for run in wanted if run.part in quick["parts"] and run.devices == quick["devices"] and run.micro_batches in [0, *quick["micro_batches"]]]
    if not wanted:
        sys.exit("no such runs; the parts are: " + ", ".join(p["name"] for p in suite["parts"]))
    sluice = str(checkout / "build" / "release" / "bin" / "sluice")
    build = hashlib.sha256(Path(sluice).read_bytes()).hexdigest()[:12]
    done = {line["key"] for line in store.read(out) if options.any_build or line["build"] == build}
    left = [run for run in wanted if run.key not in done]
    if options.list:
        print("\n".join(run.key for run in left))
        return 0
    version = subprocess.run([sluice, "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0].strip().removeprefix("sluice ")
    about = {"build": build, "version": version, "cpu": machine()["cpu"], "cores": machine()["cores"]}
    try:
        known = {}  # instance -> column -> line
        for line in store.read(out):
            if options.any_build or line["build"] == build:
                known.setdefault(line["instance"], {})[line["method"]] = line
        with store.Store(out, "runs") as results:
            for number, run in enumerate(left, 1):
                model = locate(run.model, checkout.parent / "shared")
                if model is None:
                    print(f"missing: {run.model} (the folder beside the checkout is absent); not measured", file=sys.stderr)
                    continue
                figures = execute(run, sluice, model, known.get(run.instance, {}))
                line = {"key": run.key, "instance": run.instance, **run.__dict__, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **about, **figures}
                known.setdefault(run.instance, {})[run.method] = line
                results.append(line)
                print(f"{number}/{len(left)} {run.key}: {told(figures)}", flush=True)
    except KeyboardInterrupt:
        print(f"\nstopped; every finished run is in {out}, and the same command goes on from there", file=sys.stderr)
        return 130
    return write(suite, store.read(out), document)


if __name__ == "__main__":
    sys.exit(main())
