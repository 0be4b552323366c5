#!/usr/bin/env python3
"""Partitions for a ring of chips compared: the parts of bench/suites/mcm.json, one `sluice compare` process for each model, method and seed.

usage: run_mcm.py CHECKOUT [--quick | --tables] [--part NAME] [--only TEXT] [--any-build] [--list]

Every finished run is one line of bench/results/mcm/runs.jsonl, with the best so far after each evaluation; started again, a bench goes on with what
this build of sluice has not done. --tables makes docs/results/mcm.md from the lines that there are; a whole bench ends with that. --quick: fewer
evaluations and seeds, into build/mcm-quick. Exit 1 when a run failed; 130 after Ctrl-C.
"""
import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import store  # noqa: E402
from run_suite import geometric_mean, machine  # noqa: E402

LONGEST = 3600
LEVELS = [1, 10, 30, 100, 300, 1000, 5000]
QUICK = {"evaluations": 100, "seeds": 1, "time": 20}  # without what is marked "full"


@dataclass(frozen=True)
class Run:
    part: str
    model: str
    name: str
    platform: str
    judge: str
    method: str
    seed: int
    evaluations: int  # 0: no limit
    time: float       # 0: none
    options: tuple = ()
    learn: str = ""      # arguments of `sluice policy finetune`; the row is what it found on the way
    train: str = ""      # of `sluice policy train` before it, once for all runs; not counted
    plan: str = ""       # the method that plans with that policy, instead of learning on
    ablation: str = ""   # what bench_mcm is asked for

    @property
    def instance(self):
        return f"{self.part}: {self.name} {self.platform}"

    @property
    def key(self):
        return f"{self.instance} {self.method} {self.seed} {self.evaluations}"


def runs_of(part, quick):
    """Seed by seed, so that a bench that was stopped has something of every method."""
    evaluations, limit = part.get("evaluations", 0), part.get("time", 0)
    if quick:
        evaluations, limit = min(evaluations, QUICK["evaluations"]), min(limit, QUICK["time"])
    for seed in range(QUICK["seeds"] if quick else max(method["seeds"] for method in part["methods"])):
        for platform in part["platforms"]:
            for model in part["models"]:
                for method in part["methods"]:
                    if seed < method["seeds"] and not (quick and (part.get("full") or method.get("full"))):
                        yield Run(part["name"], model["model"], model["name"], platform, part["judge"], method["method"], seed, evaluations, limit,
                                  tuple(part.get("options", ())), method.get("learn", ""), method.get("train", ""), method.get("plan", ""),
                                  part.get("ablation", ""))


def locate(model, shared):
    if model.startswith("zoo:"):
        return model
    path = shared / "models" / model
    return str(path) if path.exists() else None


def ask(command):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST)


class NoPolicy(Exception):
    """The policy to start from could not be trained: `done` says why."""
    def __init__(self, done):
        super().__init__(done)
        self.done = done


def pretrained(run, sluice, folder):
    """The policy file that `run` starts from: trained by the first run that needs it."""
    path = folder / f"{run.method}.policy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # A head that speaks of each chip can only be trained where there are as many.
        corpus = folder / "36.corpus.json"
        everything = json.loads((Path(__file__).parent.parent / "sluice/trainer/corpus.json").read_text())
        corpus.write_text(json.dumps({**everything, "platforms": [name for name in everything["platforms"] if "devices=" not in name]}))
        words = [str(corpus) if word == "36" else word for word in run.train.split()]
        done = ask([sluice, "policy", "train", *words, "--seed", "0", "--quiet", "-o", str(path)])
        if done.returncode != 0:
            raise NoPolicy(done)
    return path


def learn(run, sluice, model, folder):
    command = [sluice, "policy", "finetune", model, "-p", run.platform, "--judge", run.judge, "--seed", str(run.seed), "--json", "--quiet",
               *run.learn.split()]
    if run.evaluations:
        command += ["--evals", str(run.evaluations)]
    if run.train:
        command += ["--policy", str(pretrained(run, sluice, folder))]
    with tempfile.TemporaryDirectory() as scratch:
        return ask([*command, "-o", f"{scratch}/tuned.policy"])


def learned(done, wall):
    said = json.loads(done.stdout)
    curve, drawn = ([[point["evaluations"], round(point["value"] * 1e12)] for point in said[which]] for which in ("curve", "drawn"))
    return {"wall": wall, "judged_ps": round(said["best"] * 1e12), "bottleneck_ps": None, "bound_ps": 0, "chips": len(set(said["chips"])),
            "seconds": wall, "evaluations": said["evaluations"], "curve": curve, "drawn": drawn, "not_compiled": 0}


def execute(run, sluice, model, folder):
    command = [sluice, "compare", model, "-p", run.platform, "--methods", run.plan or run.method, "--judge", run.judge, "--seed", str(run.seed), "--json", "--quiet",
               *run.options]
    if run.evaluations:
        command += ["--evals", str(run.evaluations)]
    if run.time:
        command += ["--time", str(run.time)]
    started = time.perf_counter()
    try:
        if run.ablation:
            done = ask([str(Path(sluice).parent.parent / "bench/bench_mcm"), run.ablation, model, run.platform, str(run.seed), str(run.evaluations)])
        else:
            if run.plan:
                command += ["--policy", str(pretrained(run, sluice, folder))]
            done = ask(command) if run.plan or not (run.learn or run.train) else learn(run, sluice, model, folder)
    except NoPolicy as failure:
        done = failure.done
    except subprocess.TimeoutExpired:
        return {"wall": LONGEST, "failed": f"no end within {LONGEST} s"}
    wall = round(time.perf_counter() - started, 3)
    if done.returncode != 0:
        first = done.stderr.strip().splitlines()
        return {"wall": wall, "failed": first[0] if first else f"exit {done.returncode}"}
    if run.ablation:
        return {"wall": wall, "rows": [json.loads(line) for line in done.stdout.splitlines()]}
    if not run.plan and (run.learn or run.train):
        return learned(done, wall)
    row = json.loads(done.stdout)[0]
    return {"wall": wall, **{key: row[key] for key in ("judged_ps", "bottleneck_ps", "bound_ps", "chips", "seconds", "evaluations", "failed", "curve")
                             if key != "failed"}, "not_compiled": row["failed"]}


def told(figures):
    if "failed" in figures:
        return f"FAILED: {figures['failed']}"
    if "rows" in figures:
        return f"{len(figures['rows'])} rows, {figures['wall']:.0f} s"
    return f"{figures['judged_ps'] / 1e6:.1f} us, {figures['evaluations']} evaluations, {figures['seconds']:.2f} s"


def best_after(line, evaluations, curve="curve"):
    """Period of the best so far; None where there was none yet."""
    best = None
    for count, period in line[curve]:
        if count <= evaluations:
            best = period
    return best


def spread(values):
    low, high = min(values), max(values)
    middle = statistics.median(values)
    return f"{middle:.3f}" if f"{low:.3f}" == f"{high:.3f}" else f"{middle:.3f} ({low:.3f}–{high:.3f})"


def instances(lines, part):
    grouped = {}
    for line in lines:
        if line["part"] == part["name"]:
            grouped.setdefault(line["instance"], {}).setdefault(line["method"], []).append(line)
    return grouped


def curves(lines, part):
    """Throughput against evaluations, as a share of what the certified bound allows."""
    for instance, methods in instances(lines, part).items():
        done = [line for runs in methods.values() for line in runs if "curve" in line]
        if not done:  # nothing to compare: why
            yield f"### {instance.split(': ', 1)[1]}\n"
            yield from (f"- {method}: {runs[0].get('failed', '')}" for method, runs in methods.items())
            yield ""
            continue
        bound = max(line["bound_ps"] for line in done)
        levels = [level for level in LEVELS if level <= max(line["evaluations"] for line in done)]
        yield f"### {instance.split(': ', 1)[1]}\n"
        yield "bound / period, median (least–most) over seeds; no method can be above 1\n"
        yield "| method | " + " | ".join(f"{level:,}" for level in levels) + " | seeds | did not compile |"
        yield "| --- | " + " | ".join("---" for _ in levels) + " | --- | --- |"
        for method, runs in methods.items():
            good = [line for line in runs if "curve" in line]
            if not good:
                yield f"| {method} | {runs[0].get('failed', '')} |" + " |" * (len(levels) + 1)
                continue
            cells = []
            for level in levels:
                values = [bound / period for line in good if (period := best_after(line, level))]
                cells.append(spread(values) if len(values) == len(good) else "–")
            share = sum(line["not_compiled"] for line in good) / max(1, sum(line["evaluations"] for line in good))
            yield f"| {method} | " + " | ".join(cells) + f" | {len(good)} | {share:.1%} |"
        yield ""
        yield from learned_against(methods, levels[-1])
        yield from agreement(done)


def learned_against(methods, evaluations):
    """The paper's two figures, and every other column that could be meant by them."""
    def middle(method):
        values = [best_after(line, evaluations) for line in methods.get(method, []) if "curve" in line]
        return statistics.median(values) if values and None not in values else None
    rows = [method for method in methods if method.startswith("rl-") and middle(method)]
    if not rows:
        return
    columns = [method for method in ("random", "random-bisection", "policy-untrained", "policy", "anneal-node", "anneal-cut", "equal-work", "anneal-cut-equal-work", "order-dp", "auto")
               if middle(method)]
    yield f"throughput of learned policies over others', medians after {evaluations:,} evaluations; `policy-untrained` is the prior of rl-narrow, `policy` what comes with sluice\n"
    yield "| over | " + " | ".join(columns) + " |"
    yield "| --- | " + " | ".join("---" for _ in columns) + " |"
    for method in rows:
        yield f"| {method} | " + " | ".join(f"{middle(column) / middle(method) - 1:+.2%}" for column in columns) + " |"
    paper = {"random": "+6.11 %", "anneal-node": "+5.85 %"}
    yield "| the paper (its BERT, its chips, 9 min against 3 h) | " + " | ".join(paper.get(column, "") for column in columns) + " |\n"
    yield from head_start(methods)


def head_start(methods):
    """Evaluations, by seeds, that a pre-trained policy needs for what learning from scratch has after 500 (the median over seeds)."""
    rows = []
    for tuned in [method for method in methods if method.endswith("-pretrained")]:
        scratch = tuned.removesuffix("-pretrained")
        for curve, what in (("curve", "with the likeliest"), ("drawn", "draws alone")):
            reached = [best_after(line, 500, curve) for line in methods.get(scratch, []) if curve in line]
            if not reached:
                continue
            if None in reached:
                rows.append(f"| {tuned} | {what} | – | |")
                continue
            level = statistics.median(reached)
            needed = [next((count for count, period in line[curve] if period <= level), None) for line in methods[tuned] if curve in line]
            rows.append(f"| {tuned} | {what} | {level / 1e6:.1f} us | {', '.join(str(n) if n else 'never' for n in needed)} |")
    if rows:
        yield "evaluations that a pre-trained policy needs for the median that its head has from scratch after 500, by seeds; each update judges the"
        yield "policy's likeliest assignment first, which is equal work where an ordinal head has not learnt, so draws are counted alone, too\n"
        yield "| policy | best of | level | evaluations |"
        yield "| --- | --- | --- | --- |"
        yield from [*rows, ""]


def agreement(done):
    """Of all final plans here: does the planners' cost order them as the judge does?"""
    points = sorted({(line["bottleneck_ps"], line["judged_ps"]) for line in done if line.get("bottleneck_ps")})
    if len(points) < 3:
        return
    signs = [(a[0] < b[0]) - (a[0] > b[0]) for i, a in enumerate(points) for b in points[:i]]
    others = [(a[1] < b[1]) - (a[1] > b[1]) for i, a in enumerate(points) for b in points[:i]]
    tau = sum(s * o for s, o in zip(signs, others)) / (sum(map(abs, signs)) * sum(map(abs, others))) ** 0.5
    correlation = statistics.correlation([a for a, _ in points], [b for _, b in points])
    yield f"{len(points)} different plans: Kendall's tau of planners' cost and judge {tau:.3f}, correlation {correlation:.4f}\n"


def gaps(lines, part):
    methods = [method["method"] for method in part["methods"]]
    yield "1 − bound / bottleneck of the planners' cost, and seconds\n"
    yield "| model | operators' bound | " + " | ".join(methods) + " |"
    yield "| --- | --- | " + " | ".join("---" for _ in methods) + " |"
    ratios = {method: [] for method in methods}
    for instance, found in instances(lines, part).items():
        cells, bound = [], None
        for method in methods:
            line = found.get(method, [{"failed": ""}])[0]
            if "curve" not in line:
                cells.append(line["failed"])
                continue
            bound = line["bound_ps"]
            ratios[method].append(line["judged_ps"] / bound)
            cells.append(f"{1 - bound / line['judged_ps']:.1%}, {line['seconds']:.1f} s")
        yield f"| {instance.split(': ', 1)[1]} | {bound / 1e6:.1f} us | " + " | ".join(cells) + " |" if bound else f"| {instance.split(': ', 1)[1]} | | " + " | ".join(cells) + " |"
    means = [f"{geometric_mean(ratios[method]) - 1:.1%} above the bound" if ratios[method] else "" for method in methods]
    yield "| geometric mean | | " + " | ".join(means) + " |\n"


def samplers(lines, part):
    yield "legal: under all four rules, checked apart; gave up: 10,000 decisions taken back\n"
    for instance, methods in instances(lines, part).items():
        yield f"### {instance.split(': ', 1)[1]}\n"
        for line in [line for runs in methods.values() for line in runs]:
            if "rows" not in line:
                yield f"{line['failed']}\n"
                continue
            yield "| ablation | | rows | drawn | gave up | legal | compiled | best of them | ms a draw |"
            yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
            for row in line["rows"]:
                best = f"{row['best_ps'] / 1e6:.1f} us" if row["best_ps"] else "–"
                shares = " | ".join(f"{row[key] / row['drawn']:.1%}" for key in ("none", "legal", "compiled"))
                yield f"| {row['ablation']} | {row['variant']} | {row['rows']} | {row['drawn']} | {shares} | {best} | {1000 * row['seconds'] / row['drawn']:.2f} |"
            yield ""


def told_or_not(lines, part):
    """Best known: of all runs here on that model and platform."""
    levels = [1, 10, 30, 100]
    yield "best known period / period after so many evaluations, median (least–most) over seeds\n"
    yield "| model | the judge tells | " + " | ".join(map(str, levels)) + " |"
    yield "| --- | --- | " + " | ".join("---" for _ in levels) + " |"
    for instance, methods in instances(lines, part).items():
        place = instance.split(": ", 1)[1]
        rows = [row for runs in methods.values() for line in runs for row in line.get("rows", [])]
        known = [line["judged_ps"] for line in lines if line["instance"].split(": ", 1)[1] == place and line.get("judged_ps") and line["part"] in part["alike"]]
        best = min(known + [row["curve"][-1][1] for row in rows if row["curve"]], default=None)
        for variant in ("chip times", "throughput alone"):
            curves = [row for row in rows if row["variant"] == variant]
            cells = []
            for level in levels:
                periods = [best_after(row, level) for row in curves]
                cells.append(spread([best / period for period in periods]) if periods and None not in periods else "–")
            yield f"| {place.split(' mcm-')[0]} | {variant} | " + " | ".join(cells) + " |"
    yield ""


TABLES = {"planner": gaps, "simulator": curves, "samplers": samplers, "residual": told_or_not}


def tables(lines, suite, title):
    yield f"# {title}\n"
    about = machine()
    yield f"Made by `./dev bench mcm` on {about['cpu']}, {about['cores']} cores; every run is a line of bench/results/mcm/runs.jsonl.\n"
    alike = [part["name"] for part in suite["parts"] if part["judge"] == "simulator" and not part.get("options")]
    for part in suite["parts"]:
        if not any(line["part"] == part["name"] for line in lines):
            continue
        yield f"## {part['title']}\n"
        yield from TABLES[part.get("ablation", part["judge"])](lines, {**part, "alike": alike})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--part")
    parser.add_argument("--only", default="")
    parser.add_argument("--any-build", action="store_true")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    checkout = arguments.checkout.resolve()
    suite = json.loads((checkout / "bench/suites/mcm.json").read_text())
    sluice = checkout / "build/release/bin/sluice"
    programs = [sluice, sluice.parent.parent / "bench/bench_mcm"]
    build = hashlib.sha256(b"".join(program.read_bytes() for program in programs)).hexdigest()[:16]
    folder = checkout / ("build/mcm-quick" if arguments.quick else "bench/results/mcm")
    page = checkout / ("build/mcm-quick/mcm.md" if arguments.quick else "docs/results/mcm.md")
    runs = [run for part in suite["parts"] if arguments.part in (None, part["name"]) for run in runs_of(part, arguments.quick)
            if arguments.only in run.key]
    if arguments.list:
        print("\n".join(run.key for run in runs))
        return 0
    failed = absent = 0
    if not arguments.tables:
        known = {line["key"]: line for line in store.read(folder)} if folder.exists() else {}
        with store.Store(folder, "runs") as lines:
            for number, run in enumerate(runs, 1):
                model = locate(run.model, checkout.parent / "shared")
                if model is None:
                    absent += 1
                    continue
                line = known.get(run.key)
                if line is None or (line["build"] != build and not arguments.any_build):
                    figures = execute(run, str(sluice), model, checkout / "build/mcm-policies" / build)
                    line = {"key": run.key, "at": time.time(), "build": build, "part": run.part, "instance": run.instance, "model": run.model,
                            "method": run.method, "seed": run.seed, **figures}
                    lines.append(line)
                failed += "failed" in line
                print(f"{number}/{len(runs)} {run.key}: {told(line)}", flush=True)
    if absent:
        print(f"{absent} runs need models of ../shared/models, which is absent", file=sys.stderr)
    wanted = [run.key for run in runs_of_all(suite, arguments.quick)]
    place = {key: at for at, key in enumerate(wanted)}  # as the suite has them, whenever they were done
    lines = sorted((line for line in store.read(folder) if line["key"] in place), key=lambda line: place[line["key"]])
    page.write_text("\n".join(tables(lines, suite, "Partitions for a ring of chips")) + "\n")
    print(f"wrote {page}")
    return 1 if failed else 0


def runs_of_all(suite, quick):
    for part in suite["parts"]:
        yield from runs_of(part, quick)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
