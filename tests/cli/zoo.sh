# zoo: every model of the list can be made, imports, and is the same as its zoo: form.
run 0 zoo list
for name in chain residual bert-base; do says out "^$name "; done
run 0 zoo list --json
json 'all(set(e) == {"name", "description", "parameters"} for e in d) and len(d) >= 3'
run 0 zoo list bert-base
says out '^zoo:bert-base'
run 0 zoo make chain:layers=3 -o chain.onnx
silent out
says err 'wrote chain.onnx'
says err '^next: sluice inspect chain.onnx'
run 0 inspect zoo:chain:layers=3 --json; "$python" -c 'import json; print(json.load(open("out"))["fingerprint"])' >a
run 0 inspect chain.onnx --json; "$python" -c 'import json; print(json.load(open("out"))["fingerprint"])' >b
cmp -s a b || fail "zoo: and the file made differ"
run 0 zoo make chain:layers=3 -o r1.onnx --weights random --seed 5 --quiet
run 0 zoo make chain:layers=3 -o r2.onnx --weights random --seed 5 --quiet
run 0 zoo make chain:layers=3 -o r3.onnx --weights random --seed 6 --quiet
cmp -s r1.onnx r2.onnx || fail "the same seed makes other weights"
! cmp -s r1.onnx r3.onnx || fail "another seed makes the same weights"
"$python" -c 'import onnx; onnx.checker.check_model("r1.onnx", full_check=True)' || fail "not a model for the ONNX checker"
