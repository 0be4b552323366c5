# sweep: a row for each number of stages, never worse with more of them; every plan with its certificate verifies.
run 0 sweep zoo:bert-base -p asic-16 -k 1..4,8 --evals 6
says out '^ *k  throughput '
for k in 1 2 3 4 8; do says out "^ *$k  "; done
says out '^best '
says err '^sweep 2/5 k=2 .*best '
lacks out '█'   # no chart but on a terminal

run 0 sweep zoo:bert-base -p asic-16 -k 1..6,24 --evals 6 --json -o plans
json '[row["k"] for row in d] == [1, 2, 3, 4, 5, 6, 24]'
json 'all(set(row) >= {"k", "throughput_per_s", "latency_ps", "devices", "peak_memory_bytes", "bottleneck_ps", "bound", "gap", "seconds"} for row in d)'
json 'all(a["bottleneck_ps"] >= b["bottleneck_ps"] for a, b in zip(d, d[1:]))'
json 'all(a["bound"]["value_ps"] >= b["bound"]["value_ps"] for a, b in zip(d, d[1:]))'
json 'all(row["bound"]["certified"] and row["devices"] <= row["k"] and row["bound"]["value_ps"] <= row["bottleneck_ps"] for row in d)'
says err 'wrote 7 plans with their certificates to plans'
cp out sweep.json
for k in 1 6 24; do
    run 0 verify zoo:bert-base plans/plan-k$k.json plans/plan-k$k.certificate.json --json
    json 'd["valid"] and d["certified"]'
    "$python" - $k <<'PY' || fail "plan-k$k.json and the table differ"
import json, sys
k = int(sys.argv[1])
plan, row = json.load(open(f"plans/plan-k{k}.json")), next(row for row in json.load(open("sweep.json")) if row["k"] == k)
assert plan["k"] == k and plan["predicted"]["bottleneck_ps"] == row["bottleneck_ps"] and plan["bound"]["value_ps"] == row["bound"]["value_ps"]
PY
done

# Same seed and --evals: the same at any --threads, seconds aside
for threads in 1 3; do
    run 0 sweep zoo:bert-base -p asic-16 -k 2..4 --evals 5 --threads $threads --json --quiet
    grep -v '"seconds"' out >sweep.$threads
done
cmp -s sweep.1 sweep.3 || fail "the sweep depends on --threads"

# Ranges and lists; without -k 1, 2, 4 and the platform's own devices; numbers that cannot be filled are one
run 0 sweep zoo:chain:layers=40 -p asic-16 -k 2..9*2,3..9+3,3 --evals 1 --json --quiet
json '[row["k"] for row in d] == [2, 3, 4, 6, 8, 9]'
run 0 sweep zoo:chain:layers=40 -p edge-chain-4 --evals 1 --json --quiet
json '[row["k"] for row in d] == [1, 2, 4]'
run 0 sweep zoo:chain:layers=2 -p asic-16 -k 1..64 --evals 1 --json
json 'len(d) < 20'
says err 'note: the model has .* to place'
for list in '' 0 x 1.. ..4 4..2 1..4*1 1..4+0 1,,2 1..4/2 -3 1..9223372036854775808 1..100000; do rejects 2 'error: ' sweep zoo:chain -k "$list"; done
says err 'more than 4096'
touch file
rejects 1 "a file has this name\|exists\|Not a directory" sweep zoo:chain -k 1..2 -o file

# What is impossible with few stages is a row that says why
run 0 sweep zoo:resnet50 -p mx3-4 -k 1,8 --evals 4 --json
json 'd[0]["error"] and d[0]["bottleneck_ps"] is None and d[1]["bottleneck_ps"] > 0'
run 3 sweep zoo:bert-large -p mx3-4 -k 1,2
says out '^1  *- '
says err 'error: '

# --time is that of the whole sweep; the first Ctrl-C keeps the rows so far
run 0 sweep zoo:bert-base -p asic-16 -k 2..9 --time 1 --json
json 'len(d) == 8 and sum(row["seconds"] for row in d) < 1.5'
cat >interrupt.py <<'PY'
import signal, subprocess, sys, time
process = subprocess.Popen(sys.argv[1:], stdout=open("out", "w"), stderr=open("err", "w"))
for _ in range(600):
    if "sweep 1/3 " in open("err").read(): break
    if process.poll() is not None: sys.exit(f"ended with {process.returncode}")
    time.sleep(0.02)
process.send_signal(signal.SIGINT)
sys.exit(process.wait(30))
PY
call="sweep, then SIGINT"
"$python" interrupt.py "$sluice" sweep zoo:mmt -p asic-16 -k 13..15 --evals 1000000000000 || fail "$call: $?"
says out '^13 '
lacks out '^15 '
says err '1 of 3 numbers of stages have a row'
