// The adapter around HiGHS 1.10: a linear program in plain integers, minimised in floating point. What it answers is a hint and never a
// proof: duals are recomputed exactly by check_lp, and a bound from its tree search is of kind solver-claimed.
// One thread, no output, no exception leaves. Deterministic under a node limit; with a time limit only the moment of the stop differs.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "sluice/base/stop.hpp"

namespace sluice::bound {

/// Minimise column 0 subject to rows `sum coefficient * column >= least` and bounds on every column.
struct LinearModel {
    static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

    std::vector<std::int64_t> lower, upper;  // per column; kUnlimited is no upper bound
    std::vector<char> integer;               // per column
    std::vector<std::int64_t> least;         // per row
    std::vector<std::size_t> starts{0};      // row r: entries starts[r] .. starts[r + 1]
    std::vector<std::int32_t> columns;
    std::vector<std::int64_t> coefficients;

    std::int32_t add_column(std::int64_t low, std::int64_t high, bool whole = false);
    /// An entry of the row that the next close_row ends.
    void add_entry(std::int32_t column, std::int64_t coefficient);
    void close_row(std::int64_t at_least);
    [[nodiscard]] std::size_t row_count() const { return least.size(); }
};

struct LinearOptions {
    double unit = 1;                     // size of column 0's values, for scaling
    bool relaxed = false;                // columns need not be whole
    bool presolve = true;                // of both
    int seed = 0;                        // of HiGHS's own random choices
    std::optional<std::int64_t> nodes;   // of the tree search, at most
    std::optional<double> seconds = {};  // beside the deadline of the limits
};

enum class LinearStatus { optimal, infeasible, stopped, failed };

struct LinearResult {
    LinearStatus status = LinearStatus::failed;
    double bound = 0;            // at least this, HiGHS claims; tree search only
    double objective = 0;        // of `primal`
    std::vector<double> primal;  // per column; empty: none
    std::vector<double> duals;   // per row, of the relaxed problem only: never negative for a right answer; empty: none
    std::int64_t nodes = 0;
};

[[nodiscard]] LinearResult solve_with_highs(const LinearModel& model, const LinearOptions& options, const Limits& limits);
/// "HiGHS 1.10.0"
[[nodiscard]] std::string highs_version();

}  // namespace sluice::bound
