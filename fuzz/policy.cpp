// Any bytes as a policy: read, or refused with a Diagnostic; what was read has the weights its shape needs and is written back as the same
// bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sluice/mcm/policy/policy_file.hpp"

using namespace sluice::mcm::policy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto policy = parse_policy(bytes, "fuzz.policy");
    if (!policy) {
        if (policy.error().message.empty() || policy.error().where.file.empty()) std::abort();
        return 0;
    }
    if (policy->weights.size() != weight_count(policy->architecture)) std::abort();
    const auto written = to_policy_bytes(*policy);
    if (!written || *written != bytes) std::abort();
    return 0;
}
