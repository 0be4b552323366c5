# Files of ours and workloads that are wrong: the line, what is wrong, the nearest match; exit 1, nothing on stdout.
run 0 inspect zoo:chain:layers=3 -o graph.json --quiet
run 0 plan zoo:chain:layers=3 -p asic-16 -k 2 --evals 2 -o plan.json --quiet

# damaged FILE STATEMENT PATTERN ARG...: a changed copy `bad.json` is refused.
damaged() {
    file=$1 statement=$2 pattern=$3; shift 3
    cp "$file" bad.json
    edit bad.json "$statement"
    rejects 1 "$pattern" "$@"
    says err 'bad.json'
}
# unknown keys, with a line and the nearest match; wrong versions and formats
damaged graph.json 'd["operatrs"] = d.pop("operators")' "operators" inspect bad.json
says err 'bad.json:[0-9]*:'
damaged graph.json 'd["format"] = "sluice.graph/2"' 'sluice.graph/1' inspect bad.json
damaged graph.json 'd["format"] = "sluice.plan/1"' '' inspect bad.json
damaged plan.json 'd["stgaes"] = d.pop("stages")' "stages" verify zoo:chain:layers=3 bad.json
says err 'bad.json:[0-9]*:'
damaged plan.json 'd["format"] = "sluice.plan/9"' 'sluice.plan/1' verify zoo:chain:layers=3 bad.json
damaged plan.certificate.json 'd["wintess"] = 1' 'wintess' verify zoo:chain:layers=3 plan.json bad.json
damaged plan.certificate.json 'd["format"] = "sluice.certificate/0"' 'sluice.certificate/1' verify zoo:chain:layers=3 plan.json bad.json

# sizes below zero, near 2^63 and beyond
for size in -1 -9223372036854775808 9223372036854775807 9223372036854775808 1e300 '"many"' null; do
    "$python" - "$size" <<'PY'
import json, re, sys
text = open("graph.json").read()
changed = re.sub(r'("bytes": )\d+', lambda m: m[1] + sys.argv[1], text)
assert changed != text
open("bad.json", "w").write(changed)
PY
    rejects 1 'bad.json' plan bad.json -p asic-16 -k 2
done
for count in -1 9223372036854775807 99999999999999999999; do
    sed "s/\"k\": [0-9]*/\"k\": $count/" plan.json >bad.json
    cmp -s plan.json bad.json && fail "nothing was changed"
    got=0; "$sluice" verify zoo:chain:layers=3 bad.json >out 2>err || got=$?
    call="verify with k = $count"
    [ "$got" -eq 1 ] || [ "$got" -eq 5 ] || fail "exit code $got"
    says err 'error: '
done

# JSON that is none
printf '{"a": 1, "a": 2}' >bad.json;           rejects 1 'bad.json' inspect bad.json
printf '{"format": "sluice.graph/1",' >bad.json; rejects 1 'bad.json' inspect bad.json
printf '[1, 2, 3]' >bad.json;                  rejects 1 'bad.json' inspect bad.json
printf '{}' >bad.json;                         rejects 1 'bad.json' inspect bad.json
printf '{"nodes": NaN}' >bad.json;             rejects 1 'bad.json' inspect bad.json
printf '\000\001\002' >bad.json;               rejects 1 'bad.json' inspect bad.json
"$python" -c 'open("bad.json", "w").write("[" * 5_000_000 + "]" * 5_000_000)'
rejects 1 'bad.json' inspect bad.json
rejects 1 'bad.json' verify zoo:chain:layers=3 bad.json
"$python" -c 'open("bad.json", "w").write("{\"a\":" * 2_000_000 + "1" + "}" * 2_000_000)'
rejects 1 'bad.json' inspect bad.json

# platform files
printf 'format = "sluice.platform/1"\nnmae = "x"\n' >bad.toml; rejects 1 'bad.toml' plan zoo:chain -p bad.toml
printf 'format = "sluice.platform/7"\n' >bad.toml;             rejects 1 'bad.toml' plan zoo:chain -p bad.toml
printf 'this is = = not TOML' >bad.toml;                        rejects 1 'bad.toml:1' plan zoo:chain -p bad.toml
rejects 1 'no-such.toml' plan zoo:chain -p no-such.toml

# a profile in text
printf 'node1 -- Conv -- forward_compute_time=oops\n' >graph.txt
rejects 1 'graph.txt' plan graph.txt

# a missing file's help is about that kind of file
rejects 1 'zoo:NAME' plan no-such.onnx
rejects 1 'no-such.toml' plan zoo:chain -p no-such.toml
lacks err 'zoo:'
rejects 1 'no-such.json' verify zoo:chain no-such.json
lacks err 'zoo:'

# a file's name may be any bytes; the model's name is text all the same
odd=$(printf 'caf\351.onnx')
run 0 zoo make chain:layers=2 -o "$odd"
run 0 plan "$odd" -p asic-16 -k 2 --evals 2 -o odd.json --json
json 'd["model"]["name"] == "caf?"'
run 0 verify "$odd" odd.json odd.certificate.json

# a folder that cannot be written to is named before the planning, not after it
chmod 755 .; cp "$sluice" mine; mkdir shut; chmod 555 shut
other=; [ "$(id -u)" -ne 0 ] || other='setpriv --reuid=65534 --regid=65534 --clear-groups'
call='plan into a folder without write permission' got=0
$other ./mine plan zoo:chain -p asic-16 --evals 2 -o shut/plan.json >out 2>err || got=$?
[ "$got" -eq 1 ] || fail "exit code $got"
silent out
says err "cannot write 'shut/plan.json': Permission denied"
lacks err 'bound'
