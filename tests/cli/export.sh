# export writes the stages of a plan as model files, and says what goes in and out of each.
run 0 plan zoo:residual -p asic-16 -k 3 --evals 4 -o plan.json --quiet
run 0 export zoo:residual plan.json -o stages
says out 'stage-2.onnx'
says err 'wrote 3 stage models and manifest.json to stages'
says err 'next: sluice run zoo:residual plan.json'
for file in manifest.json stage-0.onnx stage-1.onnx stage-2.onnx weights-0.bin; do
    [ -s "stages/$file" ] || fail "no $file"
done
# A stage is a model.
run 0 inspect stages/stage-1.onnx --quiet

# again, in JSON, with the weights copied; nothing else is left
run 0 export zoo:residual plan.json -o stages --self-contained --json --quiet
silent err
json 'len(d["stages"]) == 3 and all(s["parameter_bytes"] > 0 and s["operators"] > 0 for s in d["stages"]) and d["folder"] == "stages"'
json '{t["name"] for t in d["stages"][1]["inputs"]} <= {t["name"] for s in d["stages"] for t in s["outputs"]}'
[ -s stages/stage-0.weights ] && [ ! -e stages/weights-0.bin ] || fail "the earlier export was not replaced"
[ -z "$(ls -A | grep '^\.')" ] || fail "something temporary is left"

# made-up weights for a structure that has none
run 0 zoo make residual -o structure.onnx --quiet
rejects 1 'weights.bin' export structure.onnx plan.json -o new
says err '--weights random'
[ ! -e new ] || fail "a failed export left its folder"
run 0 export structure.onnx plan.json -o new --weights random --quiet
[ -f new/weights-0.bin ] && [ ! -L new/weights-0.bin ] || fail "made-up weights are not in the folder"
run 0 export structure.onnx plan.json -o zeros --weights zero --quiet
# its own weights are linked
run 0 zoo make residual -o whole.onnx --weights random --quiet
run 0 export whole.onnx plan.json -o whole --quiet
cmp -s new/manifest.json whole/manifest.json && fail "the manifest does not name the model"

# what cannot be
rejects 2 '-o FOLDER' export zoo:residual plan.json
rejects 1 'fingerprint\|another model' export zoo:chain plan.json -o other
mkdir mine; echo mine >mine/notes.txt
rejects 1 'notes.txt' export zoo:residual plan.json -o mine
rejects 1 'no folder' export zoo:residual plan.json -o plan.json
