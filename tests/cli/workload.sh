# A workload with devices of its own: two classes, times and transfers. They are used without -p, and -k adds no device that is there already.
cat >two.json <<'TXT'
{"format": "sluice.graph/1"}
TXT
"$python" - <<'PY'
import json
nodes = [{"id": i, "supportedOnFpga": 1, "fpgaLatency": 1.0, "cpuLatency": 50.0, "isBackwardNode": 0, "colorClass": None, "size": 1.0} for i in range(6)]
for node in nodes: del node["colorClass"]
edges = [{"sourceId": i, "destId": i + 1, "cost": 0.0} for i in range(5)]
json.dump({"maxFPGAs": 2, "maxCPUs": 1, "maxSizePerFPGA": 100.0, "nodes": nodes, "edges": edges}, open("msr.json", "w"))
PY
run 0 plan msr.json --evals 4 --json
json 'd["k"] == 3 and d["cost_source"] == "given"'
json 'sum(s["device_class"] == d["platform"]["classes"][0]["name"] for s in d["stages"]) <= 2'
json 'd["predicted"]["bottleneck_ps"] == 3 * 10**9'
run 0 plan msr.json -k 4 --evals 4 --json
json 'd["predicted"]["bottleneck_ps"] == 2 * 10**9'
rejects 2 'dim' plan msr.json --dim batch=4
