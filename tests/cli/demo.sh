# demo: everything in one folder that appears complete, verified from its files.
run 0 demo --time 3
says out '^stage '
says out 'plan and certificate verified from their files'
says err '^next: sluice verify runs/demo/bert-base.onnx runs/demo/plan.json runs/demo/plan.certificate.json'
for file in bert-base.onnx plan.json plan.certificate.json events.jsonl; do [ -s runs/demo/$file ] || fail "no $file"; done
"$python" -c 'import json
events = [json.loads(line) for line in open("runs/demo/events.jsonl")]
assert events and all(set(e) == {"t", "phase", "objective_ps", "bound_ps", "gap", "source"} for e in events)
assert all(a["t"] <= b["t"] for a, b in zip(events, events[1:]))
plan = json.load(open("runs/demo/plan.json"))
assert plan["k"] == 8
assert [e["objective_ps"] for e in events if e["objective_ps"]][-1] == plan["predicted"]["bottleneck_ps"]' || fail "events and plan disagree"
run 0 verify runs/demo/bert-base.onnx runs/demo/plan.json runs/demo/plan.certificate.json
run 0 demo --time 1 -o mine --quiet
silent err
[ -s mine/plan.json ] || fail "no mine/plan.json"
rejects 1 'there already' demo -o mine
# shellcheck disable=SC2012
[ "$(ls -A | grep -c making)" -eq 0 ] && [ "$(ls -A runs | grep -c making)" -eq 0 ] || fail "a temporary folder was left"
