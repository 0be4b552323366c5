# policy: train, fine-tune and try; what cannot be trained on is named; a stopped training goes on where it was.
trainer=$(dirname "$sluice")/sluice-trainer
[ -x "$trainer" ] || { echo "skipped: built without sluice-trainer"; exit 77; }
cat >tiny.json <<'TXT'
{"format": "sluice.corpus/1", "platforms": ["mcm-36:devices=4"], "graphs": [
  {"model": "zoo:chain:layers=12,width=1024", "family": "chain", "split": "train"},
  {"model": "zoo:residual:blocks=5,width=512,inner=512", "family": "residual", "split": "validation"}]}
TXT
small="--corpus tiny.json --layers 1 --width 16"
mkdir one two
run 0 policy train $small --updates 3 --seed 5 -o one/a.policy --json
json 'd["updates"] == 3 and not d["interrupted"] and d["best"] > 0.9 and d["curve"][0]["updates"] == 0'
run 0 policy train $small --updates 3 --seed 5 -o two/a.policy
says out 'of equal work on held-out models'
says err 'validation'
cmp -s one/a.policy two/a.policy || fail "the same seed makes other policies"
[ ! -e one/a.policy.checkpoint ] || fail "a checkpoint is left of a training that ended"
run 0 policy evaluate zoo:chain:layers=20,width=1024 -p mcm-36:devices=4 --policy one/a.policy --evals 30 --json
json 'd["evaluations"] == 30 and d["models"][0]["operators"] == 40 and d["policy"] > 0.8 and d["untrained"] > 0.8'
run 0 policy finetune zoo:chain:layers=20,width=1024 -p mcm-36:devices=4 --policy one/a.policy --evals 50 -o f.policy --json
json 'd["evaluations"] == 50 and len(d["chips"]) == 40 and set(d["chips"]) <= {0, 1, 2, 3} and d["curve"][-1]["value"] == d["best"]'
run 0 compare zoo:chain:layers=20,width=1024 -p mcm-36:devices=4 --methods policy,order-dp --policy f.policy --evals 5
rejects 2 'which is not asked for' plan zoo:chain -p mcm-36:devices=4 --policy f.policy
rejects 2 'which is not asked for' compare zoo:chain -p mcm-36:devices=4 --methods greedy --policy f.policy
rejects 2 'for chips on a ring alone' plan zoo:chain -p asic-16 --policy f.policy
run 0 policy evaluate zoo:chain:layers=20,width=1024 -p mcm-36:devices=4 --judge planner --rewrites none --evals 5
rejects 2 "cannot be 'simulater'" policy evaluate zoo:chain --judge simulater
rejects 2 'a corpus is judged' policy evaluate --judge planner
rejects 1 'no.policy' plan zoo:chain -p mcm-36:devices=4 --method policy --policy no.policy
run 0 policy finetune zoo:chain:layers=20,width=1024 -p mcm-36:devices=4 --policy none --head categorical --layers 1 --width 16 --evals 20 -o c.policy
says out '20 evaluations'
run 0 plan zoo:random-ws:operators=100,seed=4,width=512,batch=64 -p mcm-36:devices=4,memory=64MiB --judge planner --method policy --policy c.policy --evals 30 --json
grep -v seconds out >tuned.json
run 0 plan zoo:random-ws:operators=100,seed=4,width=512,batch=64 -p mcm-36:devices=4,memory=64MiB --judge planner --method policy --evals 30 --json
grep -v seconds out | cmp -s - tuned.json && fail "--policy changes nothing"
rejects 1 'trained for 4 chips, the problem has 8' plan zoo:chain:layers=20,width=1024 -p mcm-36:devices=8 --method policy --policy c.policy
rejects 1 'trained for 4 chips, the problem has 8' policy evaluate zoo:chain:layers=20,width=1024 -p mcm-36:devices=8 --policy c.policy

# What cannot be: said before anything is trained.
rejects 2 'needs -o' policy train
rejects 2 'needs MODEL' policy finetune -o x.policy
rejects 2 "cannot be 'trian'" policy trian
rejects 1 'width 20' policy train --width 20 -o x.policy
printf 'sluice.policy/7\n' >old.policy
for action in "evaluate zoo:chain" "finetune zoo:chain -o x.policy" "train -o x.policy"; do
    rejects 1 "version '7'" policy $action --policy old.policy
done
head -c 3000 one/a.policy >cut.policy
rejects 1 'cut short\|its shape needs\|checksum' policy evaluate zoo:chain --policy cut.policy
mkdir models
for layers in 8 9 10 11; do run 0 zoo make chain:layers=$layers,width=1024 -o models/c$layers.onnx; done
run 0 zoo make chain:layers=12,width=1024 -o models/d.onnx
echo rubbish >models/broken.onnx
rejects 1 'broken.onnx' policy train --corpus models --layers 1 --width 16 --updates 1 -o x.policy
says err 'help: .*--skip-broken'
run 0 policy train --corpus models --layers 1 --width 16 --updates 1 -o x.policy --skip-broken
says err "left out '.*broken.onnx'"
SLUICE_TRAINER=/nowhere/at/all
export SLUICE_TRAINER
rejects 1 "no program '/nowhere/at/all'" policy train -o x.policy
unset SLUICE_TRAINER

# Ctrl-C: the best is kept, and the same call goes on.
"$sluice" policy train $small --updates 400 --seed 1 -o long.policy >out 2>err </dev/null &
pid=$!
for i in $(seq 600); do [ "$(grep -c validation err)" -ge 2 ] && break; sleep 0.1; done
kill -TERM $pid
wait $pid || fail "a stopped training ends with $?"
says err 'goes on from the checkpoint'
[ -e long.policy ] && [ -e long.policy.checkpoint ] || fail "nothing was kept"
run 0 policy evaluate zoo:chain:layers=20,width=1024 -p mcm-36:devices=4 --policy long.policy --evals 5
call="sluice policy train (again)"
"$sluice" policy train $small --updates 400 --seed 1 -o long.policy >out 2>err </dev/null &
pid=$!
for i in $(seq 600); do grep -q 'goes on from its checkpoint' err && break; sleep 0.1; done
kill -TERM $pid
wait $pid || fail "a stopped training ends with $?"
says err 'goes on from its checkpoint'
rejects 1 'another training' policy train $small --updates 400 --seed 2 -o long.policy
