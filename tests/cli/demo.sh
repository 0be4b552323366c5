# demo: everything in one folder that appears complete, verified from its files, and a pipeline that ran.
worker=$(dirname "$sluice")/sluice-worker
[ -x "$worker" ] || { echo "SKIPPED: no sluice-worker here, and the demo runs one"; exit 77; }
run 0 demo --time 3
says out '^stage '
says out 'plan and certificate verified from their files'
says out 'resnet50 as planned on cpu: 2 stages'
says out '^check  *equal to the unsplit model'
says err '^next: sluice verify runs/demo/resnet50.onnx runs/demo/plan.json runs/demo/plan.certificate.json'
for file in manifest.json platform.toml costs.json plan.json plan.certificate.json events.jsonl trace.json stages/manifest.json stages/stage-0.onnx \
    stages/stage-1.onnx asic-16/bert-base.onnx asic-16/plan.json asic-16/plan.certificate.json asic-16/events.jsonl asic-16/platform.toml; do
    [ -s runs/demo/$file ] || fail "no $file"
done
"$python" -c 'import json, os
for folder, k in (("runs/demo/asic-16", 8), ("runs/demo", 2)):
    events = [json.loads(line) for line in open(folder + "/events.jsonl")]
    assert events and all(set(e) == {"t", "phase", "objective_ps", "bound_ps", "gap", "source"} for e in events)
    assert all(a["t"] <= b["t"] for a, b in zip(events, events[1:]))
    plan = json.load(open(folder + "/plan.json"))
    assert plan["k"] == k
    assert [e["objective_ps"] for e in events if e["objective_ps"]][-1] == plan["predicted"]["bottleneck_ps"]
manifest = json.load(open("runs/demo/manifest.json"))
assert manifest["format"] == "sluice.run/1" and "ONNX Runtime" in manifest["libraries"]["worker"], manifest
assert all(os.path.exists("runs/demo/" + name) for name in manifest["files"]), manifest["files"]
assert set(os.listdir("runs/demo")) - set(manifest["files"]) <= {"manifest.json"}, os.listdir("runs/demo")
assert json.load(open("runs/demo/trace.json"))["traceEvents"]' || fail "the run folder is not what it says"
run 0 verify runs/demo/resnet50.onnx runs/demo/plan.json runs/demo/plan.certificate.json
run 0 verify runs/demo/asic-16/bert-base.onnx runs/demo/asic-16/plan.json runs/demo/asic-16/plan.certificate.json
run 0 plan runs/demo/resnet50.onnx -p runs/demo/platform.toml --costs runs/demo/costs.json -k 2 --json --evals 4
run 0 demo --time 1 -o mine --quiet
silent err
[ -s mine/plan.json ] || fail "no mine/plan.json"
rejects 1 'there already' demo -o mine
# shellcheck disable=SC2012
[ "$(ls -A | grep -c making)" -eq 0 ] && [ "$(ls -A runs | grep -c making)" -eq 0 ] || fail "a temporary folder was left"
