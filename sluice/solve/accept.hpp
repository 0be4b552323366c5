// Private to this layer. Which of the certificates that a bound offers is used: none that the independent checker has not accepted, and
// what it refuses is told, never swallowed.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "sluice/base/stop.hpp"
#include "sluice/bound/certificate.hpp"
#include "sluice/bound/registry.hpp"

namespace sluice::solve {

[[nodiscard]] Diagnostic refused(const bound::Certificate& certificate, std::string_view why);

/// The first of these, best first, that the checker accepts for `problem`; its objections to better ones become warnings. `checking`:
/// until when the next one may be checked.
[[nodiscard]] std::optional<bound::Certificate> first_accepted(const cost::StageProblem& problem, std::vector<bound::Certificate> offered,
                                                               const std::function<Limits()>& checking, std::vector<Diagnostic>& warnings);

/// Of a bound that gave none; nothing where it was merely stopped: what was known stays.
[[nodiscard]] std::optional<Diagnostic> failed_bound(std::string_view name, Diagnostic failure);

/// bound.prove, an exception as its Diagnostic.
[[nodiscard]] Result<bound::BoundResult> prove_with(const bound::Bound& bound, const cost::StageProblem& problem,
                                                    const bound::BoundOptions& options, Observer& observer, const Limits& limits);

}  // namespace sluice::solve
