// What holds for every stage whatever its device class: the numbers that bounds are made of (design §3.1: "a bound takes the fastest class
// per operator"; spill by the largest memory and the fastest link). The checker computes its own.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sluice/base/wide.hpp"
#include "sluice/cost/stage_problem.hpp"

namespace sluice::bound {

/// ceil(a / b); needs b > 0.
[[nodiscard]] constexpr Wide ceil_divide(Wide a, Wide b) { return a <= 0 ? -(-a / b) : (a + b - 1) / b; }

struct Relaxation {
    std::vector<std::int64_t> work;  // per node, on its fastest class
    std::int64_t devices = 0;        // usable together: at most k
    std::int64_t replicas = 1;       // of one stage, at most
    bool spills = false;             // spill(S) >= (parameters(S) - memory) / rate; false: some class never spills
    Bytes memory;
    ByteRate rate{1};
};

[[nodiscard]] Relaxation relax(const cost::StageProblem& problem, std::int64_t stages, std::int64_t max_replicas);

}  // namespace sluice::bound
