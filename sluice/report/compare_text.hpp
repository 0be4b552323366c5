// What `compare` prints: a row for each method and each bound, and what follows from them. Pure.
#pragma once

#include <span>
#include <string>

#include "sluice/solve/compare.hpp"

namespace sluice::report {

struct Comparison {
    std::span<const solve::MethodRow> methods;
    std::span<const solve::BoundRow> bounds;                  // at least the one that gaps are taken to; may be empty
    cost::Objective objective = cost::Objective::throughput;  // what was optimised: bounds, gaps and ratios are on that
    bool bound_table = false;                                 // bounds were asked for by name: show them all
};

/// The tables, then the best plan, the best certified bound and the gap between them.
[[nodiscard]] std::string compare_text(const Comparison& comparison);

/// A list of methods (design §6); with `bound_table` an object of two lists, `methods` and `bounds`. What is not known is null.
[[nodiscard]] std::string compare_json(const Comparison& comparison);

}  // namespace sluice::report
