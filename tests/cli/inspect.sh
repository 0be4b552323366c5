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
# a graph with times of its own is shown with them, no platform asked for
cat >timed.txt <<'TXT'
node1 -- Embedding(10) -- forward_compute_time=1.000, backward_compute_time=2.000, activation_size=8.0, parameter_size=4.000
node2 -- Linear(10) -- forward_compute_time=3.000, backward_compute_time=2.000, activation_size=8.0, parameter_size=4.000
	node1 -- node2
TXT
run 0 inspect timed.txt
says out 'heaviest operators by time'
says out '^time  *4.000 ms on one device'
run 0 inspect timed.txt --json
json 'd["heaviest_operators"][0]["time_ps"] == 3 * 10**9'
# each fact of the import once: --json holds them as members of one object
cat >sizes.py <<'PY'
import onnx
from onnx import TensorProto, helper
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["a", "b"])
graph = helper.make_graph([helper.make_node("Foo", ["x"], ["m"], domain="acme"), helper.make_node("Bar", ["m"], ["y"], domain="acme")], "g", [value("x")], [value("m"), value("y")])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("acme", 1)]), "sizes.onnx")
PY
"$python" sizes.py
run 0 inspect sizes.onnx --dim a=2 --assume-size 3
[ "$(grep -c '^shapes .*assumed' out)" -le 1 ] || fail "assumed sizes are counted twice"
run 0 inspect sizes.onnx --dim a=2 --assume-size 3 --json
json '"a = 2" in d["import"]["dimensions"] and "b = 3" in d["import"]["dimensions"]'
json '"Foo" in d["import"]["no cost rule"] and "Bar" in d["import"]["no cost rule"]'
# chips of a module that a plan can use: one attention mask holds the layers of a BERT on two of them, clones of it free them
run 0 inspect zoo:bert-large -p mcm-36
says out "^usable chips  *14 of 36, worth 2.1 by work: 'mask' is read by 24 operators"
says out '^with clones  *36 of 36, worth 36.0 by work; '
run 0 inspect zoo:bert-large -p mcm-36 --json
json 'd["chips"]["count"] == 36 and d["chips"]["before"]["usable"] == 14 and d["chips"]["after"]["usable"] == 36'
json 'd["chips"]["before"]["worth"] < 2.2 and d["chips"]["after"]["worth"] > 35.9'
json 'd["chips"]["before"]["blocking"]["tensor"] == "mask" and d["chips"]["after"]["blocking"] is None and d["chips"]["clones"] > 0'
json '0 < d["chips"]["clone_work_ps"] < 1e-3 * sum(c["time_ps"] for c in d["classes"])'
run 0 inspect zoo:unet -p mcm-36 --json
json 'd["chips"]["before"]["usable"] == d["chips"]["after"]["usable"] < 36 and d["chips"]["after"]["blocking"]["relay_ps"] > 0'
run 0 inspect zoo:unet -p mcm-36
says out '^to free it  *relayed'
run 0 inspect zoo:bert-base -p asic-16 --json
json '"chips" not in d'
