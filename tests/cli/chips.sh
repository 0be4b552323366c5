# Plans for a ring of chips: rewritten, legal, judged, verified, simulated, exported; the same again, worse judges, other rewrites.
run 0 plan zoo:bert-base:vocab=1000 -p mcm-36 --time 20 -o plan.json
says out 'on mcm-36: '
says out '^judge .*simulator: .* inferences/s'
says out '^rewrites .*clone'
says out '^gap '
says err 'wrote the plan to plan.json and its certificate to plan.certificate.json'
says err '^next: sluice verify zoo:bert-base:vocab=1000 plan.json plan.certificate.json'
lacks err 'chip rules'
run 0 verify zoo:bert-base:vocab=1000 plan.json plan.certificate.json
says out 'certificate checked'
run 0 simulate zoo:bert-base:vocab=1000 plan.json --trace trace.json
says out '^chip  *operators'
says out '^throughput .* inferences/s'
[ -s trace.json ] || fail "no trace"
run 0 simulate zoo:bert-base:vocab=1000 plan.json --json
json '0 < d["throughput_per_s"] <= d["predicted_throughput_per_s"] and d["latency_ps"] > 0 and -1 < d["error"] <= 0'
cp out simulated
"$python" - <<'PY' || fail "what the plan says is not what is simulated"
import json
plan, simulated = json.load(open("plan.json")), json.load(open("simulated"))
assert plan["judged"]["judge"] == "simulator" and plan["judged"]["period_ps"] == simulated["period_ps"]
assert plan["judged"]["period_ps"] >= plan["predicted"]["bottleneck_ps"] >= plan["bound"]["value_ps"]
certificate = json.load(open("plan.certificate.json"))
assert plan["bound"]["certified"] and plan["rewrites"]
assert certificate["bound"]["kind"] == "combinatorial" or certificate["transfers"] is False
PY
run 0 export zoo:bert-base:vocab=1000 plan.json -o stages
[ "$(ls stages/*.onnx | wc -l)" -ge 20 ] || fail "few stages"
rejects 2 'first in, first out' simulate zoo:bert-base:vocab=1000 plan.json --sharing fair

# What is changed is found out
"$python" - <<'PY'
import json
plan = json.load(open("plan.json"))
plan["judged"]["period_ps"] += 1
plan["judged"]["throughput_per_s"] = 1e12 / plan["judged"]["period_ps"]
json.dump(plan, open("slower.json", "w"))
PY
run 5 verify zoo:bert-base:vocab=1000 slower.json
says err 'simulated it is every'

# Without rewrites one mask holds the model on few chips
run 0 plan zoo:bert-base:vocab=1000 -p mcm-36:memory=1GiB --rewrites none --evals 5 --json --quiet -o few.json
json 'len(d["stages"]) <= 5 and d["rewrites"] == [] and d["options"]["rewrites"] == "none"'
# and the triangle rule proves that no more can be had; of plans without rewrites, on chips
json 'd["bound"]["kind"] == "triangle" and d["bound"]["certified"] and d["bound"]["value_ps"] > 0.9 * d["predicted"]["bottleneck_ps"]'
run 0 verify zoo:bert-base:vocab=1000 few.json few.certificate.json
says out 'triangle, certificate checked'
"$python" - <<'PY'
import json
plan, certificate = json.load(open("plan.json")), json.load(open("few.certificate.json"))
plan["bound"] = plan["gap"] = None
json.dump(plan, open("rewritten.json", "w"))
certificate["bound"]["value_ps"] = 1
json.dump(certificate, open("low.certificate.json", "w"))
PY
run 5 verify zoo:bert-base:vocab=1000 rewritten.json low.certificate.json
says err "a bound of kind 'triangle' holds for plans on a ring of chips without rewrites alone"
run 0 plan zoo:bert-base:vocab=1000 -p mcm-36:memory=1GiB --rewrites clone --evals 5 --json --quiet
json 'len(d["stages"]) > 20 and all(r["kind"] != "relay" for r in d["rewrites"])'

# Same seed and evaluations, same bytes at any number of threads
run 0 plan zoo:bert-base:vocab=1000 -p mcm-36 --evals 30 --seed 3 --json --quiet --threads 1
cp out first
run 0 plan zoo:bert-base:vocab=1000 -p mcm-36 --evals 30 --seed 3 --json --quiet --threads 2
"$python" - <<'PY' || fail "the plan depends on --threads"
import json
a, b = json.load(open("first")), json.load(open("out"))
del a["seconds"], b["seconds"]
assert a == b
PY

# One chip, all chips of the smallest and largest ring
run 0 plan zoo:chain:layers=8 -p mcm-36:devices=1,memory=1GiB --evals 5 --json --quiet
json 'len(d["stages"]) == 1'
run 0 plan zoo:chain:layers=80 -p mcm-36:devices=64,memory=1GiB --evals 5 --json --quiet
json 'len(d["stages"]) > 30'
rejects 2 '64' plan zoo:chain -p mcm-36:devices=65

# Compare
run 0 compare zoo:chain:layers=40 -p mcm-36:memory=1GiB --methods order-dp,equal-work,random --evals 20
says out '^order-dp '
says out '^random '
says out '^best '
says err '^next: sluice plan zoo:chain:layers=40 -p mcm-36:memory=1GiB --method '
run 0 compare zoo:chain:layers=40 -p mcm-36:memory=1GiB --methods order-dp,residual,auto --judge planner --evals 20 --json --quiet
json '[row["method"] for row in d] == ["order-dp", "residual", "auto"] and min(row["ratio_to_best"] for row in d) == 1'
json 'all(row["curve"][-1][1] == row["judged_ps"] or row["judged_ps"] <= row["curve"][-1][1] for row in d)'

# A command as judge
cat >judge.py <<'PY'
import json, sys
plan = json.load(open(sys.argv[1]))
slowest = max(sum(2 if name else 1 for _, name in stage["operators"]) for stage in plan["stages"])
print(json.dumps({"throughput_per_s": 1e6 / slowest, "chip_times_ps": [1000000 * 2 * len(s["operators"]) for s in plan["stages"]]}))
PY
run 0 plan zoo:chain:layers=20 -p mcm-36:devices=4,memory=1GiB --method residual --judge "$python judge.py" --evals 6 --json --quiet
json 'd["judged"]["judge"].endswith("judge.py") and d["judged"]["latency_ps"] is None and d["evaluations"] <= 6'
rejects 1 'ended with exit code 3' plan zoo:chain -p mcm-36:devices=2,memory=1GiB --judge 'sh -c "echo broken >\&2; exit 3"'
rejects 1 'printed no JSON' plan zoo:chain -p mcm-36:devices=2,memory=1GiB --judge 'echo rubbish'
rejects 1 'printed something else than a verdict' plan zoo:chain -p mcm-36:devices=2,memory=1GiB --judge "echo '{\"speed\": 1}' #"
rejects 1 'within 1 s' plan zoo:chain -p mcm-36:devices=2,memory=1GiB --judge-time 1 --judge 'sleep 20 #'
rejects 3 'too hot' plan zoo:chain -p mcm-36:devices=2,memory=1GiB --judge "echo '{\"fits\": false, \"why\": \"too hot\"}' #"

# Bad words, before any work
rejects 2 "did you mean 'order-dp'" plan zoo:chain -p mcm-36 --method order-pd
rejects 2 "did you mean 'relay'" plan zoo:chain -p mcm-36 --rewrites relays
rejects 2 'a stage is one chip' plan zoo:chain -p mcm-36 --replicas 2
rejects 2 'planned for throughput' plan zoo:chain -p mcm-36 --objective latency
rejects 2 'is a method for chips' plan zoo:chain -p asic-16 --method order-dp
rejects 2 'for chips on a ring alone' plan zoo:chain -p asic-16 --rewrites none
rejects 2 'does not plan for chips' sweep zoo:chain -p mcm-36

# An operator larger than any chip
rejects 3 'needs 22.4 MiB of SRAM wherever it lies' plan zoo:bert-base -p mcm-36 --evals 5
rejects 3 "operator 'embeddings.word' needs 22.4 MiB of memory wherever it lies" plan zoo:bert-base -p mcm-36 --judge planner --evals 5
