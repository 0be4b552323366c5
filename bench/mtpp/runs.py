"""From the committed suite to single runs of `sluice`: which there are, in which order, what each is called, and how one is made."""
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import generated_graphs  # noqa: E402

LONGEST_OVERRUN = 120  # seconds beyond twice its limit after which a run is given up: the limit itself is sluice's to keep


@dataclass(frozen=True)
class Run:
    """One call of `sluice plan` or `sluice bound`. Runs of one instance (model, platform, k, flags) share their best bottleneck."""

    part: str
    model: str
    platform: str
    k: int
    flags: tuple
    verb: str
    method: str
    seconds: int
    seed: int
    threads: int
    verify: bool = False

    @property
    def instance(self):
        return " ".join([self.model, self.platform, f"k={self.k}", *self.flags])

    @property
    def key(self):
        return f"{self.instance} {self.verb}:{self.method} {self.seconds}s seed={self.seed} threads={self.threads}"


def of_parts(suite, parts, threads):
    """Part after part, as the suite ranks them; within one by stages, then rate, then model, an instance's runs together. No run twice."""
    seen = set()
    for part in parts:
        for k in part["stages"]:
            for rate in part["rates"]:
                for model in suite["lists"][part["list"]]:
                    at = (part["name"], model, part["platform"].format(rate=rate), k, tuple(part.get("flags", [])))
                    verify = rate in part.get("verify", [])
                    wanted = [Run(*at, "plan", method, part["seconds"], seed, threads, verify)
                              for seed in range(part.get("seeds", 1)) for method in part.get("plan", [])]
                    wanted += [Run(*at, "bound", method, part["seconds"], 0, threads) for method in part.get("bound", [])]
                    for run in wanted:
                        if run.key not in seen:
                            seen.add(run.key)
                            yield run


def locate(model, shared, made):
    """What `sluice` takes for this model, or None where its file is absent."""
    if model.startswith("zoo:"):
        return model
    if model.startswith("generated:"):
        return str(generated_graphs.write(model.removeprefix("generated:"), made))
    path = shared / model
    return str(path) if path.exists() else None


def call(command, limit):
    """Exit code, stdout, stderr and wall seconds. The child has a session of its own: Ctrl-C is ours to handle, and no half result is kept."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as child:
        try:
            out, err = child.communicate(timeout=2 * limit + LONGEST_OVERRUN)
        except BaseException as why:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            if not isinstance(why, subprocess.TimeoutExpired):
                raise
            return 124, "", f"did not end within {2 * limit + LONGEST_OVERRUN} s", time.perf_counter() - started
    return child.returncode, out, err, time.perf_counter() - started


def failure(code, err):
    lines = [line for line in err.splitlines() if line.startswith("error: ")] or err.splitlines() or [f"exit {code}"]
    return {"failed": lines[0].removeprefix("error: ")[:300], "code": code}


def execute(run, sluice, model, folder):
    """The figures of one run, or {"failed": …, "code": …}."""
    command = [sluice, run.verb, model, "-p", run.platform, "-k", str(run.k), "--method", run.method, "--time", str(run.seconds),
               "--threads", str(run.threads), "--json", *run.flags]
    plan, certificate = Path(folder) / "plan.json", Path(folder) / "plan.certificate.json"
    if run.verb == "plan":
        command += ["--seed", str(run.seed)]
        command += ["-o", str(plan)] if run.verify else []
    code, out, err, wall = call(command, run.seconds)
    if code != 0:
        return failure(code, err) | {"wall": round(wall, 2)}
    answer = json.loads(out)
    bound = answer["bound"]
    figures = {"bound": bound["value_ps"], "kind": bound["kind"], "certified": bound["certified"], "wall": round(wall, 2)}
    # A bound that our own checker refuses is done without, and said in a warning: a fault of ours, not of the instance.
    refused = [line for line in err.splitlines() if line.startswith("warning: ") and "not accepted by the checker" in line]
    if refused:
        figures |= {"refused": refused[-1].removeprefix("warning: ")[:300]}
    if run.verb == "bound":
        return figures
    figures |= {"bottleneck": answer["predicted"]["bottleneck_ps"], "stages": len(answer["stages"]),
                "operators": sum(len(stage["operators"]) for stage in answer["stages"]), "stop": answer["termination"]["reason"],
                "evaluations": answer["evaluations"]}
    if run.verify:
        code, _, err, wall = call([sluice, "verify", model, str(plan), str(certificate), "--json"], 600)
        figures |= {"verified": code == 0, "verify_wall": round(wall, 2), "certificate_bytes": certificate.stat().st_size}
        if code != 0:
            figures |= {"verify_failed": failure(code, err)["failed"]}
    return figures


def unknown_methods(runs, sluice):
    """(verb, method or flag) pairs that this build does not have: asked once each, on a small model."""
    unknown = {}
    asked = set()
    for run in runs:
        for verb, what, words in ((run.verb, run.method, ["--method", run.method]), (run.verb, run.flags, list(run.flags))):
            if not what or (verb, what) in asked:
                continue
            asked.add((verb, what))
            code, _, err, _ = call([sluice, verb, "zoo:chain:layers=4", "-p", "asic-16", "-k", "2", "--time", "1", "--quiet", "--json", *words], 1)
            if code == 2:
                unknown[verb, what] = failure(code, err)["failed"]
    return unknown
