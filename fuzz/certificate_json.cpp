// Any bytes as a certificate: read, or refused with a Diagnostic; what was read comes back from its own text, and the checker survives it
// and accepts no claim above the optimum of a small problem.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sluice/bound/check_certificate.hpp"
#include "tests/support/brute_force.hpp"
#include "tests/support/random_problem.hpp"

using namespace sluice;

namespace {

const cost::StageProblem& problem() {
    static const cost::StageProblem made = [] {
        RandomStream random(3, 1);
        test::RandomProblemOptions options;
        options.min_operators = options.max_operators = 6;
        options.spill = options.host_link = options.classes = 1;
        cost::StageProblem result = test::random_problem(random, options, 4);
        result.fingerprint = "p";  // so that the fuzzer can name it
        return result;
    }();
    return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto document = json::parse({reinterpret_cast<const char*>(data), size}, "fuzz.json");
    if (!document) return 0;
    const auto certificate = bound::read_certificate(*document);
    if (!certificate) {
        if (certificate.error().message.empty() || certificate.error().where.file.empty()) std::abort();
        return 0;
    }
    const auto written = json::parse(bound::to_json_text(*certificate, false), "again.json");
    if (!written) std::abort();
    const auto again = bound::read_certificate(*written);
    if (!again || *again != *certificate) std::abort();

    static const test::PartitionOptimum optimum(problem());
    if (!bound::check_certificate(problem(), *certificate).empty()) return 0;
    const std::int64_t devices = std::min<std::int64_t>(certificate->stages, 12);
    if (certificate->value.count() > optimum.at(devices, std::min(certificate->max_replicas, devices))) std::abort();
    return 0;
}
