"""The tables of docs/results/mtpp.md from the lines of a bench, and the plot beside them.

best = the best bottleneck of an instance over all its runs. Only certified bounds count, except in the columns of the MIPs; a bound above
the best bottleneck is a contradiction and fails the bench. A rung of the ladder is the best bound so far, from the left.
"""
import math
import os
import statistics
import sys
from collections import Counter, defaultdict

LADDER = [("simple", "combinatorial"), ("+ anchored", "cut"), ("+ chain", "chain"), ("+ counting", "counting"), ("+ covering", "covering")]
MIPS = [("three superblocks", "superblocks"), ("exact MIP", "mip")]
PROVEN = 0.999
PAPER = {"simple": 0.4598, "MIPs": 0.9452}


def geometric_mean(values):
    values = list(values)
    if not values:
        return float("nan")
    return math.exp(statistics.fmean(math.log(v) for v in values)) if min(values) > 0 else 0.0


def number(value, digits=4):
    return "" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def rows(head, body):
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in body:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"
    yield ""


class Results:
    """Lines by instance, with what tables ask for."""

    def __init__(self, suite, lines):
        self.suite = suite
        self.failed = [line for line in lines if "failed" in line or "refused" in line or not line.get("verified", True)]
        self.good = [line for line in lines if "failed" not in line]
        self.by_instance = defaultdict(list)
        for line in self.good:
            self.by_instance[line["instance"]].append(line)
        self.best = {}
        for instance, group in self.by_instance.items():
            bottlenecks = [line["bottleneck"] for line in group if "bottleneck" in line]
            if bottlenecks and min(bottlenecks) > 0:
                self.best[instance] = min(bottlenecks)
        self.contradictions = [line for line in self.good if line["certified"] and line["bound"] > self.best.get(line["instance"], line["bound"])]

    def instances(self, models, platform, k, flags=()):
        """Those measured, of these models."""
        names = [" ".join([model, platform, f"k={k}", *flags]) for model in models]
        return [name for name in names if name in self.best]

    def runs(self, instance, verb, method, seconds=None, seed=0):
        return [line for line in self.by_instance[instance]
                if line["verb"] == verb and line["method"] == method and seconds in (None, line["seconds"]) and line["seed"] == seed]

    def plan(self, instance, method="auto", seconds=None, seed=0):
        found = self.runs(instance, "plan", method, seconds, seed)
        return found[0] if found else None

    def ratio(self, instance, seconds=None):
        """Bound of the run of `auto` with this limit (the longest that there is) over best, or None."""
        found = self.runs(instance, "plan", "auto", seconds)
        run = max(found, key=lambda line: line["seconds"], default=None)
        if run is None:
            return None
        return (run["bound"] if run["certified"] else 0) / self.best[instance]

    def bound(self, instance, method, seconds=None):
        """Bound over best of one method, certified or not, or None."""
        found = self.runs(instance, "bound", method, seconds)
        return max(line["bound"] for line in found) / self.best[instance] if found else None

    def ladder(self, instance, seconds):
        """Rung -> best bound over best so far; a method that did not run adds nothing and has no rung."""
        reached, rungs = 0.0, {}
        for name, method in LADDER:
            found = [line for line in self.runs(instance, "bound", method, seconds) if line["certified"]]
            if found:
                reached = max(reached, max(line["bound"] for line in found) / self.best[instance])
                rungs[name] = reached
        ratio = self.ratio(instance, seconds)
        if ratio is not None:
            rungs["+ exact engine"] = max(reached, ratio)
        return rungs

    def ladder_means(self, instances, seconds):
        """Rung -> (geometric mean, how many), over the instances that have it."""
        rungs = [self.ladder(instance, seconds) for instance in instances]
        names = [name for name, _ in LADDER] + ["+ exact engine"]
        means = {name: [r[name] for r in rungs if r.get(name, 0) > 0] for name in names}
        for name, method in MIPS:
            means[name] = [v for v in (self.bound(i, method, seconds) for i in instances) if v]
        return {name: (geometric_mean(values), len(values)) for name, values in means.items()}


def short(model):
    name = model.removeprefix("models/").removeprefix("workloads/")
    for ending in (".gz", ".onnx", ".json", ".graph.txt"):
        name = name.removesuffix(ending)
    return name


def why_open(suite, line):
    kinds = [name for name, words in suite["classes"].items() if any(word in line["model"] for word in words)]
    return "; ".join(kinds[:1] + [f"stopped by {line['stop']}"])


def ladder_section(results, title, part, stages, note=""):
    models = results.suite["lists"][part["list"]]
    names = [name for name, _ in LADDER] + ["+ exact engine"] + [name for name, _ in MIPS]
    body = []
    for rate in sorted(part["rates"]):
        for k in sorted(stages):
            instances = results.instances(models, part["platform"].format(rate=rate), k)
            if not instances:
                continue
            means = results.ladder_means(instances, part["seconds"])
            ratios = [r for r in (results.ratio(i, part["seconds"]) for i in instances) if r is not None]
            cells = [number(value) + ("" if count in (0, len(instances)) else f" ({count})") for value, count in (means[name] for name in names)]
            body.append([rate, k, len(instances), *cells, f"{sum(r >= PROVEN for r in ratios)} of {len(ratios)}"])
    if not body:
        return []
    used = [True] * 3 + [any(row[3 + i] for row in body) for i in range(len(names))] + [True]
    head = ["GB/s", "k", "instances", *names, "proven within 0.1 %"]
    keep = lambda row: [cell for cell, use in zip(row, used) if use]  # noqa: E731
    if any(row[3 + names.index(name)] for row in body for name, _ in MIPS):
        note = f"The MIPs' columns count what the solver claims, certified or not. {note}"
    return [f"## {title}", "", f"Geometric means of bound / best, {part['seconds']} s a run. {note}".strip(), "", *rows(keep(head), map(keep, body))]


def prototype_section(results):
    body = [[rate, k, *(number(by_k[k][rung], 3) for rung in ("simple", "anchored", "chain", "counting", "exact")), by_k[k]["proven"]]
            for rate, by_k in sorted(results.suite["prototype"].items(), key=lambda item: int(item[0])) for k in sorted(by_k, key=int)]
    return ["## Beside: the prototype, on other graphs", "",
            "The prototype that these methods come from, on 62 ONNX-derived graphs (4 to 6 s, then 6 to 15 s more where open; one core). Another list: to compare "
            "shapes, not digits. Its \"counting\" column is its anchored-io weights on top of anchored cuts and chain.", "",
            *rows(["GB/s", "k", "simple", "+ anchored", "+ chain", "+ counting", "+ dominance search", "proven within 0.1 %"], body)]


def minute_section(results, part):
    body = []
    for rate in sorted(part["rates"]):
        for k in sorted(part["stages"]):
            instances = results.instances(results.suite["lists"][part["list"]], part["platform"].format(rate=rate), k)
            ratios = [r for r in (results.ratio(i, part["seconds"]) for i in instances) if r is not None]
            if ratios:
                body.append([rate, k, len(ratios), number(geometric_mean(ratios)), number(min(ratios)), sum(r >= 0.99 for r in ratios),
                             f"{sum(r >= PROVEN for r in ratios)} ({100 * sum(r >= PROVEN for r in ratios) / len(ratios):.0f} %)"])
    if not body:
        return []
    return [f"## Real graphs, {part['seconds']} s an instance", "",
            *rows(["GB/s", "k", "instances", "bound / best", "worst", ">= 0.99", "proven within 0.1 %"], body)]


def against(results, models, platform, k, method, seconds, seeds=1):
    """Instance -> bottleneck of `method` over that of auto at the same limit, medians over the seeds."""
    ratios = {}
    for instance in results.instances(models, platform, k):
        ours = [p["bottleneck"] for p in (results.plan(instance, "auto", seconds, s) for s in range(seeds)) if p]
        theirs = [p["bottleneck"] for p in (results.plan(instance, method, seconds, s) for s in range(seeds)) if p]
        if ours and theirs:
            ratios[instance] = statistics.median(theirs) / statistics.median(ours)
    return ratios


def baseline_cases(results, quick):
    """(list, seconds, seeds, rate, k, method, {instance: ratio}) for every comparison that the suite asks for."""
    parts = [p for p in results.suite["quick" if quick else "parts"] if any(m.startswith("brkga") for m in p.get("plan", []))]
    for part in parts:
        for method in (m for m in part["plan"] if m.startswith("brkga")):
            for rate in sorted(part["rates"]):
                for k in sorted(part["stages"]):
                    ratios = against(results, results.suite["lists"][part["list"]], part["platform"].format(rate=rate), k, method, part["seconds"],
                                     part.get("seeds", 1))
                    if ratios:
                        yield part["list"], part["seconds"], part.get("seeds", 1), rate, k, method, ratios


def baseline_section(results, quick):
    body = []
    for list_name, seconds, seeds, rate, k, method, ratios in baseline_cases(results, quick):
        values = list(ratios.values())
        worst = min(ratios, key=ratios.get)
        evaluations = [p["evaluations"] for p in (results.plan(i, method, seconds) for i in ratios) if p]
        body.append([list_name, seconds, seeds, rate, k, method, len(values), number(geometric_mean(values)), number(max(values)), number(min(values)) +
                     (f" ({short(worst.split(' ')[0])})" if min(values) < 1 else ""), sum(v < 1 for v in values), int(statistics.median(evaluations))])
    if not body:
        return []
    return ["## Against BRKGA", "",
            "Bottleneck of the paper's planner over that of `auto`, both with the same limit and threads; above 1, `auto` is better. brkga-10000 is the paper's "
            "population of 100 over 100 generations, and where its evaluations stay below 10,000 the limit ended it. Several seeds: medians.", "",
            *rows(["list", "s", "seeds", "GB/s", "k", "method", "instances", "geometric mean", "most", "least", "auto worse", "its evaluations (median)"], body)]


def time_section(results, quick):
    body = []
    for list_name, seconds in sorted({(p["list"], p["seconds"]) for p in results.suite["quick" if quick else "parts"] if "auto" in p.get("plan", [])}):
        models = set(results.suite["lists"][list_name])
        plans = [line for line in results.good if line["verb"] == "plan" and line["method"] == "auto" and line["seconds"] == seconds and line["model"] in models]
        proven = [line["wall"] for line in plans if line["bound"] >= PROVEN * line["bottleneck"]]
        if plans:
            walls = [line["wall"] for line in plans]
            body.append([list_name, seconds, len(walls), f"{statistics.median(walls):.2f}", f"{percentile(walls, 0.95):.2f}", f"{max(walls):.2f}", len(proven),
                         f"{statistics.median(proven):.2f}" if proven else "", f"{percentile(proven, 0.95):.2f}" if proven else ""])
    if not body:
        return []
    return ["## Seconds", "", "Whole processes of `sluice plan`, reading the model included.", "",
            *rows(["list", "limit", "runs", "median", "95 %", "slowest", "proven", "median of those", "95 %"], body)]


def certificate_section(results):
    checked = [line for line in results.good if "verify_wall" in line]
    if not checked:
        return []
    body = []
    for kind, group in sorted(Counter(line["kind"] for line in checked).items()):
        lines = [line for line in checked if line["kind"] == kind]
        walls, sizes = [line["verify_wall"] for line in lines], [line["certificate_bytes"] for line in lines]
        body.append([kind, group, sum(line["verified"] for line in lines), f"{statistics.median(walls):.2f}", f"{percentile(walls, 0.95):.2f}", f"{max(walls):.2f}",
                     f"{statistics.median(sizes) / 1e3:.1f}", f"{max(sizes) / 1e3:.1f}"])
    return ["## Certificates", "", "`sluice verify` on the plans of the ladder's runs at 64 GB/s: seconds of the whole process, kB of the file.", "",
            *rows(["kind", "plans", "verified", "median s", "95 %", "slowest", "median kB", "largest kB"], body)]


def special_section(results, quick):
    body = []
    for part in results.suite["quick" if quick else "parts"]:
        if part["list"] != "few":
            continue
        for rate in part["rates"]:
            for k in part["stages"]:
                for instance in results.instances(results.suite["lists"]["few"], part["platform"].format(rate=rate), k, part.get("flags", [])):
                    line = results.plan(instance, "auto", part["seconds"])
                    if line:
                        body.append([part["name"], short(line["model"]), k, f"{line['bottleneck'] / 1e9:.4f}", f"{line['bound'] / 1e9:.4f}", line["kind"],
                                     number(line["bound"] / line["bottleneck"])])
    return ["## Overlap and replicas", "", *rows(["what", "model", "k", "bottleneck ms", "bound ms", "kind", "bound / bottleneck"], body)] if body else []


def of_prototype(suite, model, rate):
    """Its bound / best where it left an instance of this name open at k = 16; "proven" where it left it open at another rate only."""
    by_rate = suite["prototype_open"].get(short(model))
    return "" if by_rate is None else number(by_rate.get(str(rate)), 3) or "proven"


def worst_section(results, models, stages, rates, platform_of):
    found = []
    for rate in rates:
        platform = platform_of.format(rate=rate)
        for instance in results.instances(models, platform, stages):
            ratio = results.ratio(instance)
            if ratio is not None:
                run = max(results.runs(instance, "plan", "auto"), key=lambda line: line["seconds"])
                found.append((ratio, run, rate))
    found.sort(key=lambda item: (item[0], item[1]["key"]))
    body = [[short(run["model"]), rate, run["operators"], run["seconds"], f"{results.best[run['instance']] / 1e9:.4f}", f"{run['bound'] / 1e9:.4f}", run["kind"], number(ratio),
             of_prototype(results.suite, run["model"], rate), why_open(results.suite, run)] for ratio, run, rate in found[:10] if ratio < PROVEN]
    if not body:
        return []
    return [f"## The worst ten at k = {stages}", "", "The prototype's column: its bound / best for an instance of the same name, other costs.", "",
            *rows(["model", "GB/s", "operators", "s", "best ms", "bound ms", "kind", "bound / best", "prototype", "why"], body)]


def target(what, wanted, value, met, detail=""):
    if value is None:
        return [what, wanted, "not measured", ""]
    return [what, wanted, f"{value:.4f}" + (f" ({detail})" if detail else ""), "yes" if met(value) else "**no**"]


def target_section(results):
    suite, real = results.suite, results.suite["lists"]["real"]
    core = next(p for p in suite["parts"] if p["name"] == "core")
    spill = next(p for p in suite["parts"] if p["name"] == "spill")
    body = []

    def ratios_at(platform, k, seconds, models=real):
        return [r for r in (results.ratio(i, seconds) for i in results.instances(models, platform, k)) if r is not None]

    def of(ratios, models=real):
        return f"{len(ratios)} of {len(models)}"

    for rate in sorted(core["rates"]):
        ratios = ratios_at(core["platform"].format(rate=rate), 16, 60)
        body.append(target(f"bound / best, k = 16, {rate} GB/s, 60 s", ">= 0.99", geometric_mean(ratios) if ratios else None, lambda v: v >= 0.99, of(ratios)))
        body.append(target("the worst of them", ">= 0.90", min(ratios, default=None), lambda v: v >= 0.90))
    means, proven = {}, []
    for rate in core["rates"]:
        for k in (4, 8, 16, 32, 64):
            ratios = ratios_at(core["platform"].format(rate=rate), k, 10)
            if ratios:
                means[rate, k] = geometric_mean(ratios)
                proven += [r >= PROVEN for r in ratios]
    least = min(means, key=means.get, default=None)
    body.append(target("bound / best, every k >= 4 and rate, 10 s", ">= 0.985", means.get(least), lambda v: v >= 0.985,
                       f"least of {len(means)} of 15: k = {least[1]}, {least[0]} GB/s" if least else ""))
    body.append(target("share proven within 0.1 %, k >= 4, 10 s", ">= 0.80", sum(proven) / len(proven) if proven else None, lambda v: v >= 0.8, f"of {len(proven)}"))
    long = [r >= PROVEN for rate in core["rates"] for r in ratios_at(core["platform"].format(rate=rate), 16, 60)]
    body.append(target("the same, k = 16, 60 s", ">= 0.80", sum(long) / len(long) if long else None, lambda v: v >= 0.8, f"of {len(long)}"))
    ratios = ratios_at(spill["platform"].format(rate=64), 16, 10)
    body.append(target("bound / best, spill, k = 16, 64 GB/s", ">= 0.95", geometric_mean(ratios) if ratios else None, lambda v: v >= 0.95, of(ratios)))
    generated = [r for rate in core["rates"] for r in ratios_at(core["platform"].format(rate=rate), 16, 10, suite["lists"]["generated"])]
    body.append(target("generated, k = 16, all rates", ">= 0.80", geometric_mean(generated) if generated else None, lambda v: v >= 0.8, f"of {len(generated)}"))
    compared = [case for case in baseline_cases(results, False) if case[5] == "brkga-10000"]
    lost = [v for case in compared for v in case[6].values()]
    body.append(target("brkga-10000 / auto, the least", ">= 1", min(lost, default=None), lambda v: v >= 1, f"of {len(lost)}; {sum(v < 1 for v in lost)} below"))
    branchy = [v for case in compared if case[0] == "branchy" and case[1] == 10 for v in case[6].values()]
    body.append(target("brkga-10000 / auto, branchy, 10 s", ">= 1.03", geometric_mean(branchy) if branchy else None, lambda v: v >= 1.03, f"of {len(branchy)}"))
    return ["## Targets", "", *rows(["what", "wanted", "measured", "met"], body)]


def head(results, quick):
    about = Counter((line["cpu"], line["cores"], line["threads"], line["version"]) for line in results.good)
    builds = Counter(line["build"] for line in results.good)
    dates = sorted(line["at"][:10] for line in results.good)
    where = "; ".join(f"{cpu}, {cores} cores, {threads} thread{'s' if threads > 1 else ''} a run, {version}" for cpu, cores, threads, version in sorted(about))
    lines = ["# mtpp" + (" (quick)" if quick else ""), "", f"`./dev bench mtpp{' --quick' if quick else ''}`: {results.suite['description']}.", "",
             f"{where}; {dates[0]} to {dates[-1]}; {len(results.good)} runs, {len(results.failed)} failed; "
             + (f"build {next(iter(builds))}." if len(builds) == 1 else f"{len(builds)} builds of sluice: figures of one instance may come from several."), "",
             "Platform `asic-16` with the link at 8, 64 or 400 GB/s (serial cost, no spill unless said). ONNX models have modelled times; msr and PipeDream files keep their own "
             "operator times, and their tensors' bytes go over the platform's link like everyone's (msr layer graphs give transfer times without bytes: the bytes "
             "are what 2 GiB/s moves in that time). Memory limits and CPU devices of msr files do not apply here; their colour classes do. "
             "best: the best bottleneck of an instance over all its runs. Proven: bound at least 0.999 best.", "",
             f"The paper reports, at k = 16 over 369 production models that are not public, {PAPER['simple']} for its simple bound and {PAPER['MIPs']} with its MIPs. "
             "Other models and costs: the figures below cannot be set against these.", ""]
    if results.failed:
        lines += ["## Failed", "", *rows(["run", "what"], [[line["key"], line.get("failed") or line.get("refused") or "verify: " + line.get("verify_failed", "")] for line in results.failed])]
    return lines


def document(suite, lines, quick):
    results = Results(suite, lines)
    text = head(results, quick)
    if quick:
        part = suite["quick"][0]
        text += ladder_section(results, "Bounds", part, part["stages"])
        text += baseline_section(results, True) + certificate_section(results) + time_section(results, True)
        text += worst_section(results, suite["lists"]["quick"], 16, part["rates"], part["platform"])
        return results, text
    by_name = {p["name"]: p for p in suite["parts"]}
    core = by_name["core"]
    text += target_section(results)
    text += ladder_section(results, "Real graphs", core, core["stages"] + by_name["stages"]["stages"], "In brackets: over so many.")
    text += ["![Bound over best by stages](mtpp.svg)", ""]
    text += prototype_section(results) + minute_section(results, by_name["long"])
    text += ladder_section(results, "Real graphs, 32 MiB of fast memory", by_name["spill"], by_name["spill"]["stages"])
    text += ladder_section(results, "Generated graphs", by_name["generated"], by_name["generated"]["stages"] + by_name["generated, other stages"]["stages"])
    text += ladder_section(results, "Branchy graphs", core | {"list": "branchy"}, core["stages"] + by_name["stages"]["stages"])
    text += baseline_section(results, False) + special_section(results, False) + certificate_section(results) + time_section(results, False)
    text += worst_section(results, suite["lists"]["real"], 16, core["rates"], core["platform"])
    return results, text


def write(suite, lines, path):
    """Writes the document; returns the exit code."""
    if not any("failed" not in line for line in lines):
        print("nothing was measured", file=sys.stderr)
        return 1
    quick = path.parent.name == "mtpp-quick"
    results, text = document(suite, lines, quick)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.making")
    fresh.write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")
    os.replace(fresh, path)
    print("\n".join(text) if quick else f"wrote {path}")
    for line in results.contradictions:
        print(f"CONTRADICTION: {line['key']}: bound {line['bound']} above the best bottleneck {results.best[line['instance']]}", file=sys.stderr)
    return 1 if results.failed or results.contradictions else 0
