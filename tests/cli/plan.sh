# plan: data on stdout, the rest on stderr, the keys that scripts rely on, the files, the exit codes.
fast="-p asic-16 --evals 4"

# shellcheck disable=SC2086
run 0 plan zoo:chain $fast -k 3
says out '^stage '
says out '^bottleneck '
says out '^bound '
says out 'certified'
says out '^gap '
says out '^stopped '
lacks out 'note:'
says err '^next: '
says err '^plan .*best .*\['      # one line per improvement on a pipe
lacks err "$(printf '\033')"       # and no escape sequences

# --json changes stdout only
# shellcheck disable=SC2086
run 0 plan zoo:chain $fast -k 3 --json
json 'd["format"] == "sluice.plan/1" and d["job"] == "inference" and d["seed"] == 0 and isinstance(d["method"], str)'
json '1 <= len(d["stages"]) <= 3'
json 'set(d["predicted"]) >= {"bottleneck_ps", "throughput_per_s", "latency_ps", "peak_memory_bytes"}'
json 'isinstance(d["bound"]["value_ps"], int) and d["bound"]["certified"] is True and isinstance(d["bound"]["kind"], str)'
json 'd["bound"]["value_ps"] <= d["predicted"]["bottleneck_ps"]'
json 'abs(d["gap"] - (1 - d["bound"]["value_ps"] / d["predicted"]["bottleneck_ps"])) < 1e-9'
json 'isinstance(d["termination"]["reason"], str) and "limit" in d["termination"]'
json 'd["seconds"] >= 0 and isinstance(d["evaluations"], int)'
says err '^plan .*best '

# --quiet: nothing on stderr
# shellcheck disable=SC2086
run 0 plan zoo:chain $fast -k 3 --quiet
silent err

# -o writes the plan and its certificate; --json -o prints the same bytes
# shellcheck disable=SC2086
run 0 plan zoo:chain $fast -k 3 -o my.plan.json --json
cmp -s out my.plan.json || fail "--json and -o differ"
[ -s my.plan.certificate.json ] || fail "no certificate beside the plan"
says err 'sluice verify zoo:chain my.plan.json my.plan.certificate.json'
# shellcheck disable=SC2012
[ "$(ls | grep -c json)" -eq 2 ] || fail "other files were left: $(ls)"
run 0 verify zoo:chain my.plan.json my.plan.certificate.json --json
json 'd["valid"] is True and d["certified"] is True and d["failures"] == []'

# Same inputs, seed and --evals: the same bytes at any --threads, seconds aside
for threads in 1 2 8; do
    # shellcheck disable=SC2086
    run 0 plan zoo:bert-base $fast -k 4 --seed 7 --threads $threads --json --quiet
    grep -v '"seconds"' out >plan.$threads
    cmp -s plan.1 plan.$threads || { diff plan.1 plan.$threads | head -20; fail "the plan depends on --threads"; }
done

# More stages than operators: fewer, and said so
# shellcheck disable=SC2086
run 0 plan zoo:chain:layers=2 $fast -k 1000000 --json
says err 'note: -k 1000000: the model has .* to place'
json 'len(d["stages"]) <= d["k"] < 100'
# shellcheck disable=SC2086
run 0 plan zoo:chain:layers=2 $fast -k 9223372036854775807
says err 'note: -k 9223372036854775807'

# Without -k: as many stages as the platform has devices
# shellcheck disable=SC2086
run 0 plan zoo:bert-base -p edge-chain-4 --evals 2 --json
json 'd["k"] == 4'

# --require-gap: everything is written all the same
run 4 plan zoo:bert-base -p asic-16 -k 7 --method equal-operators --evals 1 --require-gap 0 -o short.json --json
says err 'require-gap'
[ -s short.json ] && [ -s short.certificate.json ] || fail "exit 4 kept nothing"
cmp -s out short.json || fail "exit 4 printed something else"
# shellcheck disable=SC2086
run 0 plan zoo:chain $fast -k 2 --require-gap 0.999

# --time counts from the start and ends the work; who names one gets it used, and without one the method has its usual effort
run 0 plan zoo:mmt:branches=4,layers=8 -p asic-16 -k 7 --time 1 --method random --json
json 'd["termination"]["reason"] == "time" and "--time 1 s" in d["termination"]["limit"]'
run 0 plan zoo:bert-base -p asic-16 -k 7 --time 600 --method equal-operators --json
json 'd["termination"]["reason"] == "finished" and d["termination"]["limit"] is None'
run 0 plan zoo:mmt:branches=4,layers=8 -p asic-16 -k 7 --method random --evals 1000000000000 --time 1 --json
json 'd["termination"]["reason"] == "time" and "--time 1 s" in d["termination"]["limit"]'

# Proven infeasible: 3, and why in numbers
rejects 3 'MiB\|MB\|bytes' plan zoo:bert-large -p mx3-4 -k 4
says err "note: operator [0-9]* is '"
