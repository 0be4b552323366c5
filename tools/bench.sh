# `./dev bench NAME [ARG...]`, sourced by ./dev inside the environment. NAME is `micro` or a suite of bench/suites.
suites=$(cd "$here/bench/suites" && ls ./*.json 2>/dev/null | sed -e 's|^\./||' -e 's|\.json$||')
case ${1:-} in
    '') printf 'benches:\n  micro\n'; for name in $suites; do printf '  %s\n' "$name"; done ;;
    micro) shift; build release bench_micro; exec "$here/build/release/bench/bench_micro" "$@" ;;
    *)
        printf '%s\n' "$suites" | grep -qx "$1" || die "no bench '$1'; './dev bench' lists them"
        build release sluice
        exec python3 "$here/bench/run_suite.py" "$here" "$@" ;;
esac
