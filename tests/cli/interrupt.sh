# The first Ctrl-C stops at the next check and writes everything, exit 0; the second ends at once with 130.
cat >signals.py <<'PY'
import os, random, signal, subprocess, sys, time
sluice, mode = sys.argv[1:3]
def start(*words):
    return subprocess.Popen([sluice, *words], stdout=open("out", "w"), stderr=open("err", "w"))
def wait_for(text, process):
    for _ in range(600):
        if text in open("err").read(): return
        if process.poll() is not None: sys.exit(f"ended with {process.returncode} before {text!r}")
        time.sleep(0.05)
    sys.exit(f"no {text!r} in 30 s")
def ended(process, seconds=30):
    try: return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        sys.exit(f"still running {seconds} s after the signal")
# (two towers: no bound meets its best plan within the time of this test)
long = ["plan", "zoo:mmt", "-p", "asic-16", "-k", "13", "--evals", "1000000000000", "-o", "plan.json"]
if mode == "once":
    process = start(*long)
    wait_for("best", process)
    process.send_signal(getattr(signal, sys.argv[3]))
    code = ended(process)
    if code != 0: sys.exit(f"exit code {code}")
elif mode == "twice":
    process = start(*long)
    wait_for("best", process)
    os.kill(process.pid, signal.SIGSTOP)     # both signals are there when it goes on
    for number in (signal.SIGINT, signal.SIGTERM): process.send_signal(number)
    os.kill(process.pid, signal.SIGCONT)
    code = ended(process)
    if code != 130: sys.exit(f"exit code {code}")
else:  # at a random moment: a valid plan and 0, or nothing at all
    process = start(*long)
    time.sleep(random.uniform(0, 1.5))
    process.send_signal(signal.SIGINT)
    code = ended(process)
    print(code)
PY
for signal in SIGINT SIGTERM; do
    rm -f plan.json plan.certificate.json
    call="plan, then $signal"
    "$python" signals.py "$sluice" once $signal || fail "$call"
    says err 'interrupted: stopping'
    says out '^stopped .*interrupted'
    run 0 verify zoo:mmt plan.json plan.certificate.json
    grep -q '"interrupted"' plan.json || fail "the plan does not say that it was interrupted"
done

rm -f plan.json plan.certificate.json
call="plan, then two signals"
"$python" signals.py "$sluice" twice || fail "$call"
silent out
[ ! -e plan.json ] || fail "a plan after the second signal"

for _ in 1 2 3; do
    rm -f plan.json plan.certificate.json
    call="plan, interrupted at a random moment"
    code=$("$python" signals.py "$sluice" random) || fail "$code"
    case $code in
        0) run 0 verify zoo:mmt plan.json plan.certificate.json ;;
        130 | -2) silent out; [ ! -e plan.json ] || fail "exit $code and a plan" ;;
        *) fail "exit code $code" ;;
    esac
done
