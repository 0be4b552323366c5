// Every bound by name: what `bound --method` offers.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "sluice/base/blackboard.hpp"
#include "sluice/base/observer.hpp"
#include "sluice/base/stop.hpp"
#include "sluice/bound/certificate.hpp"
#include "sluice/cost/objective.hpp"
#include "sluice/cost/stage_problem.hpp"

namespace sluice::bound {

struct BoundOptions {
    std::int64_t stages = 1;
    int threads = 1;
    std::optional<Duration> enough = {};  // the best known bottleneck: nothing above it can be proven
    std::int64_t max_replicas = 1;        // of a stage: the bound holds for partitions with no more
    // Latency: of the bounds on the bottleneck each is one on the latency too, when made for a single replica (certificate.hpp);
    // max_replicas is 1 then. Only `combinatorial` and `auto` look further. Who calls marks the certificate.
    cost::Objective objective = cost::Objective::throughput;
    Bytes memory{std::int64_t{4} << 30};     // that exact search may use for its states
    const Blackboard* other_side = nullptr;  // the best bottleneck found meanwhile; null where results must not depend on timing
};

struct BoundResult {
    Certificate certificate;
    Termination termination;
    std::vector<Certificate> weaker = {};   // found on the way: to fall back on when the best takes too long to check
    std::optional<Certificate> claim = {};  // more than the certificate proves, but nobody can check it: kind solver-claimed
};

/// What one kind of bound adds to what is known: a certificate above a floor, if it finds one.
struct Raised {
    std::optional<Certificate> certificate;
    Termination termination;
};

/// Fails where there is nothing to bound: no operators, no devices.
[[nodiscard]] Result<void> refuse_empty(const cost::StageProblem& problem, const BoundOptions& options);

using BoundFunction = Result<BoundResult> (*)(const cost::StageProblem&, const BoundOptions&, Observer&, const Limits&);

struct Bound {
    std::string_view name;
    std::string_view description;
    std::string_view source;
    BoundFunction prove = nullptr;
};

[[nodiscard]] std::span<const Bound> bounds();
[[nodiscard]] Result<const Bound*> find_bound(std::string_view name);

}  // namespace sluice::bound
