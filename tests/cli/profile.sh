# profile: a small model measured for real, from its kernels to a plan that holds its costs; what cannot be run is said before anything starts.
if [ ! -x "$(dirname "$sluice")/sluice-worker" ]; then
    echo "SKIPPED: sluice-worker is not built"
    exit 77
fi
export TMPDIR="$folder/temporary"
mkdir "$TMPDIR"
small=zoo:resnet50:blocks1=1,blocks2=1,blocks3=1,blocks4=1,width=16,image=64

run 0 profile $small -o costs.json
says out 'operators as [0-9]* kernels of ONNX Runtime .*, level 99, 1 thread'
says out '^heaviest, ends with '
says out '^whole run '
says out '^kernels .* scaled by'
says err 'note: wrote the costs of [0-9]* groups to costs.json'
says err "^next: sluice plan $small -k 2 --costs costs.json"
# every operator that is placed, once; blocks of a ResNet are fused
"$python" - <<'END' || fail "costs.json"
import json
costs = json.load(open("costs.json"))
names = [name for entry in costs["entries"] for name in entry["operators"]]
assert len(names) == len(set(names)) == 55, len(names)
assert sum(entry["time_ps"] for entry in costs["entries"]) > 0
assert ["layer1.0.conv3", "layer1.0.conv3.norm", "layer1.0.residual", "layer1.0.relu"] in [e["operators"] for e in costs["entries"]]
assert set(costs["machine"]) >= {"processor", "cores", "threads", "library", "optimisation", "runs", "scale"}
END
run 0 plan $small -p cpu -k 2 --evals 4 --costs costs.json -o plan.json
says out 'times measured$'
run 0 verify $small plan.json plan.certificate.json

# --json prints the file; --quiet says nothing; without optimisation each operator is a kernel of its own
run 0 profile $small --level 0 --threads 2 -o costs.json --json --quiet
silent err
cmp -s out costs.json || fail "--json and -o differ"
json 'all(len(e["operators"]) == 1 for e in d["entries"]) and d["machine"]["threads"] == "2" and d["machine"]["optimisation"] == "0"'

# A file, with its own weights and without
run 0 zoo make residual:blocks=2,width=64,inner=128 -o model.onnx --weights random
run 0 profile model.onnx --quiet
run 0 zoo make residual:blocks=2,width=64,inner=128 -o bare.onnx
rejects 1 'weights random' profile bare.onnx
run 0 profile bare.onnx --weights random --quiet
# another model's costs
run 0 profile model.onnx -o costs.json --quiet
rejects 1 'another model' plan $small -p cpu -k 2 --costs costs.json

# What says only times cannot be run
run 0 inspect zoo:chain -o chain.json
rejects 1 'cannot be run' profile chain.json
rejects 2 'weight file' profile $small --weights file
rejects 1 'folder' profile $small -o nowhere/costs.json
left=$(ls "$TMPDIR")
[ -z "$left" ] || fail "left behind: $left"
