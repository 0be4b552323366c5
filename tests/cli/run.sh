# run: real processes under mpirun, outputs in order and equal to the unsplit model's, numbers that scripts rely on, diagnostics before
# anything starts.
[ -x "$(dirname "$sluice")/sluice-worker" ] || { echo "SKIPPED: sluice was built without its worker"; exit 77; }
mkdir temporary
TMPDIR=$PWD/temporary
export TMPDIR
nothing_left() {
    [ -z "$(ls -A temporary)" ] || fail "left in TMPDIR: $(ls -A temporary)"
    [ -z "$(ls -d .sluice-* 2>/dev/null)" ] || fail "left beside the output: $(ls -d .sluice-*)"
}

run 0 zoo make chain:layers=9,width=64 -o "my model.onnx" --weights random
run 0 plan "my model.onnx" -p asic-16:link=1TB/s -k 3 --evals 4 -o plan.json
json_stages=$("$python" -c 'import json; print(len(json.load(open("plan.json"))["stages"]))')
[ "$json_stages" -eq 3 ] || fail "the plan has $json_stages stages, not 3"

# The table, and equality with the unsplit model; stderr is empty under --quiet.
run 0 run "my model.onnx" plan.json --inputs 40 --check --quiet
silent err
says out '^    0 '
says out '^    2 '
says out 'over 40 inputs'
says out '^check .*equal to the unsplit model: 2,560 values of 40 inputs'
says out '^efficiency'
nothing_left

# Keys for scripts; level 0 is bit-equal; synchronous sends do not hang.
run 0 run "my model.onnx" plan.json --inputs 20 --check --level 0 --synchronous-sends --json --quiet
json 'd["throughput_per_s"] > 0 and isinstance(d["latency_ps"], int) and d["predicted_throughput_per_s"] > 0 and isinstance(d["error"], float)'
json 'd["inputs"] == 20 and d["ranks"] == 4 and len(d["stages"]) == 3 and isinstance(d["measured"], bool)'
json 'abs(d["error"] - (d["throughput_per_s"] / d["predicted_throughput_per_s"] - 1)) < 1e-6'
json 'd["check"]["holds"] and d["check"]["values"] == d["check"]["bitwise"] == 20 * 64'

# What a user would run instead, in the same run, with an honest sentence.
run 0 run "my model.onnx" plan.json --inputs 30 --against single,replicas --json
json 'set(d["against"]) == {"single", "replicas"} and all(r["throughput_per_s"] > 0 for r in d["against"].values())'
run 0 run "my model.onnx" plan.json --inputs 30 --against replicas
says out '^The pipeline \(loses\|wins\) here: '

# Inputs from a file, outputs to a file, in order: the model is run on each input alone and gives the same.
"$python" - <<'PY' || fail "numpy is not there"
import numpy as np
rng = np.random.default_rng(0)
x = rng.standard_normal((12, 1, 64), dtype=np.float32)
np.savez("x.npz", x=x)
np.savez("one.npz", x=x[5])
np.savez("double.npz", x=x.astype(np.float64))
np.savez("narrow.npz", x=x[:, :, :63])
np.savez("misnamed.npz", y=x)
PY
run 0 run "my model.onnx" plan.json --input x.npz -o y.npz --quiet
silent err
run 0 run "my model.onnx" plan.json --input one.npz -o y1.npz
says err 'wrote the outputs of 1 inputs to y1.npz'
"$python" - <<'PY' || fail "outputs are not in input order"
import numpy as np
y, y1 = np.load("y.npz"), np.load("y1.npz")
(name,) = y.files
assert y[name].shape == (12, 1, 64), y[name].shape
assert np.array_equal(y[name][5], y1[name].reshape(1, 64))
assert len({row.tobytes() for row in y[name]}) == 12
PY
run 0 run "my model.onnx" plan.json --duration 1s --json
json 'd["seconds"] >= 0.9 and d["inputs"] > 0'
nothing_left

# Before anything starts: what is wrong, in the file's and the model's words.
run 1 run "my model.onnx" plan.json --input double.npz
says err 'float64'
run 1 run "my model.onnx" plan.json --input narrow.npz
says err '63'
run 1 run "my model.onnx" plan.json --input misnamed.npz
says err "'y'"
run 1 run "my model.onnx" plan.json --input nowhere.npz
says err 'nowhere.npz'
run 1 run "my model.onnx" plan.json --input x.npz --inputs 13
says err 'asks for 13.*holds 12'
run 1 run zoo:chain:layers=8,width=64 plan.json
says err 'another model'
run 0 zoo make chain:layers=9,width=64 -o bare.onnx
run 0 plan bare.onnx -p asic-16:link=1TB/s -k 3 --evals 4 -o bare.json
run 1 run bare.onnx bare.json
says err 'weights'
says err '\-\-weights random'
run 0 run bare.onnx bare.json --weights random --inputs 3
run 1 run "my model.onnx" plan.json -o nowhere/y.npz
says err 'nowhere'
run 1 run "my model.onnx" plan.json --hostfile nowhere
says err 'nowhere'
run 2 run "my model.onnx" plan.json --inputs 3 --duration 3s
run 2 run "my model.onnx" plan.json --duration 0
says err '\-\-duration needs a time above 0'
run 2 run "my model.onnx" plan.json --watchdog 0s
says err '\-\-watchdog needs a time above 0'
run 2 run "my model.onnx" plan.json --against singel
says err "'single'"
call="no mpirun"
PATH=/nowhere "$sluice" run "my model.onnx" plan.json >out 2>err && fail "it ran"
says err 'mpirun'
call="no worker"
SLUICE_WORKER=/nowhere/worker "$sluice" run "my model.onnx" plan.json >out 2>err && fail "it ran"
says err '/nowhere/worker'
nothing_left

# Ctrl-C once: what is under way is delivered, exit 0. Twice: exit 130 at once, and nothing is left a moment later.
cat >interrupt.py <<'PY'
import os, signal, subprocess, sys, time
process = subprocess.Popen([sys.argv[1], "run", "my model.onnx", "plan.json", "--duration", "60s", "-o", "drained.npz", "--json"],
                           stdout=subprocess.PIPE, stderr=open("err", "w"))
time.sleep(float(sys.argv[2]))
process.send_signal(signal.SIGINT)
if sys.argv[3:]:
    time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
out, _ = process.communicate(timeout=30)
open("out", "wb").write(out)
sys.exit(process.returncode % 256)
PY
call="run, then Ctrl-C"
"$python" interrupt.py "$sluice" 3 || fail "exit code $?"
says err 'inputs were run to their end'
"$python" - <<'PY' || fail "what was drained is not whole"
import json, numpy as np
y = np.load("drained.npz")
assert y[y.files[0]].shape[0] == json.load(open("out"))["inputs"] > 0
PY
nothing_left

# Ctrl-C while outputs are compared: what was run is kept and reported, and nobody takes it for checked.
cat >compared.py <<'PY'
import signal, subprocess, sys
process = subprocess.Popen([sys.argv[1], "run", "my model.onnx", "plan.json", "--inputs", "20", "-o", "kept.npz", "--check"],
                           stdout=open("out", "wb"), stderr=subprocess.PIPE, text=True)
log = ""
for line in process.stderr:
    log += line
    if "wrote the outputs" in line:
        process.send_signal(signal.SIGINT)
open("err", "w").write(log)
sys.exit(process.wait() % 256)
PY
call="run --check, then Ctrl-C"
code=0
"$python" compared.py "$sluice" || code=$?
[ "$code" -eq 130 ] || fail "exit code $code"
says out 'over 20 inputs'
lacks out '^check'
says err 'error: .*\(interrupted\|stopped\)'
[ -s kept.npz ] || fail "the outputs are gone"
nothing_left

# Threads are those that the costs were measured with.
"$python" - <<'PY'
import json
costs = {"format": "sluice.costs/1", "machine": {"threads": "2", "optimisation": "1"}, "entries": [{"type": "Gemm", "time_ps": 1000000}]}
json.dump(costs, open("costs.json", "w"))
PY
run 0 plan "my model.onnx" -p asic-16 -k 2 --evals 4 --costs costs.json -o measured.json
run 0 run "my model.onnx" measured.json --inputs 3 --json
json 'd["threads"] == 2'
run 0 run "my model.onnx" measured.json --inputs 3 --threads 1 --json
json 'd["threads"] == 1'
says err 'measured with --threads 2, this run has --threads 1'

call="run, then two signals"
code=0
rm drained.npz
"$python" interrupt.py "$sluice" 2 again || code=$?
[ "$code" -eq 130 ] || fail "exit code $code"
[ ! -e drained.npz ] || fail "an output file after the second signal"
for _ in 1 2 3 4 5 6 7 8 9 10; do [ -n "$(ls -A temporary)" ] || break; sleep 0.5; done
nothing_left

# On a terminal one line says how far it is and how busy the stages are; it is gone at the end.
cat >terminal.py <<'PY'
import os, pty, subprocess, sys
parent, child = pty.openpty()
process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=open("out", "wb"), stderr=child, env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"})
os.close(child)
screen = b""
while True:
    try: piece = os.read(parent, 65536)
    except OSError: break
    if not piece: break
    screen += piece
open("err", "wb").write(screen)
sys.exit(process.wait())
PY
call="run on a terminal"
"$python" terminal.py "$sluice" run "my model.onnx" plan.json --duration 2.5s || fail "$call"
says err 'run [0-9.]*s  [0-9]* of 4 ranks ready'
says err 'run [0-9.]*s  [0-9]* inputs  .*/s  busy [0-9]*% [0-9]*% [0-9]*%'
lacks out "$(printf '\033')"
