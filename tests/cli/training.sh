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
says out '^memory .* reserved on one device at most, optimiser adam$'
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
says out '^memory .* reached on one device at most; the plan reserves '
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

# bound: both certificates without a plan, and `verify` takes them with a plan of the same problem
# shellcheck disable=SC2086
run 0 bound $model $here -o b.certificate.json
says out 'every plan for mini-batches of 16 samples on 4 devices takes .* an iteration or more$'
says out '^iteration .*(work-and-path, certified)$'
says out '^bottleneck .* a sample (work-and-path, certified)$'
says out '^throughput .* samples/s at most$'
says out '^witness '
says err '^next: sluice plan .* --for training --batch 16$'
run 0 verify $model plan.json b.certificate.json
run 0 verify $model plan.json b.bottleneck.certificate.json
# shellcheck disable=SC2086
run 0 bound $model $here --json --quiet
silent err
cmp -s out b.certificate.json || fail "--json and -o differ"
json 'd["objective"] == "iteration" and d["bound"]["certified"] and d["bound"]["value_ps"] > 0'
run 0 bound $model --for training --against plan.json   # platform and mini-batch are the plan's
says out 'on 4 devices'
says out '^gap .*%'
# shellcheck disable=SC2086
rejects 3 'MiB\|bytes\|GiB' bound $model -p v100-summit:devices=2,memory=1MiB --for training --batch 4
rejects 2 'needs --batch N' bound $model --for training
rejects 2 'one kind' bound $model --for training --batch 8 --method cut
rejects 2 'against PLAN' bound $model --for training --batch 8 --gap 1%
rejects 2 'for training plans alone' bound $model --batch 8
rejects 1 'one for inference is needed' bound $model --against plan.json
says err 'help: add --for training'

# --gap: good enough is where it stops
# shellcheck disable=SC2086
run 0 plan $model $here --gap 99% --time 60 --json
json 'd["termination"] == {"reason": "gap", "limit": "--gap 99.0%"} and d["gap"] <= 0.99 and d["seconds"] < 40'
rejects 2 'below 1' plan $model --for training --batch 8 --gap 100%

# --from: what is not said is as the plan has it; nothing worse comes back
run 0 plan $model --for training --from plan.json --method data-parallel -o from.json --json
says err '^note: from plan.json: [0-9]* stages\{0,1\}, .* an iteration$'
json 'd["training"]["mini_batch"] == 16 and d["platform"]["classes"][0]["count"] == 4 and len(d["options"]["from"]) == 32'
json 'd["predicted"]["iteration_ps"] <= json.load(open("plan.json"))["predicted"]["iteration_ps"]'
json 'd["options"]["winner"] == "start"'
run 0 verify $model from.json from.certificate.json
run 0 plan $model --for training --from plan.json -p v100-summit:devices=8 --evals 5 --json   # more devices: it holds
json 'd["predicted"]["iteration_ps"] <= json.load(open("plan.json"))["predicted"]["iteration_ps"] and d["k"] == 8'
rejects 1 "'plan.json' is no plan for this" plan $model --for training --from plan.json -p v100-summit:devices=1
says err 'it was made for v100-summit.* with 4 devices; this is v100-summit.* with 1 device$'
says err 'help: .*-p'
rejects 1 "'plan.json' is no plan for this" plan $model --for training --from plan.json --batch 7
says err 'mini-batches of 16 samples; these have 7'
rejects 1 'another model' plan zoo:chain --for training --from plan.json
rejects 1 'missing.json' plan $model --for training --from missing.json
# shellcheck disable=SC2086
run 0 plan $model $here --method data-parallel --micro-batch 8 -o eight.json --quiet
rejects 2 'micro-batch asks for 4' plan $model --for training --from eight.json --micro-batch 4
rejects 2 'schedule asks for gpipe' plan $model --for training --from eight.json --schedule gpipe
rejects 2 'recompute asks' plan $model --for training --from eight.json --recompute

# --costs: measured passes replace the modelled ones, the plan holds them, and verify needs nothing else
cat >costs.json <<'END'
{"format": "sluice.costs/1", "machine": {"gpu": "made up"},
 "entries": [{"type": "MatMul", "time_ps": 900000000, "passes": [
                {"samples": 1, "forward_ps": 400000000, "input_gradient_ps": 500000000, "weight_gradient_ps": 300000000},
                {"samples": 4, "forward_ps": 400000000, "input_gradient_ps": 500000000, "weight_gradient_ps": 300000000},
                {"samples": 16, "forward_ps": 1600000000, "input_gradient_ps": 2000000000, "weight_gradient_ps": 1200000000}]},
             {"type": "Softmax", "time_ps": 5000000}]}
END
# shellcheck disable=SC2086
run 0 plan $model $here --costs costs.json --evals 10 -o measured.json
says out 'times measured [0-9.]* %, analytic [0-9.]* %$'
run 0 verify $model measured.json measured.certificate.json --json
json 'd["valid"] and d["certified"]'
run 0 simulate $model measured.json
says out ', as planned$'
cp measured.json other.json
edit other.json 'd["costs"]["entries"][0]["passes"][2]["forward_ps"] += 100000000'
run 5 verify $model other.json
run 0 plan $model --for training --from measured.json --evals 5 --json   # the plan's own costs
json 'd["costs"] == json.load(open("measured.json"))["costs"] and d["cost_source"].startswith("measured ")'
# shellcheck disable=SC2086
run 0 bound $model $here --costs costs.json --json -o measured.certificate.json
says err 'costs costs.json'
run 0 verify $model measured.json measured.certificate.json
# shellcheck disable=SC2086
run 0 compare $model $here --costs costs.json --methods data-parallel
run 0 sweep $model -p v100-summit --for training --batch 8 --devices 2 --costs costs.json --evals 3 -o measured
run 0 verify $model measured/plan-b8-d2.json measured/plan-b8-d2.certificate.json
edit costs.json 'd["entries"][0]["passes"][2]["samples"] = 4'
# shellcheck disable=SC2086
rejects 1 '4 samples come after those over 4' plan $model $here --costs costs.json
edit costs.json 'd["entries"][0]["passes"][2]["sample"] = 4'
# shellcheck disable=SC2086
rejects 1 "costs.json:[0-9]*: error: unknown key 'sample'" plan $model $here --costs costs.json

# A workload of transfer times alone has no links to train over: says what to name
cat >msr.json <<'END'
{"maxSizePerFPGA": 1000000, "maxFPGAs": 2, "maxCPUs": 1,
 "nodes": [{"id": 0, "supportedOnFpga": true, "cpuLatency": 10, "fpgaLatency": 1, "isBackwardNode": false, "colorClass": 0, "size": 4},
           {"id": 1, "supportedOnFpga": true, "cpuLatency": 10, "fpgaLatency": 1, "isBackwardNode": false, "colorClass": 1, "size": 4}],
 "edges": [{"sourceId": 0, "destId": 1, "cost": 1}]}
END
rejects 1 'no rate' plan msr.json --for training --batch 8
says err 'help: -p with devices.*v100-summit:devices=8'

# One of a thing is one
# shellcheck disable=SC2086
run 0 compare $model $here --evals 5 --micro-batch 2 --methods auto
says out ' 1 replica, 1 slice a device'

# sweep: a row for each combination; more devices and more memory are never worse; every plan verifies
run 0 sweep $model -p v100-summit --for training --batch 8,16 --devices 1..4*2 --evals 6 --json -o plans
json '[(r["mini_batch"], r["devices"]) for r in d] == [(b, n) for b in (8, 16) for n in (1, 2, 4)]'
json 'all(a["iteration_ps"] >= b["iteration_ps"] for a, b in zip(d, d[1:]) if a["mini_batch"] == b["mini_batch"])'
json 'all(r["bound"]["certified"] and r["bound"]["value_ps"] <= r["iteration_ps"] and r["error"] is None for r in d)'
json 'all(abs(r["throughput_per_s"] - r["mini_batch"] * 1e12 / r["iteration_ps"]) < 1e-6 * r["throughput_per_s"] for r in d)'
says err 'wrote 6 plans with their certificates to plans'
says err '^sweep 2/6 batch=8 devices=2 .*best '
run 0 verify $model plans/plan-b16-d4.json plans/plan-b16-d4.certificate.json
run 0 verify $model plans/plan-b8-d1.json plans/plan-b8-d1.bottleneck.certificate.json
run 0 sweep $model -p v100-summit:devices=2 --for training --batch 12 --micro-batch 2..8 --memory 16GiB,1GiB,1MiB --evals 4 --json -o plans
json '[r["micro_batch"] for r in d] == 3 * [2, 3, 4, 6] and [r["memory_bytes"] for r in d] == 4 * [2**20] + 4 * [2**30] + 4 * [2**34]'
json 'all(r["error"] and r["iteration_ps"] is None for r in d[:4]) and all(r["micro_batches"] == [r["micro_batch"]] for r in d[8:])'
json 'all(a["iteration_ps"] is None or a["iteration_ps"] >= b["iteration_ps"] for a, b in zip(d[4:8], d[8:]))'
run 0 verify $model plans/plan-b12-d2-m17179869184-u3.json
run 0 sweep $model -p v100-summit --for training --batch 8 --method data-parallel   # one mini-batch alone: 1, 2, ... devices
says out '^batch  *devices  *device memory  *micro-batch  *iteration'
for devices in 1 2 4; do says out "^ *8  *$devices  "; done
says out '^best .* samples/s with mini-batches of 8 on '
lacks out '█'
for threads in 1 3; do
    run 0 sweep $model -p v100-summit --for training --batch 8 --devices 2,3 --evals 5 --threads $threads --json --quiet
    grep -v '"seconds"' out >sweep.$threads
done
cmp -s sweep.1 sweep.3 || fail "the sweep depends on --threads"
run 3 sweep $model -p v100-summit --for training --batch 8 --devices 1,2 --memory 1MiB
says out '^ *8  *1  *1.0 MiB  *-  operator '
says err 'error: '
rejects 2 'needs --batch N' sweep $model --for training
rejects 2 'devices 4..32' sweep $model --for training --batch 8 -k 1..4
rejects 2 'divides one of' sweep $model --for training --batch 8 --micro-batch 3
rejects 2 'is no size' sweep $model --for training --batch 8 --memory much
rejects 2 'neither a number nor a range' sweep $model --for training --batch 8x
rejects 2 '16777216' sweep $model --for training --batch 100000000
rejects 2 'for training plans alone' sweep $model --devices 1..4
rejects 2 'for training plans alone' sweep $model --batch 8

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
rejects 2 'means nothing' compare $model --for training --batch 8 --bounds cut
rejects 2 'for training plans alone' plan $model --batch 8
says err 'help: .*model zoo:mmt:branches=2,layers=2,batch=N'
rejects 2 'method of training' plan $model --method graphpipe
says err 'help: add --for training'
rejects 2 'method of training' compare $model --methods auto,megatron
rejects 2 'method of inference' plan $model --for training --batch 8 --method exact
rejects 2 "unknown .* 'foo'" compare $model --for training --batch 8 --methods auto,foo
[ "$(grep -c 'it is one of' err)" -eq 1 ] || fail "the methods are listed twice"
rejects 2 '67108864 over all devices' plan $model -p v100-summit:devices=4 --for training --batch 16777216 --micro-batch 1
says err 'help: --micro-batch 16 or more'
rejects 2 'for training plans alone' plan $model --recompute
rejects 2 'for training plans alone' compare $model --schedule 1f1b
rejects 2 'at least 1' plan $model --for training --batch 0
rejects 2 '16777216' plan $model --for training --batch 100000000
rejects 2 'possible are 1, 2, 4, 8' plan $model --for training --batch 8 --micro-batch 3
rejects 2 "did you mean 'gpipe'" plan $model --for training --batch 8 --schedule gpip
rejects 2 'it is one of: ' plan $model --for training --batch 8 --optimizer lion
rejects 2 'data-parallel' plan $model --for training --batch 8 --method equal-work   # of inference: those of training are listed
rejects 2 'means nothing for a training plan' simulate $model plan.json --inputs 5
rejects 1 'plans for inference' export $model plan.json -o stages
rejects 1 'plans for inference' run $model plan.json
rejects 1 'plan for training' plan $model --from plan.json
rejects 1 'another model' simulate zoo:chain plan.json
run 0 plan zoo:chain -p asic-16 -k 2 --evals 2 -o inference.json --quiet
run 5 verify $model plan.json inference.certificate.json
says err 'the certificate is for inference'
run 5 verify zoo:chain inference.json plan.certificate.json
rejects 1 'one for training is needed' plan zoo:chain --for training --from inference.json
rejects 1 'no schedule' export zoo:chain inference.json --actions actions.csv
