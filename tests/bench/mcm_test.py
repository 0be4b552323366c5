#!/usr/bin/env python3
"""The mcm bench without its hours: a run that fails is a row that says why, and the bench goes on."""
import json
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
import run_mcm  # noqa: E402

FAKE_SLUICE = """#!/bin/sh
echo "$*" >>"$0.calls"
verb="$1 $2"
if [ -e "$0.broken" ] && [ "$verb" = "policy $(cat "$0.broken")" ]; then
    printf 'error: no such corpus\\nnote: of many words\\n' >&2
    exit 1
fi
while [ $# -gt 0 ]; do
    if [ "$1" = -o ]; then echo weights >"$2"; fi
    shift
done
case $verb in
    "policy finetune") echo '{"best": 2e-6, "evaluations": 3, "chips": [0, 1, 1], "curve": [{"evaluations": 1, "value": 2e-6}], "drawn": []}' ;;
    compare*) echo '[{"judged_ps": 5, "bottleneck_ps": 4, "bound_ps": 3, "chips": 2, "seconds": 1, "evaluations": 7, "failed": 0, "curve": [[1, 5]]}]' ;;
esac
"""


class Runs(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = Path(self.scratch.name)
        self.sluice = self.folder / "sluice"
        self.sluice.write_text(FAKE_SLUICE, encoding="utf-8")
        self.sluice.chmod(0o755)

    def tearDown(self):
        self.scratch.cleanup()

    def run_of(self, **more):
        return run_mcm.Run("part", "zoo:chain", "chain", "mcm-36", "simulator", "rl", 0, 10, 0, **more)

    def execute(self, run):
        return run_mcm.execute(run, str(self.sluice), "zoo:chain", self.folder)

    def calls(self):
        return Path(f"{self.sluice}.calls").read_text(encoding="utf-8").splitlines()

    def test_a_policy_is_trained_once_for_all_runs(self):
        run = self.run_of(learn="--passes 1", train="--updates 1")
        for _ in range(2):
            self.assertEqual(self.execute(run)["judged_ps"], 2_000_000)
        self.assertEqual([call.split()[1] for call in self.calls()], ["train", "finetune", "finetune"])

    def test_a_failure_is_a_row_with_the_first_line_of_stderr(self):
        for broken, run in (("train", self.run_of(learn="--passes 1", train="--updates 1")), ("finetune", self.run_of(learn="--passes 1"))):
            Path(f"{self.sluice}.broken").write_text(broken, encoding="utf-8")
            row = self.execute(run)
            self.assertEqual(row["failed"], "error: no such corpus")
            self.assertIn("FAILED: error: no such corpus", run_mcm.told(row))
            json.dumps(row)
        self.assertFalse(list(self.folder.glob("*.policy")))

    def test_a_comparison_is_a_row(self):
        row = self.execute(self.run_of())
        self.assertEqual((row["judged_ps"], row["evaluations"], row["not_compiled"]), (5, 7, 0))
        self.assertNotIn("failed", row)

    def test_a_trained_policy_can_plan_without_learning_on(self):
        row = self.execute(self.run_of(train="--updates 0", plan="policy"))
        self.assertEqual(row["judged_ps"], 5)
        self.assertEqual([call.split()[:2] for call in self.calls()], [["policy", "train"], ["compare", "zoo:chain"]])
        self.assertIn("--methods policy", self.calls()[1])
        self.assertIn("--policy", self.calls()[1])

    def test_an_ablation_is_its_rows(self):
        (self.folder / "build").mkdir()
        (self.folder / "bench").mkdir()
        program = self.folder / "bench/bench_mcm"
        program.write_text("#!/bin/sh\necho '{\"asked\": \"'$*'\"}'\n", encoding="utf-8")
        program.chmod(0o755)
        row = run_mcm.execute(self.run_of(ablation="samplers"), str(self.folder / "build/sluice"), "zoo:chain", self.folder)
        self.assertEqual(row["rows"], [{"asked": "samplers zoo:chain mcm-36 0 10"}])


class Tables(unittest.TestCase):
    def test_draws_are_shares(self):
        row = {"ablation": "rules", "variant": "all four", "rows": "uniform", "drawn": 200, "none": 10, "legal": 100, "compiled": 50,
               "best_ps": 3_000_000, "seconds": 0.1}
        nothing = {**row, "variant": "none", "best_ps": None}
        line = {"part": "samplers", "instance": "samplers: A ring", "method": "samplers", "rows": [row, nothing]}
        text = "\n".join(run_mcm.samplers([line], {"name": "samplers"}))
        self.assertIn("| rules | all four | uniform | 200 | 5.0% | 50.0% | 25.0% | 3.0 us | 0.50 |", text)
        self.assertIn("| rules | none | uniform | 200 | 5.0% | 50.0% | 25.0% | – | 0.50 |", text)

    def test_a_head_start_is_counted_with_and_without_the_likeliest(self):
        def line(seed, curve, drawn):
            return {"seed": seed, "curve": curve, "drawn": drawn}
        methods = {"rl": [line(0, [[1, 100], [400, 90], [600, 10]], [[2, 300], [500, 200]]), line(1, [[1, 100], [450, 80]], [[2, 220]])],
                   "rl-pretrained": [line(0, [[1, 100], [7, 85]], [[3, 250], [9, 210]]), line(1, [[1, 86]], [])]}
        text = list(run_mcm.head_start(methods))
        self.assertIn("| rl-pretrained | with the likeliest | 0.0 us | 7, never |", text)
        self.assertIn("| rl-pretrained | draws alone | 0.0 us | 9, never |", text)
        del methods["rl"][0]["drawn"], methods["rl"][1]["drawn"]
        self.assertEqual(sum("draws alone" in row for row in run_mcm.head_start(methods)), 0)

    def test_the_best_known_is_of_all_parts(self):
        curves = [{"variant": "chip times", "curve": [[1, 400], [7, 250]]}, {"variant": "throughput alone", "curve": [[20, 500]]}]
        lines = [{"part": "residual", "instance": "residual: A ring", "method": "residual", "rows": curves},
                 {"part": "branchy", "instance": "branchy: A ring", "method": "auto", "judged_ps": 200},
                 {"part": "planner", "instance": "planner: A ring", "method": "auto", "judged_ps": 150},
                 {"part": "branchy", "instance": "branchy: another ring", "method": "auto", "judged_ps": 100}]
        text = "\n".join(run_mcm.told_or_not(lines, {"name": "residual", "alike": ["branchy"]}))
        self.assertIn("| chip times | 0.500 | 0.800 | 0.800 | 0.800 |", text)
        self.assertIn("| throughput alone | – | – | 0.400 | 0.400 |", text)


class Corpus(unittest.TestCase):
    def test_real_models_join_the_families_of_the_zoo(self):
        zoo, both = (json.loads((ROOT / name).read_text(encoding="utf-8")) for name in ("sluice/trainer/corpus.json", "bench/corpus.json"))
        self.assertEqual(both["graphs"][:len(zoo["graphs"])], zoo["graphs"])
        splits = {}
        for graph in both["graphs"]:
            splits.setdefault(graph["family"], set()).add(graph["split"])
        self.assertTrue(all(len(used) == 1 for used in splits.values()))
        self.assertGreaterEqual(sum("file" in graph for graph in both["graphs"]), 20)


if __name__ == "__main__":
    unittest.main()
