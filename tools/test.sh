# `./dev test`, sourced by ./dev inside the environment. With arguments: one ctest call in the release build. Without: everything
# that CI checks, in this order: release tests, the same core under ASan and UBSan, every fuzz target for a moment.
build release
if [ $# -gt 0 ]; then
    (cd "$here/build/release" && exec ctest --output-on-failure "$@")
    exit $?
fi
# shellcheck source=tools/fuzz_targets.sh
. "$here/tools/fuzz_targets.sh"

[ -d "$shared" ] || say "no $shared: tests that read the real models and workloads there skip themselves"
say "release tests"
(cd "$here/build/release" && ctest --output-on-failure --parallel "$(nproc)")
say "core tests under AddressSanitizer and UndefinedBehaviorSanitizer"
build asan sanitized_tests
# memory errors show in fewer cases than wrong answers: tests/support/effort.hpp does the same for other loops
(cd "$here/build/asan" && RC_PARAMS="max_success=5" ctest --output-on-failure --parallel "$(nproc)" -L sanitized)
say "fuzz targets, ${SLUICE_FUZZ_SECONDS:-10} s each"
build asan fuzz_targets
fuzz_all "${SLUICE_FUZZ_SECONDS:-10}" 1
say "all tests passed"
