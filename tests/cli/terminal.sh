# On a terminal: one line, redrawn; NO_COLOR; nothing drawn with --quiet; stdout stays clean. A pseudo-terminal is stderr here.
cat >terminal.py <<'PY'
import os, pty, subprocess, sys
out = open("out", "wb")
parent, child = pty.openpty()
environment = {**os.environ, "TERM": "xterm", **dict(word.split("=") for word in sys.argv[1].split())}
process = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=out, stderr=child, env=environment)
os.close(child)
screen = b""
while True:
    try: piece = os.read(parent, 65536)
    except OSError: break
    if not piece: break
    screen += piece
open("screen", "wb").write(screen)
sys.exit(process.wait())
PY
# enough evaluations to use the time up
plan="plan zoo:mmt:branches=4,layers=8 -p asic-16 -k 7 --method random --evals 1000000000000"
escape=$(printf '\033')
on_terminal() { call="on a terminal: $*"; "$python" terminal.py "$@" || fail "$call"; cp screen err; }

# shellcheck disable=SC2086
on_terminal "COLUMNS=80" "$sluice" $plan --time 2
says screen "$escape\[Kplan [0-9.]*s  best .*  bound .*  gap "
says screen "$escape\[1;36mnext:"
lacks out "$escape"
[ "$(grep -c 'plan [0-9.]*s  best' screen)" -le 3 ] || fail "$call: the live line scrolls"
"$python" - <<'PY' || fail "$call: more than ten redraws a second, or one before 0.3 s"
import re
times = [float(t) for t in re.findall(rb"\x1b\[Kplan ([0-9.]+)s", open("screen", "rb").read())]
assert times and times[0] >= 0.3 and len(times) <= 10 * times[-1] + 1, times
PY
# shellcheck disable=SC2086
on_terminal "NO_COLOR=1" "$sluice" $plan --time 1
lacks screen "$escape\[[0-9;]*m"
# shellcheck disable=SC2086
on_terminal "A=b" "$sluice" $plan --time 1 --quiet
silent screen
# shellcheck disable=SC2086
on_terminal "TERM=dumb" "$sluice" $plan --time 1
lacks screen "$escape"
