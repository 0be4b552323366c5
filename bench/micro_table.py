#!/usr/bin/env python3
"""Google Benchmark's JSON as the table kept in bench/results/micro.md.

usage: micro_table.py results.json micro.md
"""
import json
import sys


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    data = json.load(open(sys.argv[1], encoding="utf-8"))
    about = data["context"]
    lines = ["# micro", "", f"`./dev bench micro`: hot paths, one thread, {about['date'][:10]}; {about['num_cpus']} cores of {about['mhz_per_cpu']} MHz, "
             f"load {about['load_avg'][0] if about['load_avg'] else '?'} at the start.", "", "| case | CPU ms | wall ms | a second of CPU |", "| --- | --- | --- | --- |"]
    scale = {"ns": 1e-6, "us": 1e-3, "ms": 1, "s": 1e3}
    for run in data["benchmarks"]:
        unit = scale[run["time_unit"]]
        rate = next((f"{run[f'{what}/s'] / 1e6:.1f} M {what}" for what in ("events", "instructions", "propagations") if f"{what}/s" in run), "")
        lines.append(f"| {run['name']} | {run['cpu_time'] * unit:.3f} | {run['real_time'] * unit:.3f} | {rate} |")
    open(sys.argv[2], "w", encoding="utf-8").write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
