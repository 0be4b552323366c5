# A command as judge that breaks after its first verdicts, or is at work when Ctrl-C comes: the best plan so far is kept, and it is told.
cat >judge.sh <<'SH'
# judge.sh GOOD AND_THEN PLAN: verdicts, each better than the last, for so many calls; what comes after has a will of its own.
count=$(($(cat count 2>/dev/null || echo 0) + 1))
echo $count >count
if [ $count -le $1 ]; then
    echo "{\"throughput_per_s\": $((1000 + count))}"
    exit
fi
case $2 in
    fails) echo 'on fire' >&2; exit 1 ;;
    babbles) echo 'no verdict' ;;
    dies) kill -9 $$ ;;
    sleeps) : >asleep; exec sleep 60 ;;
esac
SH
model="zoo:chain:layers=20"
ring="mcm-36:devices=4,memory=1GiB"

for way in fails:'ended with exit code 1' babbles:'printed no JSON' dies:'\(was ended by signal 9\|ended with exit code 137\)'; do
    for method in auto residual random policy; do
        rm -f count plan.json plan.certificate.json
        run 0 plan $model -p $ring --method $method --judge "sh judge.sh 3 ${way%%:*}" --evals 20 -o plan.json
        says err "warning: the judge 'sh judge.sh 3 ${way%%:*}' ${way#*:}"
        says err 'the best of 3 evaluations before that is kept'
        says out '^judge .*: 1003 inferences/s'
        [ "$(cat count)" -eq 4 ] || fail "$call: $(cat count) calls of a judge that broke in its fourth"
        run 0 verify $model plan.json plan.certificate.json
    done
    rm -f count
    rejects 1 "${way#*:}" plan $model -p $ring --judge "sh judge.sh 0 ${way%%:*}" --evals 20 -o none.json
    [ ! -e none.json ] || fail "$call: a plan without a verdict"
done
rm -f count
run 0 compare $model -p $ring --methods random --judge "sh judge.sh 3 fails" --evals 20
says err "warning: random: the judge 'sh judge.sh 3 fails' ended with exit code 1"

# To sluice alone, as `kill` does, or to all of its group, as a terminal does
cat >interrupt.py <<'PY'
import os, signal, subprocess, sys, time
sluice, whom, good = sys.argv[1:4]
words = ["plan", sys.argv[4], "-p", sys.argv[5], "--judge", f"sh judge.sh {good} sleeps", "--evals", "20", "-o", "plan.json"]
process = subprocess.Popen([sluice, *words], stdout=open("out", "w"), stderr=open("err", "w"), start_new_session=True)
for _ in range(600):
    if os.path.exists("asleep") or process.poll() is not None: break
    time.sleep(0.05)
if process.poll() is not None: sys.exit(f"ended with {process.returncode} before the judge was asleep")
(os.kill if whom == "alone" else os.killpg)(process.pid, signal.SIGINT)
try: print(process.wait(30))
except subprocess.TimeoutExpired:
    os.killpg(process.pid, signal.SIGKILL)
    sys.exit("still running 30 s after the signal")
PY
for whom in alone together; do
    rm -f count asleep plan.json plan.certificate.json
    call="plan, SIGINT to $whom in the fourth verdict"
    code=$("$python" interrupt.py "$sluice" $whom 3 $model $ring) || fail "$code"
    [ "$code" -eq 0 ] || fail "exit code $code"
    says err 'interrupted: stopping'
    lacks err warning
    says out '^stopped .*interrupted'
    says out '^judge .*: 1003 inferences/s'
    grep -q '"interrupted"' plan.json || fail "the plan does not say that it was interrupted"
    run 0 verify $model plan.json plan.certificate.json

    rm -f count asleep plan.json plan.certificate.json
    call="plan, SIGINT to $whom in the first verdict"
    code=$("$python" interrupt.py "$sluice" $whom 0 $model $ring) || fail "$code"
    [ "$code" -eq 130 ] || fail "exit code $code"
    silent out
    [ ! -e plan.json ] || fail "a plan without a verdict"
done
