#!/usr/bin/env python3
"""The frontier of pipelined inference: bounds and plans on the committed lists of bench/suites/mtpp.json, one `sluice` process a run.

usage: run_mtpp.py CHECKOUT [--quick | --tables] [--shard I/N] [--only TEXT] [--part NAME] [--threads N] [--any-build] [--list]

Every finished run is one line of bench/results/mtpp/SHARD.jsonl; started again, a bench goes on with what this build of sluice has not done. --shard 1/2 and 2/2 do half
each, side by side or on two machines. --tables makes docs/results/mtpp.md and mtpp.svg from the lines that there are; a whole bench ends
with that. --quick: a few small instances, 2 s each, under 5 minutes, into build/mtpp-quick. Exit 1 when a run failed, a plan's verification failed, our
checker refused a bound, or a bound is above a plan; 130 after Ctrl-C.
"""
import argparse
import hashlib
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / "mtpp"))
import plot  # noqa: E402
import runs as runs_of  # noqa: E402
import store  # noqa: E402
import tables  # noqa: E402
from run_suite import machine  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--list", action="store_true", help="print the runs that are left, make none")
    parser.add_argument("--shard", default="1/1", help="I/N: every Nth instance, beginning with the Ith")
    parser.add_argument("--only", default="", help="runs whose name holds this (`./dev bench mtpp --list` shows names)")
    parser.add_argument("--part", default="", help="one part of the suite")
    parser.add_argument("--threads", type=int, help="of each run, in place of the suite's")
    parser.add_argument("--any-build", action="store_true", help="what another build of sluice has done counts as done, too")
    options = parser.parse_args()
    try:
        index, count = map(int, options.shard.split("/"))
        if not 1 <= index <= count:
            raise ValueError
    except ValueError:
        parser.error(f"--shard {options.shard}: I/N with 1 <= I <= N is needed")
    options.shard = (index, count)
    return options


def share(runs, shard):
    """Whole instances go to a shard, so that what is compared ran on one machine."""
    index, count = shard
    place = {}
    for run in runs:
        if place.setdefault(run.instance, len(place)) % count == index - 1:
            yield run


def hours(seconds):
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"


def estimate(left, lines):
    """Expected seconds: runs of one method and limit take the mean of those done; one never seen is taken to use its limit."""
    done = {}
    for line in lines:
        if "wall" in line:
            done.setdefault((line["verb"], line["method"], line["seconds"]), []).append(line["wall"])
    means = {what: statistics.fmean(walls) for what, walls in done.items()}
    return sum(means.get((r.verb, r.method, r.seconds), r.seconds) for r in left)


def line_of(run, figures, about):
    return {"key": run.key, "instance": run.instance, "model": run.model, "platform": run.platform, "k": run.k, "flags": list(run.flags), "verb": run.verb,
            "method": run.method, "seconds": run.seconds, "seed": run.seed, "threads": run.threads, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **about, **figures}


def told(figures):
    if "failed" in figures:
        return f"FAILED: {figures['failed']}"
    text = f"bound {figures['bound'] / 1e9:.4f} ms ({figures['kind']})"
    if "bottleneck" in figures:
        text = f"{figures['bottleneck'] / 1e9:.4f} ms, {text}, {figures['bound'] / max(1, figures['bottleneck']):.4f}"
    if "verified" in figures:
        text += f", {'verified' if figures['verified'] else 'NOT VERIFIED'} in {figures['verify_wall']:.1f} s"
    return f"{text}, {figures['wall']:.1f} s" + (f"; REFUSED: {figures['refused']}" if "refused" in figures else "")


def measure(left, sluice, shared, out, shard, about, made):
    missing = set()
    with store.Store(out, shard) as results, tempfile.TemporaryDirectory() as folder:
        for number, run in enumerate(left, 1):
            model = runs_of.locate(run.model, shared, made)
            if model is None:
                if run.model not in missing:
                    print(f"missing: {run.model} (the folder beside the checkout is absent); not measured", file=sys.stderr)
                missing.add(run.model)
                continue
            figures = runs_of.execute(run, sluice, model, folder)
            results.append(line_of(run, figures, about))
            print(f"{number}/{len(left)} {run.key}: {told(figures)}", flush=True)


def report(suite, out, document):
    lines = store.read(out)
    code = tables.write(suite, lines, document)
    if document.exists() and document.parent.name != "mtpp-quick":
        plot.write(tables.Results(suite, lines), document.with_suffix(".svg"))
    return code


def main():
    options = arguments()
    checkout = options.checkout.resolve()
    suite = json.loads((checkout / "bench" / "suites" / "mtpp.json").read_text(encoding="utf-8"))
    out = checkout / "build" / "mtpp-quick" if options.quick else checkout / "bench" / "results" / "mtpp"
    document = out / "mtpp.md" if options.quick else checkout / "docs" / "results" / "mtpp.md"
    if options.tables:
        return report(suite, out, document)

    sluice = str(checkout / "build" / "release" / "bin" / "sluice")
    build = hashlib.sha256(Path(sluice).read_bytes()).hexdigest()[:12]
    version = runs_of.call([sluice, "--version"], 10)[1].split("\n")[0].strip()
    parts = [p for p in suite["quick" if options.quick else "parts"] if options.part in ("", p["name"])]
    if not parts:
        sys.exit(f"no part '{options.part}'; there are: " + ", ".join(p["name"] for p in suite["parts"]))
    lines = store.read(out)
    done = {line["key"] for line in lines if options.any_build or line["build"] == build}
    wanted = [run for run in share(runs_of.of_parts(suite, parts, options.threads or suite["threads"]), options.shard) if options.only in run.key]
    left = [run for run in wanted if run.key not in done]
    unknown = runs_of.unknown_methods(left, sluice)
    for (verb, what), why in sorted(unknown.items(), key=str):
        print(f"skipped, this sluice does not have it: {verb} {' '.join(what) if isinstance(what, tuple) else what} ({why})", file=sys.stderr)
    left = [run for run in left if (run.verb, run.method) not in unknown and (run.verb, run.flags) not in unknown]
    print(f"{len(wanted) - len(left)} of {len(wanted)} runs done or skipped; {len(left)} left, about {hours(estimate(left, lines))}, "
          f"at most {hours(sum(r.seconds for r in left))} by their limits", flush=True)
    if options.list:
        print("\n".join(run.key for run in left))
        return 0
    about = {"build": build, "version": version, "cpu": machine()["cpu"], "cores": machine()["cores"]}
    index, count = options.shard
    try:
        measure(left, sluice, checkout.parent / "shared", out, "quick" if options.quick else f"shard-{index}-of-{count}", about, checkout / "build" / "mtpp-graphs")
    except KeyboardInterrupt:
        print(f"\nstopped; every finished run is in {out}, and the same command goes on from there", file=sys.stderr)
        return 130
    return report(suite, out, document)


if __name__ == "__main__":
    sys.exit(main())
