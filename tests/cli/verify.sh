# verify accepts what plan wrote, and nothing that was changed afterwards.
run 0 plan zoo:residual -p asic-16 -k 3 --evals 4 -o plan.json --quiet
run 0 verify zoo:residual plan.json plan.certificate.json
says out 'the plan holds'
says out 'certificate checked'
says out '^certificate .*B, checked in '
run 0 verify zoo:residual plan.json plan.certificate.json --json
json 'd["valid"] is True and d["check_seconds"] >= 0 and d["certificate_bytes"] == __import__("os").path.getsize("plan.certificate.json")'
run 0 verify zoo:residual plan.json --json
json '"check_seconds" not in d and "certificate_bytes" not in d'
run 0 verify zoo:residual plan.json
says err 'not checked'
says out 'not checked'

# tampered FILE STATEMENT: after the change verify must say no, by exit 5 and in JSON.
tampered() {
    cp plan.json changed.json; cp plan.certificate.json changed.certificate.json
    edit "$1" "$2"
    run 5 verify zoo:residual changed.json changed.certificate.json --json
    says err 'error: '
    json 'd["valid"] is False and len(d["failures"]) >= 1 and isinstance(d["failures"][0]["message"], str)'
    run 5 verify zoo:residual changed.json changed.certificate.json
    silent out
}
tampered changed.json 'd["predicted"]["bottleneck_ps"] -= 1'
tampered changed.json 'd["bound"]["value_ps"] += 1'
tampered changed.json 'd["stages"][0]["operators"].append(d["stages"][-1]["operators"].pop())'
tampered changed.json 'd["stages"][-1]["operators"].pop()'
tampered changed.certificate.json 'd["bound"]["value_ps"] += 1'
tampered changed.certificate.json 'd["stages"] += 1'
tampered changed.certificate.json 'd["problem"] = d["problem"][::-1]'

# another model, another platform
run 0 zoo make residual -o other.onnx --quiet
run 5 verify zoo:chain plan.json plan.certificate.json
says err 'fingerprint\|another model'
run 0 plan zoo:residual -p asic-16:link=1GB/s -k 3 --evals 4 -o slow.json --quiet
run 5 verify zoo:residual plan.json slow.certificate.json
says err 'error: '

# files that are not what they should be: exit 1
head -c 200 plan.json >cut.json
rejects 1 'cut.json' verify zoo:residual cut.json
rejects 1 'cut.json' verify zoo:residual plan.json cut.json
rejects 1 'sluice.plan/1' verify zoo:residual plan.certificate.json
rejects 1 'sluice.certificate/1' verify zoo:residual plan.json plan.json
rejects 1 'no-such-plan.json' verify zoo:residual no-such-plan.json

# an operator moved so that the stage graph has a cycle: stages by the numbers of the plan's table, operators by name
run 0 plan zoo:chain:layers=6 -p asic-16 -k 3 --evals 4 -o line.json
says out '^ *0 '
edit line.json 'd["stages"][2]["operators"].insert(0, d["stages"][0]["operators"].pop(0))'
run 5 verify zoo:chain:layers=6 line.json
says err 'cycle: stage 0 -> 1 -> 2 -> 0'
says err "operator 0 is '"
