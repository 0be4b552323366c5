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
    "policy finetune") echo '{"best": 2e-6, "evaluations": 3, "chips": [0, 1, 1], "curve": [{"evaluations": 1, "value": 2e-6}]}' ;;
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


if __name__ == "__main__":
    unittest.main()
