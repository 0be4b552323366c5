// Chain of cuts (notes/bounds 2.2, with proof there): what must hold of every downset that a partition's first stages can be. For an
// order of the groups a downset has the type i of its first missing position; minimum cuts over each type bound work and cut of its
// downsets, and a recursion over types and devices left refutes a threshold or gives the completion tables that prune exact search.
// Building: three small minimum cuts a type. A threshold: O(devices replicas groups^2). Deterministic.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sluice/base/stop.hpp"
#include "sluice/search/serial_problem.hpp"

namespace sluice::search {

/// With `devices` left, a downset D of type i can only be completed below the threshold when value(D) >= need(devices, i), where
/// value(D) = factor (work(D) - cut(D)) + sum of share over D, all in the units of ChainOfCuts.
class CompletionTable {
public:
    CompletionTable() = default;
    CompletionTable(std::size_t groups, std::int64_t devices);
    [[nodiscard]] std::int64_t need(std::int64_t devices_left, std::size_t type) const {
        return need_[static_cast<std::size_t>(devices_left) * width_ + type];
    }
    /// Least need of this type and all later ones: need() is not monotone, and a stage that still grows may end at any later type.
    [[nodiscard]] std::int64_t need_from(std::int64_t devices_left, std::size_t type) const {
        return need_from_[static_cast<std::size_t>(devices_left) * width_ + type];
    }
    std::int64_t& need_at(std::int64_t devices_left, std::size_t type) {
        return need_[static_cast<std::size_t>(devices_left) * width_ + type];
    }
    void take_suffix_minima();  // once need is filled

private:
    std::size_t width_ = 0;
    std::vector<std::int64_t> need_, need_from_;
};

class ChainOfCuts {
public:
    /// `theta_halves` of the spill (0, 1, 2) are charged to the groups that hold the parameters. nullopt: stopped by the limits.
    static std::optional<ChainOfCuts> build(const SerialProblem& problem, std::span<const SerialProblem::Index> order,
                                            std::int64_t theta_halves, const Limits& limits);

    /// True: no partition has f(S) <= replicas * threshold for all stages (threshold in the problem's units). `table`, when given, is
    /// filled where it returns false.
    [[nodiscard]] bool refutes(std::int64_t threshold, CompletionTable* table = nullptr) const;

    [[nodiscard]] std::span<const SerialProblem::Index> order() const { return order_; }
    [[nodiscard]] std::span<const std::uint32_t> position() const { return position_; }  // per group
    [[nodiscard]] std::int64_t theta_halves() const { return theta_halves_; }
    [[nodiscard]] std::int64_t factor() const { return factor_; }                 // units of this table a unit of the problem
    [[nodiscard]] std::span<const std::int64_t> share() const { return share_; }  // per group: spill charged, in units of this table

private:
    std::vector<SerialProblem::Index> order_;
    std::vector<std::uint32_t> position_;
    std::int64_t theta_halves_ = 0, factor_ = 1;
    std::vector<std::int64_t> share_;
    // … tables per type
};

/// Counting weights (notes/bounds 2.3): over any stage with f(S) <= r threshold they sum to at most r << kCountingShift, so over all groups
/// to at most devices << kCountingShift, and over those outside a downset to at most what the devices left can take.
inline constexpr int kCountingShift = 32;
struct CountingWeights {
    std::vector<std::int64_t> weight;  // per group, rounded down
    std::int64_t total = 0;
    bool refuted = false;  // the total is above devices << kCountingShift, or some group fits no stage
};
[[nodiscard]] std::optional<CountingWeights> counting_weights(const SerialProblem& problem, std::int64_t threshold, int threads,
                                                              const Limits& limits);

}  // namespace sluice::search
