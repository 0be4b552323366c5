# plan --from: never worse than the plan it starts from; after an edit the old plan is carried over and the result is valid.
run 0 plan zoo:bert-base -p asic-16 -k 6 --evals 60 --seed 3 -o old.json --quiet
old=$("$python" -c 'import json; print(json.load(open("old.json"))["predicted"]["bottleneck_ps"])')

# Platform, stages and sizes are the plan's where nothing else is said
run 0 plan zoo:bert-base --from old.json --method model-order -o new.json --json
says err 'note: from old.json: .* matched, 0 moved, 0 new, 0 gone; 6 stages, '
json "d[\"predicted\"][\"bottleneck_ps\"] <= $old and d[\"k\"] == 6 and d[\"platform\"][\"name\"] == json.load(open('old.json'))['platform']['name']"
json 'len(d["options"]["from"]) == 32 and d["options"]["winner"] == "start"'
run 0 verify zoo:bert-base new.json new.certificate.json

# Fewer stages: joined. More: no worse.
run 0 plan zoo:bert-base --from old.json -k 3 --method model-order --json
says err '3 stages, '
json 'len(d["stages"]) <= 3 and d["k"] == 3'
run 0 plan zoo:bert-base --from old.json -k 9 --method model-order --json
json "d[\"predicted\"][\"bottleneck_ps\"] <= $old and d[\"k\"] == 9"

# Replicas and objective are the plan's too
run 0 plan zoo:chain -p asic-16 -k 6 --replicas 3 --evals 6 -o replicas.json --quiet
run 0 plan zoo:chain --from replicas.json --method model-order --json
json 'd["predicted"]["bottleneck_ps"] <= json.load(open("replicas.json"))["predicted"]["bottleneck_ps"]'
says err ' 0 moved, 0 new, 0 gone; '
run 0 plan zoo:chain -p asic-16 -k 3 --objective latency --evals 6 -o latency.json --quiet
run 0 plan zoo:chain --from latency.json --evals 6 --json
json 'd["objective"] == "latency" and d["predicted"]["latency_ps"] <= json.load(open("latency.json"))["predicted"]["latency_ps"]'

# The model edited: an operator inserted, one renamed, one gone
run 0 inspect zoo:chain:layers=12 -o graph.json
run 0 plan graph.json -p asic-16 -k 4 --evals 8 -o chain.json --quiet
"$python" - <<'PY'
import json
d = json.load(open("graph.json"))
ops = d["operators"]
victim = ops[len(ops) // 2]
ops.remove(victim)
gone, kept = victim["outputs"], victim["inputs"][0]
for op in ops: op["inputs"] = [kept if name in gone else name for name in op["inputs"]]
d["tensors"] = [t for t in d["tensors"] if t["name"] not in gone]
json.dump(d, open("edited.json", "w"))
PY
run 0 plan edited.json --from chain.json --evals 8 -o edited.plan.json
says err 'note: from chain.json: .* matched, .* 1 gone; '
run 0 verify edited.json edited.plan.json edited.plan.certificate.json

# What cannot be used: said, and planning goes on without it
run 0 plan zoo:resnet50 -p asic-16 -k 4 --from old.json --evals 2 --json
says err 'warning: nothing of old.json is in this model'
json '"from" not in d["options"]'
run 0 plan zoo:resnet50 -p asic-16 -k 1 --evals 1 -o one.json --quiet
run 0 plan zoo:resnet50 -p mx3-4 -k 8 --from one.json --evals 4
says err 'warning: one.json does not hold here'

# Not a plan
rejects 1 'missing.json' plan zoo:chain --from missing.json
rejects 1 'sluice.plan.1. file is needed' plan zoo:chain --from graph.json
echo '{' >broken.json
rejects 1 'broken.json:' plan zoo:chain --from broken.json
