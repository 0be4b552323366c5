# What is wrong with the call itself: exit 2, nothing on stdout, the nearest match where there is one.
rejects 2 'needs a verb'
rejects 2 "did you mean 'plan'" plna zoo:chain
rejects 2 "did you mean '--platform'" plan zoo:chain --platfrom cpu
rejects 2 "did you mean '--stages'" plan zoo:chain --stage 4
rejects 2 "no flag '--weights'" plan zoo:chain --weights none
rejects 2 'needs MODEL' plan
rejects 2 "does not take 'more'" plan zoo:chain more
rejects 2 'at least 1' plan zoo:chain -k 0
rejects 2 'at least 1' plan zoo:chain -k -3
rejects 2 'largest number' plan zoo:chain -k 9223372036854775808
rejects 2 'whole number' plan zoo:chain -k four
rejects 2 'time' plan zoo:chain --time soon
rejects 2 'share' plan zoo:chain --gap 2
rejects 2 'elite=2' plan zoo:chain --genetic elite=2
rejects 2 'twice' plan zoo:chain --genetic bias=0.5,bias=0.6
rejects 2 'no share' plan zoo:chain --genetic elites=0.1
rejects 2 'NAME=VALUE' plan zoo:chain --dim batch
rejects 2 "cannot be 'policy'" bound zoo:chain --for policy
rejects 2 'one of: ' plan zoo:chain --method nonsense
rejects 2 'one of: ' bound zoo:chain --method nonsense
rejects 2 "did you mean 'list'" zoo lits
rejects 2 'needs NAME' zoo make
rejects 2 'needs -o' zoo make chain
rejects 2 'stdout' plan zoo:chain -o -
rejects 2 'one of: bash' completions tcsh
rejects 2 "did you mean 'zsh'" completions zhs
rejects 2 'looks like a flag' plan zoo:chain -o --json

# Names: the nearest match again. A platform or model that is not there is bad input or a bad call; never a crash, never silence.
run_any() { got=0; "$sluice" "$@" >out 2>err || got=$?; call="sluice $*"; [ "$got" -eq 1 ] || [ "$got" -eq 2 ] || fail "$call: exit code $got"; silent out; says err 'error: '; }
run_any plan zoo:chain -p asic-61; says err "asic-16"
run_any plan zoo:chain -p asic-16:lnik=8GB/s; says err "link"
run_any plan zoo:chian; says err "chain"
run_any inspect zoo:bert-bsae; says err "bert-base"
run_any zoo make bert-bsae -o x.onnx; says err "bert-base"
[ ! -e x.onnx ] || fail "a file was made for a model that does not exist"
run_any zoo list bert-bsae; says err "bert-base"
# Where nothing can be written, nothing is planned first.
rejects 1 'there is no folder' plan zoo:chain -o no/such/plan.json
rejects 1 'directory' plan zoo:chain -o .
