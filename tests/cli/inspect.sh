# inspect: what a person wants to know of a model, as text and JSON, and the graph as a file that reads back.
run 0 inspect zoo:bert-base
for word in operators matrix elementwise parameters activations 'longest path' 'widest level' 'heaviest operators' 'largest tensors' 'made by'; do says out "$word"; done
says err '^next: '
run 0 inspect zoo:bert-base --json
json 'set(d) >= {"model", "format", "fingerprint", "operators", "edges", "flops", "parameter_bytes", "activation_bytes", "longest_path", "widest_level", "classes", "heaviest_operators", "heaviest_tensors", "import", "assumptions", "warnings"}'
json '8e7 * 4 < d["parameter_bytes"] < 1.2e8 * 4'      # BERT-base has 110 M parameters
json '1.5e10 < d["flops"] < 3e10'                       # and about 22 GFLOP at 128 tokens
json 'sum(c["operators"] for c in d["classes"]) == d["operators"]'
run 0 inspect zoo:bert-base -p asic-16
says out 'heaviest operators by time'
run 0 inspect zoo:bert-base -p asic-16 --json
json 'd["heaviest_operators"][0]["time_ps"] > 0'
run 0 inspect zoo:bert-base -o graph.json --json; mv out first
run 0 inspect graph.json --json
"$python" - <<'PY' || fail "the graph file reads back as another graph"
import json
a, b = json.load(open("first")), json.load(open("out"))
assert b["format"] == "sluice.graph/1"
for key in ("fingerprint", "operators", "edges", "parameter_bytes", "longest_path"): assert a[key] == b[key], key
PY
