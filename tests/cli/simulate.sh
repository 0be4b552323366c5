# simulate: the plan's throughput, links that are shared, a trace that a viewer can trust, and errors before anything starts.
run 0 plan zoo:residual -p asic-16 -k 4 --evals 4 -o plan.json --quiet
run 0 simulate zoo:residual plan.json
says out '^stage  *device  *work'
says out '^throughput .* in the steady part$'
says out '^predicted .*; simulated the same$'
says out '^latency '
says out 'uniform topology, fifo links, serial cost'
run 0 simulate zoo:residual plan.json --quiet
silent err
cp out first
run 0 simulate zoo:residual plan.json --quiet
cmp -s out first || fail "two runs differ"

run 0 simulate zoo:residual plan.json --json --inputs 300
json 'abs(d["error"]) < 1e-12 and d["inputs"] == d["outputs"] == 300 and d["steady"]["reached"]'
json 'abs(d["throughput_per_s"] / d["predicted_throughput_per_s"] - 1) < 1e-12 and isinstance(d["latency_ps"], int)'
json 'd["steady"]["time_ps"] == d["steady"]["inputs"] * d["bottleneck"]["time_ps"]'
json 'max(s["utilisation"] for s in d["stages"]) == 1 and all(0 < s["utilisation"] <= 1 for s in d["stages"])'
json 'all(s["peak_memory_bytes"] <= s["reserved_memory_bytes"] for s in d["stages"])'
run 0 simulate zoo:residual plan.json --json --inputs 1
json 'd["throughput_per_s"] is None and d["error"] is None and not d["steady"]["reached"] and d["latency_ps"] == d["makespan_ps"]'
run 0 simulate zoo:residual plan.json --inputs 3
says out 'so few inputs'

# a slow shared wire binds
cat >chain.toml <<'T'
format = "sluice.platform/1"
name = "chain"
topology = "chain"
[[devices]]
name = "core"
count = 4
compute = { f32 = "10 GFLOP/s" }
memory = "unlimited"
memory_rate = "100 GB/s"
[link]
rate = "10 MB/s"
T
run 0 plan zoo:residual -p chain.toml -k 4 --evals 4 -o chain.json --quiet
for sharing in fifo fair; do
    run 0 simulate zoo:residual chain.json --sharing $sharing --json
    json 'any(l["name"] == "0 -> 1" and 0 < l["utilisation"] <= 1 for l in d["links"])'
done
run 0 simulate zoo:residual chain.json
says out '^link  *busy'
says out '^0 -> 1 '
rejects 2 'fifo' simulate zoo:residual chain.json --sharing fifi

# the trace: slices of a track one after another, arrows in pairs from an earlier to a later slice, memory never below zero
cat >trace.py <<'PY'
import json, sys
from collections import defaultdict
trace = json.load(open(sys.argv[1]))
events = trace["traceEvents"]
for e in events:  # microseconds with six decimals are picoseconds
    for key in ("ts", "dur"):
        if key in e: e[key] = round(e[key] * 1e6)
tracks, starts, ends, names, groups = defaultdict(list), {}, {}, {}, {}
for e in events:
    if e["ph"] == "X":
        assert e["dur"] > 0 and e["ts"] >= 0, e
        tracks[e["pid"], e["tid"]].append((e["ts"], e["ts"] + e["dur"], e["args"]["input"], e["name"]))
    elif e["ph"] == "s":
        assert e["id"] not in starts, e
        starts[e["id"]] = e
    elif e["ph"] == "f":
        assert e["id"] not in ends and e["bp"] == "e", e
        ends[e["id"]] = e
    elif e["ph"] == "C":
        assert e["args"]["bytes"] >= 0 and e["name"] == "memory", e
    else:
        assert e["ph"] == "M", e
        if e["name"] == "thread_name": names[e["pid"], e["tid"]] = e["args"]["name"]
        if e["name"] == "process_name": groups[e["pid"]] = e["args"]["name"]
assert set(tracks) == set(names), "a track without a name, or a name without a slice"
assert set(groups) == {pid for pid, _ in names}
inputs = defaultdict(set)
for track, slices in tracks.items():
    slices.sort()
    for a, b in zip(slices, slices[1:]):
        assert a[1] <= b[0], (track, a, b)
    inputs[track] = {s[2] for s in slices}
assert starts and set(starts) == set(ends), "arrows do not pair up"
for id, s in starts.items():
    f = ends[id]
    assert f["ts"] >= s["ts"], id
    ordered = []
    for e in (s, f):
        inside = [x for x in tracks[e["pid"], e["tid"]] if x[0] <= e["ts"] < x[1]]
        assert len(inside) == 1, (id, inside)
        ordered.append(inside[0])
    assert ordered[0][2:] == ordered[1][2:], ordered           # the same tensor of the same input
assert any(e["ph"] == "C" for e in events)
wanted = int(sys.argv[2])
assert all(len(i) == wanted for t, i in inputs.items() if "links" not in groups[t[0]]), "an input is missing on a track"
print(len(events))
PY
for plan in plan chain; do
    run 0 simulate zoo:residual $plan.json --inputs 50 --trace $plan.trace.json
    says err "wrote the trace of .* to $plan.trace.json"
    call="trace of $plan.json"
    "$python" trace.py $plan.trace.json 50 >out || fail "the trace does not hold"
done
grep -q '"links"' chain.trace.json || fail "no track for the shared links"
rejects 2 '1000000 in all' simulate zoo:residual plan.json --inputs 100000000 --trace big.json
says err 'help: trace at most'
[ ! -e big.json ] || fail "a trace that was refused"
rejects 1 'no-such-folder' simulate zoo:residual plan.json --trace no-such-folder/t.json
run 0 simulate zoo:residual plan.json --inputs 2 --quiet --trace plan.trace.json
silent err

# another model; inputs that are none, and too many
run 0 zoo make chain -o other.onnx --quiet
rejects 1 'fingerprint\|another model' simulate other.onnx plan.json
rejects 2 'inputs' simulate zoo:residual plan.json --inputs 0
rejects 2 '1073741824' simulate zoo:residual plan.json --inputs 1000000000000000
rejects 1 'no-such-plan.json' simulate zoo:residual no-such-plan.json

# Ctrl-C keeps what was simulated so far
call="simulate, interrupted"
"$python" - "$sluice" >out 2>err <<'PY' || fail "interrupted run"
import json, signal, subprocess, sys, time
for delay in (1, 5, 25):  # on a busy machine a signal may come before the first output: a clean 130
    process = subprocess.Popen([sys.argv[1], "simulate", "zoo:residual", "plan.json", "--inputs", "500000000", "--json"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    if process.returncode == 0: break
    assert process.returncode in (130, -signal.SIGINT) and not out, (process.returncode, out, err)
assert process.returncode == 0, (process.returncode, err)
assert b"interrupted after" in err, err
d = json.loads(out)
assert 0 < d["outputs"] < d["inputs"] and abs(d["error"]) < 1e-3, d
PY
