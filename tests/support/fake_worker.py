#!/usr/bin/env python3
"""Stands in for sluice-worker where the launcher is tested: speaks sluice/runtime/messages.hpp, computes nothing.

usage: fake_worker.py run JOB          as a rank under mpirun

$FAKE: what goes wrong, "RANK MODE SECONDS": after so long that rank does MODE.
  kill SIGNAL-NUMBER-as-mode "kill9", "kill11"; "stop" (SIGSTOP); "exit3"; "failed"; "mute" (lives, says nothing); "never_ready"; "patience"
  (another rank, the next, says that it waited too long); "no_end" (finished, but stays); "lost" (ends without Finished)
$FAKE_SECONDS: how long the run takes (default 0.5). $FAKE_NOISE: lines of garbage on stdout and stderr.
"""
import json, os, select, signal, sys, time

rank, size = int(os.environ["OMPI_COMM_WORLD_RANK"]), int(os.environ["OMPI_COMM_WORLD_SIZE"])
if sys.argv[1:2] != ["run"] or not os.path.isfile(sys.argv[2]):
    sys.exit(f"not a job: {sys.argv[1:]}")
who, mode, when = (os.environ.get("FAKE", "-1 none 0") + " ").split()[:3]
who, when, length = int(who), float(when), float(os.environ.get("FAKE_SECONDS", "0.5"))
start = time.monotonic()


def say(kind, **fields):
    os.write(1, (json.dumps({"sluice": kind, **fields}, separators=(",", ":")) + "\n").encode())


def failed(message, at):
    say("failed", rank=rank, input=at, kind="internal", message=message, file="", line=0, column=0, notes=[], help="")
    os._exit(1)


def ready():
    say("ready", rank=rank, host=os.uname().nodename, process=os.getpid(), seconds=0.1, library="fake 1.0", alone_ms=[1.0], alone_cpu_ms=[1.0])


for i in range(int(os.environ.get("FAKE_NOISE", "0"))):
    os.write(1, b'{"sluice":"status","rank":"x"}\n{"rank":%d, broken\n\xff\xfe no text\n' % rank)
    os.write(2, b"library of rank %d prints line %d\n" % (rank, i))
mine = who == rank
if not (mine and mode == "never_ready"): ready()
done, drained, silent = 0, False, mine and mode == "never_ready"
stdin_open = rank == 0
while time.monotonic() - start < length and not drained or silent:
    time.sleep(0.05)
    if stdin_open and select.select([0], [], [], 0)[0]:
        text = os.read(0, 100)
        stdin_open = bool(text)
        drained = drained or b"stop" in text
    if mine and time.monotonic() - start >= when:
        if mode.startswith("kill"):
            os.write(2, b"about to go\n")
            time.sleep(0.05)
            os.kill(os.getpid(), int(mode[4:]))
            time.sleep(1)
        elif mode == "stop": os.kill(os.getpid(), signal.SIGSTOP)
        elif mode.startswith("exit"): os._exit(int(mode[4:]))
        elif mode == "failed": failed("the kernel refused", done)
        elif mode == "mute": silent = True
        elif mode == "lost": os._exit(0)
    if mode == "patience" and (who + 1) % size == rank and time.monotonic() - start >= when: failed("waited 2 s to receive 'x'", done)
    if mode == "patience" and mine: silent = True
    if silent: continue
    done += 1
    say("status", rank=rank, input=done, state="forward", done=done, seconds=time.monotonic() - start, busy=0.1, busy_cpu=0.1)
    if rank == 0: say("delivered", inputs=done, seconds=time.monotonic() - start)
say("finished", rank=rank, inputs=done, seconds=1.0, steady_per_s=10.0, latency_min_ms=1.0, latency_mean_ms=2.0, latency_max_ms=3.0,
    forward_min_ms=1.0, forward_mean_ms=1.0, forward_median_ms=1.0, forward_cpu_ms=1.0, waited_receive=0.0, waited_send=0.0)
if mine and mode == "no_end": time.sleep(60)
