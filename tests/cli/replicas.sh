# --replicas: stages on several devices, of one class or two, from plan to run; what is impossible is said.
devices='sum(s["replicas"] for s in d["stages"])'

# A chain of equal operators gains nothing; one heavy operator among light ones does.
run 0 plan zoo:resnet50 -p asic-16 -k 6 --evals 8 --json --quiet -o one.json
json "all(s['replicas'] == 1 for s in d['stages']) and 'replicas' not in d['options']"
one=$("$python" -c 'import json; print(json.load(open("one.json"))["predicted"]["bottleneck_ps"])')
run 0 plan zoo:resnet50 -p asic-16 -k 6 --evals 8 --replicas 3 --json --quiet -o plan.json
json "max(s['replicas'] for s in d['stages']) > 1 and all(s['replicas'] <= 3 for s in d['stages']) and $devices <= d['k'] == 6"
json "d['options']['replicas'] == '3' and d['predicted']['bottleneck_ps'] <= $one and d['bound']['certified']"
json "d['bound']['value_ps'] <= d['predicted']['bottleneck_ps']"
run 0 verify zoo:resnet50 plan.json plan.certificate.json --json
json 'd["valid"] and d["certified"]'
"$python" -c 'import json; assert json.load(open("plan.certificate.json"))["max_replicas"] == 3' || fail "the certificate is not for 3 replicas"
run 0 plan zoo:resnet50 -p asic-16 -k 6 --evals 8 --replicas 3
says out '  replicas  '

# The same bytes at any --threads.
for threads in 1 3; do
    run 0 plan zoo:resnet50 -p asic-16 -k 6 --evals 8 --replicas 3 --threads $threads --json --quiet
    grep -v '"seconds"' out >plan.$threads
done
cmp -s plan.1 plan.3 || fail "the plan depends on --threads"

# A certificate for fewer replicas says nothing about this plan.
run 0 bound zoo:resnet50 -p asic-16 -k 6 -o few.json --quiet
run 5 verify zoo:resnet50 plan.json few.json --json
json 'any("replicas" in f for f in map(str, d["failures"]))'
run 0 bound zoo:resnet50 -p asic-16 -k 6 --replicas 2 --json
json 'd["max_replicas"] == 2 and d["objective"] == "throughput" and d["bound"]["certified"]'
run 0 bound zoo:resnet50 -p asic-16 -k 6 --replicas 2
says out 'on at most 6 devices, up to 2 of them a stage,'
says err 'sluice plan zoo:resnet50 -p asic-16 -k 6 --replicas 2'

# The simulator reaches what the plan predicts.
run 0 simulate zoo:resnet50 plan.json --json --inputs 300
json 'abs(d["throughput_per_s"] / d["predicted_throughput_per_s"] - 1) < 1e-9'

# Two classes of devices: the plan keeps within the counts of both, and replicas of a stage are of one class.
cat >two.toml <<'T'
format = "sluice.platform/1"
name = "two"
[[devices]]
name = "fast"
count = 2
compute = { f32 = "20 TFLOP/s" }
memory = "unlimited"
memory_rate = "400 GB/s"
[[devices]]
name = "small"
count = 4
compute = { f32 = "5 TFLOP/s" }
memory = "64 MiB"
overflow = "hard"
memory_rate = "100 GB/s"
[link]
rate = "64 GB/s"
T
run 0 plan zoo:resnet50 -p two.toml --replicas 2 --evals 8 --json --quiet -o two.json
json 'd["k"] == 6 and {s["device_class"] for s in d["stages"]} == {"fast", "small"}'
json 'all(sum(s["replicas"] for s in d["stages"] if s["device_class"] == c) <= n for c, n in (("fast", 2), ("small", 4)))'
json 'all(s["predicted"]["parameter_bytes"] + s["predicted"]["peak_bytes"] <= 64 * 2**20 for s in d["stages"] if s["device_class"] == "small")'
run 0 verify zoo:resnet50 two.json two.certificate.json
run 0 simulate zoo:resnet50 two.json --json
json 'abs(d["throughput_per_s"] / d["predicted_throughput_per_s"] - 1) < 1e-9'

# More than there can be: said, and what is there is used. Nonsense is refused.
run 0 plan zoo:chain -p asic-16 -k 2 --evals 4 --replicas 5 --json
says err 'note: --replicas 5: there are only 2 devices for all stages together'
json "d['k'] == 2 and d['options']['replicas'] == '2' and $devices <= 2"
run 0 plan zoo:chain:layers=2 -p asic-16 -k 16 --evals 4 --replicas 16 --json
json "d['k'] == 16 and $devices <= 16"
rejects 2 'must be at least 1' plan zoo:chain -p asic-16 --replicas 0
rejects 2 'must be at least 1' bound zoo:chain -p asic-16 --replicas -1
rejects 2 'whole number' plan zoo:chain -p asic-16 --replicas many

# And for real: four processes for three stages, outputs in order.
[ -x "$(dirname "$sluice")/sluice-worker" ] || exit 0
run 0 zoo make chain:layers=9,width=64 -o model.onnx --weights random
"$python" - <<'PY'
import json
with open("wide.toml", "w") as f:
    f.write('format = "sluice.platform/1"\nname = "wide"\n[[devices]]\nname = "core"\ncount = 4\ncompute = { f32 = "50 GFLOP/s" }\n'
            'memory = "unlimited"\nmemory_rate = "10 GB/s"\n[link]\nrate = "1000 GB/s"\n')
PY
run 0 plan model.onnx -p wide.toml --replicas 2 --evals 8 -o run.json --json --quiet
json "$devices > len(d['stages'])"
ranks=$("$python" -c 'import json; print(1 + sum(s["replicas"] for s in json.load(open("run.json"))["stages"]))')
run 0 run model.onnx run.json --inputs 30 --check --level 0 --json --quiet
json "d['ranks'] == $ranks and d['check']['holds'] and d['check']['values'] == d['check']['bitwise'] == 30 * 64"
