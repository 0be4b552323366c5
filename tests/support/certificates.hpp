// What the checker of bounds says, and certificates from text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/json.hpp"
#include "sluice/bound/certificate.hpp"
#include "sluice/bound/check_certificate.hpp"

namespace sluice::test {

/// "" for none.
inline std::string first_of(const std::vector<Diagnostic>& faults) { return faults.empty() ? "" : faults.front().message; }

/// The checker's first one; "" when it accepts.
inline std::string objection(const cost::StageProblem& problem, const bound::Certificate& certificate, const Limits& limits = {}) {
    return first_of(bound::check_certificate(problem, certificate, limits));
}

inline Result<bound::Certificate> read_certificate(std::string_view text) {
    const auto document = json::parse(text, "certificate.json");
    if (!document) return fail(document.error());
    return bound::read_certificate(*document);
}

}  // namespace sluice::test
