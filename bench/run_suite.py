#!/usr/bin/env python3
"""Runs a suite: models x platforms x stage counts through `sluice plan` and `sluice verify`, one process each, as a user would.

usage: run_suite.py CHECKOUT SUITE [--runs N] [--only SUBSTRING]

Prints a table, writes bench/results/SUITE.json and SUITE.md with machine, versions and seeds. Exit 1 when a plan or its verification fails.
"""
import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def measured(command):
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return time.perf_counter() - started, done


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(v) for v in values)) if values else float("nan")


def machine():
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return {"cpu": cpu, "cores": os.cpu_count(), "system": platform.platform()}


def models_of(suite, checkout):
    for model in suite["models"]:
        if model.startswith("zoo:"):
            yield model
            continue
        found = sorted((checkout / "bench" / "suites").glob(model))
        if not found:
            print(f"missing: {model} (the folder beside the checkout is absent); not measured", file=sys.stderr)
        yield from (str(path) for path in found)


def run_case(sluice, model, target, stages, seed, folder):
    plan = Path(folder) / "plan.json"
    certificate = Path(folder) / "plan.certificate.json"
    command = [sluice, "plan", model, "-k", str(stages), "--seed", str(seed), "--quiet", "--json", "-o", str(plan)]
    command += ["-p", target] if target else []
    seconds, done = measured(command)
    case = {"model": Path(model).name, "platform": target or "own", "k": stages, "seconds": round(seconds, 3)}
    if done.returncode != 0:
        return case | {"failed": done.stderr.strip().splitlines()[0] if done.stderr.strip() else f"exit {done.returncode}"}
    report = json.loads(done.stdout)
    verify_seconds, verified = measured([sluice, "verify", model, str(plan), str(certificate), "--json"])
    if verified.returncode != 0:
        return case | {"failed": "verify: " + (verified.stderr or verified.stdout).strip()[:300]}
    return case | {
        "stages": len(report["stages"]),
        "bottleneck_ps": report["predicted"]["bottleneck_ps"],
        "bound_ps": report["bound"]["value_ps"],
        "kind": report["bound"]["kind"],
        "certified": report["bound"]["certified"],
        "gap": report["gap"],
        "verify_seconds": round(verify_seconds, 3),
        "certificate_bytes": certificate.stat().st_size,
    }


def table(cases):
    yield "| model | platform | k | stages | bottleneck ms | bound ms | kind | gap | plan s | verify s |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for c in cases:
        if "failed" in c:
            yield f"| {c['model']} | {c['platform']} | {c['k']} | FAILED: {c['failed']} | | | | | {c['seconds']:.2f} | |"
        else:
            yield (f"| {c['model']} | {c['platform']} | {c['k']} | {c['stages']} | {c['bottleneck_ps'] / 1e9:.4f} | {c['bound_ps'] / 1e9:.4f} | "
                   f"{c['kind']} | {c['gap']:.4f} | {c['seconds']:.2f} | {c['verify_seconds']:.2f} |")


def summary(cases):
    good = [c for c in cases if "failed" not in c]
    groups = {}
    for c in good:
        groups.setdefault((c["platform"], c["k"]), []).append(c)
    yield f"{len(good)} of {len(cases)} planned and verified; slowest plan {max((c['seconds'] for c in good), default=0):.2f} s, " \
          f"median {statistics.median([c['seconds'] for c in good]) if good else 0:.2f} s"
    for (target, k), group in sorted(groups.items()):
        ratios = [c["bound_ps"] / c["bottleneck_ps"] for c in group if c["bottleneck_ps"] > 0]
        yield f"{target}, k = {k}: geometric mean of bound/bottleneck {geometric_mean(ratios):.4f} over {len(ratios)}; " \
              f"{sum(r >= 0.999 for r in ratios)} proven within 0.1 %"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("suite")
    parser.add_argument("--only", default="", help="models whose path holds this")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    suite = json.loads((options.checkout / "bench" / "suites" / f"{options.suite}.json").read_text())
    sluice = str(options.checkout / "build" / "release" / "bin" / "sluice")
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        for model in models_of(suite, options.checkout):
            if options.only not in model:
                continue
            for target in suite["platforms"]:
                for stages in suite["stages"]:
                    case = run_case(sluice, model, target, stages, options.seed, folder)
                    cases.append(case)
                    print(list(table([case]))[-1], flush=True)
    if not cases:
        sys.exit("nothing was measured")
    lines = list(summary(cases))
    print("\n" + "\n".join(lines))
    results = options.checkout / "bench" / "results"
    results.mkdir(exist_ok=True)
    about = {"suite": options.suite, "seed": options.seed, "machine": machine()}
    (results / f"{options.suite}.json").write_text(json.dumps(about | {"cases": cases}, indent=1) + "\n")
    head = [f"# {options.suite}", "", f"`./dev bench {options.suite}`: {suite['description']}", "",
            f"{about['machine']['cpu']}, {about['machine']['cores']} cores; seed {options.seed}; times of whole processes, one run each.", ""]
    (results / f"{options.suite}.md").write_text("\n".join(head + lines + [""] + list(table(cases))) + "\n")
    return 1 if any("failed" in c for c in cases) else 0


if __name__ == "__main__":
    sys.exit(main())
