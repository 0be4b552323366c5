# --objective: what is optimised, bounded, reported and verified; the default is throughput.
run 0 plan zoo:two-tower -p asic-16 -k 4 --evals 16 --json --quiet -o fast.json
json 'd["objective"] == "throughput" and abs(d["gap"] - (1 - d["bound"]["value_ps"] / d["predicted"]["bottleneck_ps"])) < 1e-9'
fast=$("$python" -c 'import json; p = json.load(open("fast.json"))["predicted"]; print(p["latency_ps"])')
run 0 plan zoo:two-tower -p asic-16 -k 4 --evals 16 --objective latency --json -o plan.json
json 'd["objective"] == "latency" and abs(d["gap"] - (1 - d["bound"]["value_ps"] / d["predicted"]["latency_ps"])) < 1e-9'
json "d['predicted']['latency_ps'] <= $fast and d['bound']['value_ps'] <= d['predicted']['latency_ps'] and d['bound']['certified']"
# Parallel towers run at once: less than one device alone would take.
json 'd["predicted"]["latency_ps"] < sum(s["predicted"]["work_ps"] for s in d["stages"])'
# Progress is on what is optimised.
progress=$(sed -n 's/^plan .*best \([0-9.]* [a-z]*\).*/\1/p' err | tail -1)
run 0 plan zoo:two-tower -p asic-16 -k 4 --evals 16 --objective latency
says out "^latency  *$progress\$"

run 0 verify zoo:two-tower plan.json plan.certificate.json --json
json 'd["valid"] and d["certified"]'
run 5 verify zoo:two-tower plan.json fast.certificate.json --json
json 'any("throughput" in f for f in map(str, d["failures"]))'
run 5 verify zoo:two-tower fast.json plan.certificate.json --json
run 0 simulate zoo:two-tower plan.json --json --inputs 1
run 0 plan zoo:two-tower -p asic-16 -k 4 --evals 16 --objective latency
says out '^objective .*latency'
says out '^bottleneck '

# The bound alone, and its certificate.
run 0 bound zoo:two-tower -p asic-16 -k 4 --objective latency --replicas 2 --json
json 'd["objective"] == "latency" and d["max_replicas"] == 1 and d["witness"]["type"] == "longest-path" and d["bound"]["certified"]'
run 0 bound zoo:two-tower -p asic-16 -k 4 --objective latency
says out 'needs for one input'
says out 'operators that wait for each other'
says err 'sluice plan zoo:two-tower -p asic-16 -k 4 --objective latency'

# One stage is the fastest for a chain; devices left over serve it, which costs no latency.
run 0 plan zoo:chain -p asic-16 -k 4 --evals 16 --objective latency --replicas 4 --json --quiet
json 'len(d["stages"]) == 1 and d["stages"][0]["replicas"] == 4 and d["gap"] == 0 and d["termination"]["reason"] == "optimal"'
json 'd["predicted"]["bottleneck_ps"] * 4 - 4 < d["predicted"]["latency_ps"]'

# Every method may be the start; the same bytes at any --threads.
run 0 plan zoo:two-tower -p asic-16 -k 4 --method depth-first --evals 12 --objective latency --json --quiet
json 'd["method"] == "depth-first" and d["objective"] == "latency"'
for threads in 1 3; do
    run 0 plan zoo:two-tower -p asic-16 -k 4 --evals 12 --objective latency --threads $threads --json --quiet
    grep -v '"seconds"' out >plan.$threads
done
cmp -s plan.1 plan.3 || fail "the plan depends on --threads"

rejects 2 "did you mean 'latency'" plan zoo:chain -p asic-16 --objective latencey
rejects 2 'it is one of: throughput, latency' bound zoo:chain -p asic-16 --objective cost
