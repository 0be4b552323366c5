# `./dev bench NAME [ARG...]`, sourced by ./dev inside the environment. NAME is a case below, or a suite of bench/suites.
own='mtpp graphpipe mcm micro export runtime kills'  # the first three have suite files, read by programs of their own
suites=$(cd "$here/bench/suites" && ls ./*.json 2>/dev/null | sed -e 's|^\./||' -e 's|\.json$||' -e '/^mtpp$/d' -e '/^graphpipe$/d' -e '/^mcm$/d')
results=$here/bench/results
mkdir -p "$results"
name=${1:-}
[ $# -eq 0 ] || shift
case $name in
    # shellcheck disable=SC2086
    '') printf 'benches:\n'; printf '  %s\n' $own $suites ;;
    micro)
        build release bench_micro
        if [ $# -gt 0 ]; then exec "$here/build/release/bench/bench_micro" "$@"; fi
        json=$here/build/release/bench/micro.json
        "$here/build/release/bench/bench_micro" --benchmark_min_time=0.2s --benchmark_out="$json" --benchmark_out_format=json
        exec python3 "$here/bench/micro_table.py" "$json" "$results/micro.md" ;;
    export)
        build release bench_export
        if [ $# -eq 0 ]; then set -- "$here"/../shared/models/*.onnx "$here"/../shared/models/*.onnx.gz; fi
        [ -e "$1" ] || die "no models: ../shared/models is absent; name them: ./dev bench export MODEL..."
        exec "$here/build/release/bench/bench_export" --zero unet_sd15,multimodal4 -o "$results/export.md" "$@" ;;
    mtpp)
        build release sluice
        exec python3 "$here/bench/run_mtpp.py" "$here" "$@" ;;
    graphpipe)
        build release sluice
        exec python3 "$here/bench/run_graphpipe.py" "$here" "$@" ;;
    mcm)
        build release sluice
        exec python3 "$here/bench/run_mcm.py" "$here" "$@" ;;
    runtime)
        build release sluice
        exec python3 "$here/bench/run_runtime.py" "$here" "$@" ;;
    kills)
        build release sluice
        exec python3 "$here/bench/soak_kill.py" "$here/build/release/bin/sluice" --markdown "$results/kills.md" "$@" ;;
    *)
        printf '%s\n' "$suites" | grep -qx "$name" || die "no bench '$name'; './dev bench' lists them"
        build release sluice
        exec python3 "$here/bench/run_suite.py" "$here" "$name" "$@" ;;
esac
