# `./dev bench NAME [ARG...]`, sourced by ./dev inside the environment. NAME is a case below, or a suite of bench/suites.
suites=$(cd "$here/bench/suites" && ls ./*.json 2>/dev/null | sed -e 's|^\./||' -e 's|\.json$||')
case ${1:-} in
    '') printf 'benches:\n  micro\n  runtime\n'; for name in $suites; do printf '  %s\n' "$name"; done ;;
    micro)
        shift
        build release bench_micro
        if [ $# -gt 0 ]; then exec "$here/build/release/bench/bench_micro" "$@"; fi
        json=$here/build/release/bench/micro.json
        "$here/build/release/bench/bench_micro" --benchmark_min_time=0.2s --benchmark_out="$json" --benchmark_out_format=json
        mkdir -p "$here/bench/results"
        exec python3 "$here/bench/micro_table.py" "$json" "$here/bench/results/micro.md" ;;
    runtime)
        shift
        build release sluice
        exec python3 "$here/bench/run_runtime.py" "$here" "$@" ;;
    *)
        printf '%s\n' "$suites" | grep -qx "$1" || die "no bench '$1'; './dev bench' lists them"
        build release sluice
        exec python3 "$here/bench/run_suite.py" "$here" "$@" ;;
esac
