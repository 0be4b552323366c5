# `./dev fuzz [SECONDS]`, sourced by ./dev inside the environment.
# shellcheck source=tools/fuzz_targets.sh
. "$here/tools/fuzz_targets.sh"
build fuzz
fuzz_all "${1:-600}"
