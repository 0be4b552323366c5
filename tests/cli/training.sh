# Training plans from the command line: plan, verify, simulate, compare, export of the schedule; and calls that mean nothing.
model=zoo:mmt:branches=2,layers=2
here="-p v100-summit:devices=4 --for training --batch 16"

# shellcheck disable=SC2086
run 0 plan $model $here --method data-parallel
says out ' on .*: 1 stage, depth 1, training, overlap cost'
says out '^stage  *devices  *operators'
says out '^ *0  *0-3 '
says out '^iteration .* for 16 samples, 1f1b schedule'
says out '^throughput .* samples/s'
says out '^bubble .*%'
says out '^memory .*optimiser adam$'
says err '^next: .*sluice simulate'

# The default method, by evaluations: the same bytes twice; verified, simulated, traced.
# shellcheck disable=SC2086
run 0 plan $model $here --evals 30 --seed 3 -o plan.json --json --quiet
silent err
cmp -s out plan.json || fail "--json and -o differ"
json 'd["job"] == "training" and d["training"] == {"mini_batch": 16, "optimizer": "adam", "schedule": d["training"]["schedule"]}'
json 'd["predicted"]["latency_ps"] is None and d["predicted"]["iteration_ps"] > 0 and set(d["bounds"]) == {"bottleneck", "iteration"}'
json 'abs(d["predicted"]["throughput_per_s"] / (16e12 / d["predicted"]["iteration_ps"]) - 1) < 1e-9'
json 'd["seed"] == 3 and d["bounds"]["iteration"] == d["bound"] and d["bound"]["certified"] and all(16 % s["micro_batch"] == 0 for s in d["stages"])'
grep -v '"seconds"' out >first
# shellcheck disable=SC2086
run 0 plan $model $here --evals 30 --seed 3 --threads 1 --json --quiet
grep -v '"seconds"' out | cmp -s - first || fail "the plan depends on --threads"
run 0 verify $model plan.json
says out 'the plan holds'
says out '^iteration .*simulated again'
run 0 verify $model plan.json --json
json 'd["valid"] is True and d["certified"] is False and d["failures"] == []'
run 0 verify $model plan.json plan.certificate.json --json
json 'd["valid"] is True and d["certified"] is True'
run 0 verify $model plan.json plan.bottleneck.certificate.json
says out 'certificate checked'
cp plan.certificate.json more.certificate.json
edit more.certificate.json 'd["bound"]["value_ps"] += 1'
run 5 verify $model plan.json more.certificate.json
run 0 simulate $model plan.json --trace trace.json
says out '^devices  *stages  *busy'
says out '^iteration .*, as planned$'
says out '^bubble '
says out '^busiest '
says err 'wrote the trace of .* to trace.json'
"$python" -c 'import json
events = json.load(open("trace.json"))["traceEvents"]
names = {e["name"] for e in events if e["ph"] == "X"}
assert any("backward" in n for n in names) and any("forward" in n for n in names), names
assert any(e["ph"] == "C" for e in events)' || fail "the trace does not hold"
run 0 simulate $model plan.json --json
json 'd["error"] == 0 and d["latency_ps"] is None and 0 <= d["bubble"] < 1 and d["iteration_ps"] > 0'
json 'all(g["peak_memory_bytes"] > 0 and g["busy_ps"] <= d["iteration_ps"] for g in d["groups"])'
cp plan.json changed.json
edit changed.json 'd["predicted"]["iteration_ps"] -= 1; d["predicted"]["throughput_per_s"] = 16e12 / d["predicted"]["iteration_ps"]'
run 5 verify $model changed.json
says err 'iteration time is .* ps in the plan'
edit changed.json 'd["stages"][0]["micro_batch"] = 3'
rejects 1 'do not divide' simulate $model changed.json

# What is asked for is done.
# shellcheck disable=SC2086
run 0 plan $model $here --method data-parallel --micro-batch 8 --schedule gpipe --recompute --optimizer sgd --json
json 'd["training"]["schedule"] == "gpipe" and d["training"]["optimizer"] == "sgd"'
json 'all(s["micro_batch"] == 8 and s["recompute"] for s in d["stages"]) and d["options"]["micro-batch"] == "8"'

# A bound for that micro-batch alone: higher, and no certificate for other plans.
for size in 16 2; do
    # shellcheck disable=SC2086
    run 0 plan $model $here --method data-parallel --micro-batch $size -o of$size.json --json --quiet
    json 'd["bound"]["certified"]'
    run 0 verify $model of$size.json of$size.certificate.json
done
"$python" -c 'import json
small, large = (json.load(open(f"of{size}.json"))["bound"]["value_ps"] for size in (2, 16))
assert small > large, (small, large)' || fail "the bound does not know the micro-batch"
run 5 verify $model of16.json of2.certificate.json
says err 'micro-batches of 2 samples alone'

# compare: a row for each method, failures with a reason
# shellcheck disable=SC2086
run 0 compare $model $here --evals 20 --json
json 'len(d) >= 2 and min(r["ratio_to_best"] for r in d if r["ratio_to_best"]) == 1'
json 'all(set(r) >= {"method", "bottleneck_ps", "iteration_ps", "ratio_to_best", "seconds", "evaluations"} for r in d)'
# shellcheck disable=SC2086
run 0 compare $model $here --methods data-parallel
says out '^method  *iteration'
says out '^best '
says out '^bound .*certified'
says out '^gap '
says err 'next: sluice plan .* --for training --batch 16 --method data-parallel'

# the schedule as another runtime reads it
# shellcheck disable=SC2086
run 0 plan $model $here --method data-parallel --micro-batch 8 -o dp.json --quiet
run 0 export $model dp.json --actions actions.csv
[ "$(cat actions.csv)" = "0F0,0B0,0F1,0B1" ] || fail "actions: $(cat actions.csv)"
rejects 2 'one of them' export $model dp.json --actions actions.csv -o stages

# Where the memory is too small: proven infeasible, with numbers and what would help.
rejects 3 'MiB\|bytes\|GiB' plan $model -p v100-summit:devices=2,memory=1MiB --for training --batch 4 --method data-parallel
says err 'help: '

# Bad calls say what to do.
rejects 2 'needs --batch N' plan $model --for training
rejects 2 'v100-summit:devices=8' plan $model --for training --batch 8 -k 4
rejects 2 'platform.s devices' compare $model --for training --batch 8 -k 4
rejects 2 'planner chooses' plan $model --for training --batch 8 --replicas 2
rejects 2 'least iteration time' plan $model --for training --batch 8 --objective latency
rejects 2 'means nothing' plan $model --for training --batch 8 --gap 1%
rejects 2 'means nothing' plan $model --for training --batch 8 --from plan.json
rejects 2 'means nothing' compare $model --for training --batch 8 --bounds cut
rejects 2 'for training plans alone' plan $model --batch 8
rejects 2 'for training plans alone' plan $model --recompute
rejects 2 'for training plans alone' compare $model --schedule 1f1b
rejects 2 'at least 1' plan $model --for training --batch 0
rejects 2 '16777216' plan $model --for training --batch 100000000
rejects 2 'possible are 1, 2, 4, 8' plan $model --for training --batch 8 --micro-batch 3
rejects 2 "did you mean 'gpipe'" plan $model --for training --batch 8 --schedule gpip
rejects 2 'it is one of: ' plan $model --for training --batch 8 --optimizer lion
rejects 2 'data-parallel' plan $model --for training --batch 8 --method equal-work
rejects 2 'means nothing for a training plan' simulate $model plan.json --inputs 5
rejects 1 'plans for inference' export $model plan.json -o stages
rejects 1 'plans for inference' run $model plan.json
rejects 1 'plan for training' plan $model --from plan.json
rejects 1 'another model' simulate zoo:chain plan.json
run 0 plan zoo:chain -p asic-16 -k 2 --evals 2 -o inference.json --quiet
run 5 verify $model plan.json inference.certificate.json
says err 'the certificate is for inference'
run 5 verify zoo:chain inference.json plan.certificate.json
rejects 1 'no schedule' export zoo:chain inference.json --actions actions.csv
