# `./dev fuzz [SECONDS]`, sourced by ./dev inside the environment.
# shellcheck source=tools/fuzz_targets.sh
. "$here/tools/fuzz_targets.sh"
case ${1:-600} in *[!0-9]*|0) die "fuzz takes a whole number of seconds above 0, not '$1'" ;; esac
build asan fuzz_targets
fuzz_all "${1:-600}"
