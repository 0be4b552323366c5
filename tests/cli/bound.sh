# bound: the certificate alone, that `verify` accepts with a plan for the same problem.
run 0 bound zoo:chain -p asic-16 -k 3
says out 'every partition into at most 3 stages'
says out 'certified'
says err '^next: sluice plan zoo:chain -p asic-16 -k 3'
run 0 bound zoo:chain -p asic-16 -k 3 -o c.json --json
cmp -s out c.json || fail "--json and -o differ"
json 'd["format"] == "sluice.certificate/1"'
json 'set(d["bound"]) == {"value_ps", "kind", "certified"} and d["bound"]["certified"] is True'
run 0 bound zoo:chain -p asic-16 -k 3 --quiet
silent err

# Against a plan: the gap, and an end where they meet. Platform and stages are the plan's.
run 0 plan zoo:chain -p asic-16 -k 1 -o plan.json --quiet
run 0 bound zoo:chain --against plan.json
says out '^plan '
says out '^gap  *0%'
says out 'plan and bound met'
run 0 bound zoo:bert-base -p asic-16 -k 6 --gap 99%
says out '^plan .*found on the way'
says out '^stopped .*gap asked for'
rejects 1 "'plan.json' is no plan for this" bound zoo:resnet50 --against plan.json
rejects 1 'missing.json' bound zoo:chain --against missing.json

# The time is kept, Ctrl-C keeps the best so far: certified in either case
run 0 bound zoo:bert-large -p asic-16 -k 13 --time 0.5 --json
json 'd["bound"]["certified"] and d["bound"]["value_ps"] > 0'
cat >interrupt.py <<'PY'
import signal, subprocess, sys, time
process = subprocess.Popen(sys.argv[1:], stdout=open("out", "w"), stderr=open("err", "w"))
def caught(): return int(open(f"/proc/{process.pid}/status").read().split("SigCgt:")[1].split()[0], 16) & 2
for _ in range(600):
    if caught(): break
    time.sleep(0.01)
time.sleep(0.3)
process.send_signal(signal.SIGINT)
sys.exit(process.wait(30))
PY
call="bound, then SIGINT"
"$python" interrupt.py "$sluice" bound zoo:bert-large -p asic-16 -k 13 --time 60 --json || fail "$call: $?"
json 'd["bound"]["certified"] and d["bound"]["value_ps"] > 0'

# A solver's word is shown for what it is, and only to who asked for it by name
run 0 bound zoo:chain -p asic-16 -k 3 --method superblocks --json
json 'd["bound"]["certified"] == (d["bound"]["kind"] != "solver-claimed") and d["bound"]["value_ps"] > 0'
