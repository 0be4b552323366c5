// What `plan` and `compare` print for a ring of chips: the plan beside its judge, what was rewritten; a row for each method. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sluice/plan/plan.hpp"
#include "sluice/solve/chips.hpp"

namespace sluice::report {

/// plan_text, and what the judge and the rewrites are.
[[nodiscard]] std::string chips_plan_text(const plan::Plan& plan, const solve::ChipSolveResult& result);

struct ChipRow {
    std::string method;
    std::optional<plan::Plan> plan = {};  // none: `failure` says why
    std::vector<mcm::Improvement> curve = {};
    std::int64_t failed = 0;  // evaluations that did not compile
    std::optional<Diagnostic> failure = {};
};
/// The row with the least period under its judge; null when none has a plan.
[[nodiscard]] const ChipRow* best_of(std::span<const ChipRow> rows);
[[nodiscard]] std::string chips_compare_text(std::span<const ChipRow> rows);
/// A list of methods (design §6), each with its `curve`: [evaluations, period in ps] of every improvement. What is not known is null.
[[nodiscard]] std::string chips_compare_json(std::span<const ChipRow> rows);

}  // namespace sluice::report
