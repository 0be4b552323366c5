# fuzz_all SECONDS [SEED]: every built fuzz target for so long; two at a time. A finding stays in build/asan/findings and fails the call.
# With a seed, the inputs are the same every time (a slower machine sees fewer of them): what a gate needs. Without, they are new.
fuzz_all() {
    findings=$here/build/asan/findings
    mkdir -p "$findings"
    targets=$(cd "$here/fuzz" && ls ./*.cpp | sed -e 's|^\./||' -e 's|\.cpp$||')
    [ -n "$targets" ] || die "no fuzz targets in fuzz/"
    for name in $targets; do
        mkdir -p "$here/build/asan/corpus/$name" "$here/fuzz/corpus/$name"
        printf '%s\n' "$name"
    done | xargs -P "$(nproc)" -I {} sh -c '
        if ! "$1/build/asan/fuzz/fuzz_$2" -max_total_time="$3" -seed="$5" -rss_limit_mb=4096 -timeout=20 -print_final_stats=1 \
            -artifact_prefix="$4/$2-" "$1/build/asan/corpus/$2" "$1/fuzz/corpus/$2" >"$4/$2.log" 2>&1; then
            tail -n 40 "$4/$2.log" >&2; echo "fuzz $2: FAILED, input in build/asan/findings" >&2; exit 1
        fi
        printf "fuzz %s: %s inputs, no finding\n" "$2" "$(sed -n "s/^stat::number_of_executed_units: *//p" "$4/$2.log")"
    ' sh "$here" {} "$1" "$findings" "${2:-0}" || die "fuzzing found something"
}
