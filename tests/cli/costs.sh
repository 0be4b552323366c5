# --costs: times written by hand, by name and by type; the plan holds them and says the shares; what does not fit is refused.
fast="-p cpu --evals 4"

cat >costs.json <<'END'
{"format": "sluice.costs/1", "machine": {"cpu": "made up"},
 "entries": [{"type": "Conv", "time_ps": 1000000000}, {"type": "Covn", "time_ps": 1},
             {"operators": ["stem", "stem.relu"], "time_ps": 5000000000, "spread": 0.1}]}
END
# shellcheck disable=SC2086
run 0 plan zoo:resnet50 $fast -k 2 --costs costs.json -o plan.json
says out 'times measured [0-9.]* %, analytic [0-9.]* %$'
says err "warning: 1 type of the costs is not in this model: 'Covn' (did you mean 'Conv'?)"
run 0 verify zoo:resnet50 plan.json plan.certificate.json --json
json 'd["valid"] and d["certified"]'
# shellcheck disable=SC2086
run 0 plan zoo:resnet50 $fast -k 2 --costs costs.json --json --quiet
silent err
json 'd["cost_source"].startswith("measured ") and d["costs"]["machine"] == {"cpu": "made up"}'
json '[e.get("type") for e in d["costs"]["entries"]] == ["Conv", None]'

# The certificate is about these times: another time, another problem; without them the plan's numbers are wrong.
cp plan.json other.json
edit other.json 'd["costs"]["entries"][0]["time_ps"] += 1'
run 5 verify zoo:resnet50 other.json plan.certificate.json
cp plan.json other.json
edit other.json 'del d["costs"]'
run 5 verify zoo:resnet50 other.json

# bound and inspect take them too
# shellcheck disable=SC2086
run 0 bound zoo:resnet50 $fast -k 2 --costs costs.json
says err 'sluice plan zoo:resnet50 -p cpu --costs costs.json -k 2'
run 0 inspect zoo:resnet50 --costs costs.json
says out '^  stem  *Conv .* 5\.[0-9]* ms'   # the group's 5 ms, and what lies between its operators
says err 'sluice plan zoo:resnet50 --costs costs.json -k 8'

# Refused, with the line and the nearest match
edit costs.json 'd["entries"][2]["operators"][1] = "stem.rleu"'
# shellcheck disable=SC2086
rejects 1 "no operator 'stem.rleu'" plan zoo:resnet50 $fast --costs costs.json
says err "did you mean 'stem.relu'?"
edit costs.json 'd["entries"][2]["time"] = 1'
# shellcheck disable=SC2086
rejects 1 "costs.json:[0-9]*: error: unknown key 'time'" plan zoo:resnet50 $fast --costs costs.json
edit costs.json 'd["entries"].pop(); d["model"] = "0123"'
# shellcheck disable=SC2086
rejects 1 'another model: fingerprint 0123' plan zoo:resnet50 $fast --costs costs.json
edit costs.json 'd["model"] = None; d["device_class"] = "gpu"'
# shellcheck disable=SC2086
rejects 1 "device class 'gpu'" plan zoo:resnet50 $fast --costs costs.json
edit costs.json 'd["device_class"] = None; d["entries"] = []'
# shellcheck disable=SC2086
rejects 1 'say nothing about' plan zoo:resnet50 $fast --costs costs.json
# shellcheck disable=SC2086
rejects 1 'nowhere.json' plan zoo:resnet50 $fast --costs nowhere.json
