# Runs one script of this folder: sh check.sh SCRIPT SLUICE PYTHON. The script is sourced in an empty folder and uses the words below; the first
# expectation that does not hold ends it with both streams shown.
set -eu
script=$(readlink -f -- "$1") sluice=$(readlink -f -- "$2") python=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset NO_COLOR CLICOLOR_FORCE
: >out; : >err

fail() {
    echo "FAILED: $*"
    echo "--- stdout (first lines)"; head -c 4000 out
    echo "--- stderr (first lines)"; head -c 4000 err
    exit 1
}

# run CODE ARG...: sluice with these arguments must end with this exit code; its streams are then in `out` and `err`.
run() {
    code=$1; shift
    call="sluice $*"
    got=0
    "$sluice" "$@" >out 2>err </dev/null || got=$?
    [ "$got" -eq "$code" ] || fail "$call: exit code $got, not $code"
}

# says FILE PATTERN: the stream has a line with this basic regular expression. lacks: it has none.
says() { grep -q -e "$2" "$1" || fail "$call: no '$2' in $1"; }
lacks() { if grep -q -e "$2" "$1"; then fail "$call: '$2' in $1"; fi; }
silent() { [ ! -s "$1" ] || fail "$call: $1 is not empty"; }

# rejects CODE PATTERN ARG...: a Diagnostic with PATTERN, this exit code, nothing on stdout.
rejects() {
    expected=$1 pattern=$2; shift 2
    run "$expected" "$@"
    silent out
    says err 'error: '
    says err "$pattern"
}

# json EXPRESSION: stdout is JSON `d`, and the Python expression holds.
json() {
    "$python" -c 'import json, sys
d = json.load(open("out"))
sys.exit(0 if eval(sys.argv[1]) else 1)' "$1" || fail "$call: not so: $1"
}

# edit FILE STATEMENT: changes the JSON file, as `d`.
edit() {
    "$python" -c 'import json, sys
d = json.load(open(sys.argv[1]))
exec(sys.argv[2])
json.dump(d, open(sys.argv[1], "w"), indent=2)' "$1" "$2"
}

. "$script"
