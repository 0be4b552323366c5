#!/usr/bin/env python3
"""The mtpp bench without its hours: graphs that never change, lines that survive a kill, runs that go on where they stopped, tables that tell."""
import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "bench" / "mtpp")]
import generated_graphs  # noqa: E402
import runs  # noqa: E402
import store  # noqa: E402
import tables  # noqa: E402

SUITE = json.loads((ROOT / "bench" / "suites" / "mtpp.json").read_text(encoding="utf-8"))

FAKE_SLUICE = """#!/bin/sh
if [ "$1" = --version ]; then echo "sluice 0"; exit; fi
verb=$1 all=$*
while [ $# -gt 0 ]; do
    if [ "$1" = --method ]; then method=$2; fi
    shift
done
case $method in auto|cut) ;; *) echo "error: unknown method" >&2; exit 2 ;; esac
echo "$all" >>"$0.calls"
if [ -e "$0.slow" ] && [ "${all#*zoo:chain}" = "$all" ]; then sleep 60 & echo $! >"$0.sleeper"; wait; fi
if [ "$verb" = bound ]; then
    echo '{"bound": {"value_ps": 80, "kind": "cut", "certified": true}}'
else
    echo '{"bound": {"value_ps": 90, "kind": "cut", "certified": true}, "predicted": {"bottleneck_ps": 100}, "stages": [{"operators": [1, 2]}],
           "termination": {"reason": "time"}, "evaluations": 7}'
fi
"""


class GeneratedGraphs(unittest.TestCase):
    def test_a_name_is_one_graph_for_ever(self):
        names = [m.removeprefix("generated:") for m in SUITE["lists"]["generated"] if m.startswith("generated:")]
        text = "".join(json.dumps(generated_graphs.graph(name)) for name in names)
        self.assertEqual(hashlib.sha256(text.encode()).hexdigest(), "55837f410e10e7645d01a79c020357861fb43752817f9b294a5f51c57ab6afc0")

    def test_sizes_and_shape(self):
        for family in generated_graphs.FAMILIES:
            graph = generated_graphs.graph(f"{family}-1")
            count = len(graph["operators"])
            self.assertTrue(50 <= count <= 200)
            for v, operator in enumerate(graph["operators"]):
                self.assertTrue(all(int(name[1:]) < v for name in operator["inputs"]), "an edge goes backward")
            for values, unit in (([o["time_ps"]["chip"] for o in graph["operators"]], 1e6), ([t["bytes"] for t in graph["tensors"]], 64e3)):
                mean = sum(values) / count / unit
                spread = (sum((v / unit - mean) ** 2 for v in values) / count) ** 0.5
                self.assertTrue(45 < mean < 55 and 6 < spread < 14, (family, mean, spread))

    def test_series_parallel_graphs_reduce_to_one_edge(self):
        for number in range(6):
            graph = generated_graphs.graph(f"sp-{number}")
            edges = {(int(name[1:]), v): 1 for v, operator in enumerate(graph["operators"]) for name in operator["inputs"]}
            reduced = True
            while reduced:
                reduced = False
                for v in {end for edge in edges for end in edge}:
                    into, out = [e for e in edges if e[1] == v], [e for e in edges if e[0] == v]
                    if len(into) == 1 and len(out) == 1:
                        del edges[into[0]], edges[out[0]]
                        edges[into[0][0], out[0][1]] = 1
                        reduced = True
            self.assertEqual(len(edges), 1)


class Suite(unittest.TestCase):
    def test_lists(self):
        self.assertEqual(len(SUITE["lists"]["generated"]), 40)
        for name, models in SUITE["lists"].items():
            self.assertEqual(len(models), len(set(models)), name)
        self.assertLessEqual(set(SUITE["lists"]["branchy"]), set(SUITE["lists"]["real"]))

    def test_no_run_twice_and_the_quick_ones_within_five_minutes(self):
        keys = [run.key for run in runs.of_parts(SUITE, SUITE["parts"], 1)]
        self.assertEqual(len(keys), len(set(keys)))
        self.assertLess(sum(run.seconds for run in runs.of_parts(SUITE, SUITE["quick"], 1)), 300)


class Lines(unittest.TestCase):
    def test_a_cut_line_is_dropped_and_the_next_one_is_whole(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "a.jsonl").write_text('{"key": "1", "at": "1"}\n{"key": "2", "at"')
            with store.Store(folder, "a") as lines:
                lines.append({"key": "3", "at": "1"})
            self.assertEqual([line["key"] for line in store.read(folder)], ["1", "3"])

    def test_the_latest_line_of_a_key_counts(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "b.jsonl").write_text('{"key": "1", "at": "2", "v": "new"}\n')
            (folder / "c.jsonl").write_text('{"key": "1", "at": "1", "v": "old"}\n')
            self.assertEqual([line["v"] for line in store.read(folder)], ["new"])

    def test_one_writer_a_shard(self):
        with tempfile.TemporaryDirectory() as name:
            with store.Store(Path(name), "a"), self.assertRaises(SystemExit):
                store.Store(Path(name), "a")


class WholeBench(unittest.TestCase):
    """The program on a checkout of its own, with a sluice that answers at once."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.checkout = Path(folder.name) / "checkout"
        shutil.copytree(ROOT / "bench", self.checkout / "bench", ignore=shutil.ignore_patterns("results", "__pycache__"))
        self.sluice = self.checkout / "build" / "release" / "bin" / "sluice"
        self.sluice.parent.mkdir(parents=True)
        self.sluice.write_text(FAKE_SLUICE)
        self.sluice.chmod(0o755)

    def bench(self, *arguments):
        done = subprocess.run([sys.executable, str(self.checkout / "bench" / "run_mtpp.py"), str(self.checkout), *arguments], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def calls(self):
        path = Path(f"{self.sluice}.calls")
        return [c for c in path.read_text().splitlines() if "zoo:chain" not in c] if path.exists() else []

    def test_goes_on_where_it_stopped_and_says_what_it_cannot_do(self):
        first = self.bench("--part", "generated", "--only", "zoo:inception:")
        made = len(self.calls())
        self.assertEqual(made, 3 * 2)  # three rates; auto and cut: the other bounds are unknown
        self.assertIn("bound chain (unknown method)", first.stderr)
        lines = store.read(self.checkout / "bench" / "results" / "mtpp")
        self.assertEqual(len(lines), made)
        self.bench("--part", "generated", "--only", "zoo:inception:")
        self.assertEqual(len(self.calls()), made)
        self.sluice.write_text(FAKE_SLUICE + "# another build\n")
        self.bench("--part", "generated", "--only", "zoo:inception:", "--any-build")
        self.assertEqual(len(self.calls()), made)
        self.bench("--part", "generated", "--only", "zoo:inception:")
        self.assertEqual(len(self.calls()), 2 * made)
        document = (self.checkout / "docs" / "results" / "mtpp.md").read_text()
        self.assertIn("| 64 | 16 | 1 | 0.8000 | 0.9000 | 0 of 1 |", document)

    def test_ctrl_c_keeps_no_half_result_and_leaves_no_process(self):
        sleeper = Path(f"{self.sluice}.sleeper")
        command = [sys.executable, str(self.checkout / "bench" / "run_mtpp.py"), str(self.checkout), "--part", "generated", "--only", "zoo:inception:"]
        Path(f"{self.sluice}.slow").touch()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as bench:
            while not (sleeper.exists() and sleeper.read_text().strip()):
                self.assertIsNone(bench.poll())
                time.sleep(0.02)
            bench.send_signal(signal.SIGINT)
            said, _ = bench.communicate(timeout=60)
        self.assertEqual(bench.returncode, 130, said)
        self.assertIn("goes on from there", said)
        self.assertEqual(store.read(self.checkout / "bench" / "results" / "mtpp"), [])
        with self.assertRaises(ProcessLookupError):
            for _ in range(500):
                os.kill(int(sleeper.read_text()), 0)
                time.sleep(0.02)

    def test_shards_share_instances_without_overlap(self):
        for shard in ("1/2", "2/2"):
            self.bench("--part", "generated", "--only", "zoo:inception", "--shard", shard)
        calls = self.calls()
        self.assertEqual(len(calls), 2 * 3 * 2)
        self.assertEqual(len(calls), len(set(calls)))


class Tables(unittest.TestCase):
    def line(self, verb, method, bound, **more):
        run = runs.Run("core", SUITE["lists"]["real"][0], "asic-16:link=64GB/s", 16, (), verb, method, 10, 0, 1)
        return {"key": run.key, "instance": run.instance, "model": run.model, "platform": run.platform, "k": 16, "flags": [], "verb": verb, "method": method,
                "seconds": 10, "seed": 0, "threads": 1, "at": "2026-01-01T00:00:00Z", "cpu": "", "cores": 1, "version": "", "build": "x", "wall": 1.0, "bound": bound,
                "kind": "cut", "certified": True} | more

    def planned(self, method, bottleneck, bound=70):
        return self.line("plan", method, bound, bottleneck=bottleneck, stop="time", evaluations=1, operators=9)

    def written(self, lines):
        with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as err:
            code = tables.write(SUITE, lines, Path(name) / "mtpp.md")
            return code, (Path(name) / "mtpp.md").read_text(), err.getvalue()

    def test_best_is_over_all_runs_and_rungs_never_fall(self):
        lines = [self.planned("auto", 100), self.planned("brkga-10000", 80, 10), self.line("bound", "cut", 40), self.line("bound", "chain", 20)]
        results = tables.Results(SUITE, lines)
        rungs = results.ladder(lines[0]["instance"], 10)
        self.assertEqual(rungs, {"+ anchored": 0.5, "+ chain": 0.5, "+ exact engine": 70 / 80})

    def test_a_bound_above_a_plan_fails_the_bench(self):
        code, _, err = self.written([self.planned("auto", 100), self.line("bound", "cut", 101)])
        self.assertEqual(code, 1)
        self.assertIn("CONTRADICTION", err)

    def test_what_is_not_certified_is_not_counted(self):
        code, text, _ = self.written([self.planned("auto", 100) | {"certified": False}, self.line("bound", "cut", 101) | {"certified": False}])
        self.assertEqual(code, 0)
        self.assertIn("| 0 of 1 |", text)

    def test_a_bound_that_the_checker_refused_fails_the_bench(self):
        code, text, _ = self.written([self.planned("auto", 100) | {"refused": "a bound was not accepted by the checker"}])
        self.assertEqual(code, 1)
        self.assertIn("not accepted", text)

    def test_a_failed_run_is_shown_and_fails_the_bench(self):
        code, text, _ = self.written([self.planned("auto", 100), {k: v for k, v in self.line("bound", "cut", 0).items() if k != "bound"} | {"failed": "broke"}])
        self.assertEqual(code, 1)
        self.assertIn("broke", text)


if __name__ == "__main__":
    unittest.main()
