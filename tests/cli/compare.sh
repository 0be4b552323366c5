# compare: a row for each planner, the best certified bound below; what fails has a row that says why.
run 0 compare zoo:bert-base -p asic-16 -k 6 --methods model-order,heavy-cone,random --evals 10
says out '^method '
for method in model-order heavy-cone random; do says out "^$method .* 10 evaluations\|^$method "; done
says out '^best '
says out '^bound .*certified'
says out '^gap '
lacks out '^bound  *value'
says err '^compare 2/3 heavy-cone .*best '
says err '^next: sluice plan zoo:bert-base -p asic-16 -k 6 --method '

run 0 compare zoo:bert-base -p asic-16 -k 6 --methods random,model-order,random --evals 10 --json --quiet
silent err
json '[row["method"] for row in d] == ["random", "model-order"]'   # in the order given, each once
json 'all(set(row) >= {"method", "bottleneck_ps", "iteration_ps", "ratio_to_best", "seconds", "evaluations", "latency_ps", "gap"} for row in d)'
json 'min(row["ratio_to_best"] for row in d) == 1 and all(row["iteration_ps"] is None and row["error"] is None for row in d)'
json 'd[0]["evaluations"] == 10 and d[1]["evaluations"] == 1'
json 'all(0 <= row["gap"] < 1 for row in d)'
cp out first
run 0 compare zoo:bert-base -p asic-16 -k 6 --methods random,model-order --evals 10 --json --quiet --threads 1
"$python" - <<'PY' || fail "compare depends on --threads"
import json
a, b = (json.load(open(name)) for name in ("first", "out"))
for row in a + b: del row["seconds"]
assert a == b
PY

# --bounds: a second table, and an object of two lists
run 0 compare zoo:chain -p asic-16 -k 3 --methods model-order --bounds combinatorial,cut
says out '^bound  *value'
says out '^combinatorial .* yes '
says out '^cut .* yes '
run 0 compare zoo:chain -p asic-16 -k 3 --methods model-order --bounds cut,combinatorial --json --quiet
json 'set(d) == {"methods", "bounds"} and [row["bound"] for row in d["bounds"]] == ["cut", "combinatorial"]'
json 'all(row["certified"] and row["certificate_bytes"] > 0 and 0 < row["ratio_to_best_plan"] <= 1 for row in d["bounds"])'

# By default: what the registry has
run 0 compare zoo:chain:layers=4 -p asic-16 -k 3 --evals 8 --json --quiet
json '{"auto", "random", "heavy-cone"} <= {row["method"] for row in d}'

# Bad words, before any work
rejects 2 "did you mean 'heavy-cone'" compare zoo:chain --methods auto,heavy-cne
rejects 2 "unknown method ''" compare zoo:chain --methods auto,
rejects 2 "it is one of: auto, .*cut" compare zoo:chain --bounds nothing
rejects 2 "did you mean 'cut'" compare zoo:chain --bounds cutt
rejects 1 'nothing.onnx' compare nothing.onnx
rejects 2 "has no flag '--method'" compare zoo:chain --method auto

# Nothing to be found: rows that say why, the code of the reason
run 3 compare zoo:bert-large -p mx3-4 -k 4 --methods auto,model-order
says out '^auto  *- .*'
says err 'error: '
run 3 compare zoo:bert-large -p mx3-4 -k 4 --methods auto --json
json 'd[0]["bottleneck_ps"] is None and isinstance(d[0]["error"], str)'

# The first Ctrl-C keeps the rows so far
cat >interrupt.py <<'PY'
import signal, subprocess, sys, time
process = subprocess.Popen(sys.argv[1:], stdout=open("out", "w"), stderr=open("err", "w"))
for _ in range(600):
    if "2/3 random" in open("err").read(): break
    if process.poll() is not None: sys.exit(f"ended with {process.returncode}")
    time.sleep(0.02)
process.send_signal(signal.SIGINT)
sys.exit(process.wait(30))
PY
call="compare, then SIGINT"
"$python" interrupt.py "$sluice" compare zoo:bert-base -p asic-16 -k 7 --methods model-order,random,auto --evals 1000000000000 || fail "$call: $?"
says out '^model-order '
says out '^random .*interrupted'
lacks out '^auto '
says out '^bound .*certified'
says err '2 of 3 methods have a row'
