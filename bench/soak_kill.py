#!/usr/bin/env python3
"""Runs of a small model that are killed at random moments: does each end clearly, soon, and without leaving anything?

usage: soak_kill.py SLUICE [--kills N] [--inputs N] [--seed N] [--victims rank,mpirun,sluice,hang] [--markdown FILE]

Each run has the plan's stages as ranks and an output file, and one victim: a random rank (SIGKILL), mpirun, sluice itself, or a rank that is
stopped (SIGSTOP), which the watchdog must find. The moment is uniform over an undisturbed run. Checked every time:
- exit 1 within 5 s of the kill (a hang: of the watchdog's time), with the stage or the host process, the signal and the rank's state named;
- or, killed too late: exit 0 and the very bytes of the undisturbed run's outputs. Else no output file at all: nothing wrong, nothing reordered;
- no process, no file in /dev/shm, no file in TMPDIR or beside the output is left.
exit 1 and one line for each thing that is not so.
"""
import argparse
import glob
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

MARK = f"SLUICE_SOAK={os.getpid()}"
WATCHDOG = 2.0  # seconds
LIMIT = 5.0


def ours():
    """Processes that have the mark, with their environment."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/environ"):
        pid = int(path.split("/")[2])
        try:
            with open(path, "rb") as file:
                environment = dict(e.split("=", 1) for e in file.read().decode(errors="replace").split("\0") if "=" in e)
        except OSError:
            continue
        if f"SLUICE_SOAK={environment.get('SLUICE_SOAK')}" == MARK and pid != os.getpid():
            found[pid] = environment
    return found


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def victim_pid(kind, sluice):
    """None while there is none."""
    if kind == "sluice":
        return sluice
    found = ours()
    if kind == "mpirun":
        return next((p for p in found if name_of(p) in ("prterun", "mpirun")), None)
    ranks = [p for p, e in found.items() if "OMPI_COMM_WORLD_RANK" in e]
    return random.choice(ranks) if ranks else None


class Soak:
    def __init__(self, arguments, folder):
        self.sluice, self.inputs, self.folder = os.path.abspath(arguments.sluice), arguments.inputs, folder
        self.temporary = os.path.join(folder, "temporary files")
        os.mkdir(self.temporary)
        self.environment = {**os.environ, "TMPDIR": self.temporary, "SLUICE_SOAK": MARK.split("=")[1]}
        self.faults, self.rows = [], []

    def call(self, *words):
        return subprocess.Popen([self.sluice, *words], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def prepare(self):
        """A model of three stages, its plan, the outputs of an undisturbed run and how long that takes."""
        for words in (("zoo", "make", "chain:layers=12,width=256", "-o", "m.onnx", "--weights", "random"),
                      ("plan", "m.onnx", "-p", "asic-16:link=1TB/s", "-k", "3", "--evals", "4", "-o", "plan.json")):
            process = self.call(*words)
            _, err = process.communicate()
            if process.returncode:
                sys.exit(f"{' '.join(words)}: exit {process.returncode}\n{err}")
        self.length = float("inf")  # the shortest of three: a kill should seldom come too late
        for _ in range(3):
            start = time.monotonic()
            process = self.start("good.npz")
            out, err = process.communicate()
            self.length = min(self.length, time.monotonic() - start)
            if process.returncode or err:
                sys.exit(f"the undisturbed run: exit {process.returncode}\n{out}{err}")
        with open(os.path.join(self.folder, "good.npz"), "rb") as file:
            self.good = file.read()
        self.files = set(os.listdir(self.folder))
        self.check_left("the undisturbed run")

    def start(self, output):
        return self.call("run", "m.onnx", "plan.json", "--inputs", str(self.inputs), "--watchdog", f"{WATCHDOG}s", "-o", output, "--quiet")

    def fault(self, text):
        self.faults.append(text)
        print(f"FAULT: {text}", flush=True)

    def check_left(self, what):
        for _ in range(100):  # a kill of sluice itself: its guard clears up, which we do not wait for otherwise
            processes, files = ours(), os.listdir(self.temporary)
            others = set(os.listdir(self.folder)) - self.files - {"y.npz"}
            if not (processes or files or others):
                break
            time.sleep(0.05)
        # Somebody else's run may have made these: those that are still there at the very end are ours.
        self.suspects |= self.shared_files() - self.shared
        if processes:
            self.fault(f"{what}: processes left: {[(p, name_of(p)) for p in processes]}")
            for pid in processes:
                os.kill(pid, signal.SIGKILL)
        for name, left in (("TMPDIR", files), ("the output's folder", others)):
            if left:
                self.fault(f"{what}: left in {name}: {sorted(left)}")

    @staticmethod
    def shared_files():
        return {f for f in os.listdir("/dev/shm") if re.match(r"\.?sluice-(run|stages|output)-\d+-|sm_segment", f)}

    def once(self, number, kind):
        moment = random.uniform(0, self.length)
        process = self.start("y.npz")
        start = time.monotonic()
        time.sleep(moment)
        pid = victim_pid(kind, process.pid)
        while pid is None and process.poll() is None:
            time.sleep(0.005)
            pid = victim_pid(kind, process.pid)
        killed = time.monotonic()
        if pid is not None and process.poll() is None:
            try:
                os.kill(pid, signal.SIGSTOP if kind == "hang" else signal.SIGKILL)
            except ProcessLookupError:
                pass
        what = f"run {number}, {kind} killed {killed - start:.2f} s after the start"
        try:
            _, err = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return self.fault(f"{what}: still there 60 s later")
        took = time.monotonic() - killed
        code, path = process.returncode, os.path.join(self.folder, "y.npz")
        allowed = LIMIT + (WATCHDOG + 1.5 if kind == "hang" else 0)  # the watchdog's margin is a second for such a short time
        if took > allowed and code != 0:
            self.fault(f"{what}: {took:.2f} s until the end")
        if code == 0:
            with open(path, "rb") as file:
                if file.read() != self.good:
                    self.fault(f"{what}: exit 0 and outputs that are not the undisturbed run's")
            os.remove(path)
        else:
            if os.path.exists(path):  # sluice killed between the file's renaming and its own end: then it is whole
                with open(path, "rb") as file:
                    if kind != "sluice" or file.read() != self.good:
                        self.fault(f"{what}: exit {code} and an output file")
                os.remove(path)
            if code != (-signal.SIGKILL if kind == "sluice" else 1):
                self.fault(f"{what}: exit {code}")
            if kind != "sluice" and not re.search(r"(stage \d|the host process|one of the ranks was|at its end|mpirun was ended by signal 9)", err):
                self.fault(f"{what}: who failed is not said: {err!r}")
            if kind == "rank" and not re.search(r"signal 9|is gone", err):
                self.fault(f"{what}: the signal is not said: {err!r}")
            if kind == "rank" and not re.search(r"at input \d|before its first input|before (it was|all were) ready|is done with", err):
                self.fault(f"{what}: the input is not said: {err!r}")
            if kind == "hang" and not re.search(r"hang|nothing for|waited", err):
                self.fault(f"{what}: no hang is said: {err!r}")
        self.check_left(what)
        self.rows.append((kind, code, took))
        print(f"{what}: exit {code} after {took:.2f} s{': ' + err.splitlines()[0] if err else ''}", flush=True)

    def run(self, kills, victims):
        self.shared, self.suspects = self.shared_files(), set()
        self.files = set(os.listdir(self.folder)) | {"m.onnx", "m.bin", "weights.bin", "plan.json", "plan.certificate.json", "good.npz"}
        self.prepare()
        print(f"an undisturbed run of {self.inputs} inputs: {self.length:.2f} s", flush=True)
        for number in range(kills):
            self.once(number, victims[number % len(victims)])
        for _ in range(600):
            left = self.suspects & self.shared_files()
            if not left:
                return
            time.sleep(0.1)
        self.fault(f"left in /dev/shm: {sorted(left)}")


def table(soak, arguments):
    lines = [f"{arguments.kills} runs of {arguments.inputs} inputs (chain:layers=12,width=256, 3 stages; undisturbed {soak.length:.2f} s), one kill each at a",
             f"random moment, seed {arguments.seed}; {os.cpu_count()} processors, {platform.system()} {platform.release()}.", "",
             "| killed | runs | ended with an error | killed too late, outputs complete | slowest end s | median s |", "| --- | --- | --- | --- | --- | --- |"]
    for kind in dict.fromkeys(k for k, _, _ in soak.rows):
        rows = [(c, t) for k, c, t in soak.rows if k == kind]
        times = sorted(t for c, t in rows if c) or [0]
        lines.append(f"| {kind} | {len(rows)} | {sum(c != 0 for c, _ in rows)} | {sum(c == 0 for c, _ in rows)} | {times[-1]:.2f} | {times[len(times) // 2]:.2f} |")
    lines += ["", f"Faults: {len(soak.faults)} (a late end, a wrong or reordered output, a process, shared-memory file or temporary file left, an unclear message).", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sluice")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--victims", default="rank,rank,rank,rank,rank,rank,rank,mpirun,sluice,hang")
    parser.add_argument("--markdown")
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    folder = tempfile.mkdtemp(prefix="soak kill ")
    try:
        soak = Soak(arguments, folder)
        soak.run(arguments.kills, arguments.victims.split(","))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = table(soak, arguments)
    print("\n" + text)
    if arguments.markdown and not soak.faults:
        with open(arguments.markdown, "w") as file:
            file.write("# Killed runs\n\n`./dev bench kills`: " + text)
    sys.exit(1 if soak.faults else 0)


main()
