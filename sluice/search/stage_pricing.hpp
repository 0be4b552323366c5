// Pricing of stages: of all sets of groups that could be a stage of a given cost, the heaviest under any weights. What makes weights a
// proof (no stage of f(S) <= r T weighs more than r devices) and what finds the stages that they overrate.
// By dynamic programming along a topological order: every group lies before, in or behind the stage, never further forward than what it
// reads, and a state is where the tensors lie that a later group still reads. Towers and experts, which wide downset searches fail on, have
// few states. Per state the costs and weights that no other beats; where these are too many, near ones become one that is cheaper and
// heavier than both, so what is said of the heaviest stage stays an upper bound.
// O(groups states labels) time. Deterministic: only the set of labels of a state counts, not how they came.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sluice/base/stop.hpp"
#include "sluice/search/serial_problem.hpp"
#include "sluice/search/spill_share.hpp"

namespace sluice::search {

class StagePricing {
public:
    using Index = SerialProblem::Index;
    static constexpr std::size_t kMostOpen = 42;  // tensors that a state tells of
    static constexpr std::size_t kMostStates = 4096;
    static constexpr std::int64_t kMostWays = std::int64_t{1} << 23;  // of states over all positions, about
    static constexpr std::int64_t kWayWork = 50;
    static constexpr std::int64_t kMostLabels = std::int64_t{1} << 20;  // of all states together

    /// Where there are more than kMostStates states, or fewer on problems so large that all their ways would be more than kMostWays, what
    /// the tensors cost that cost least is left out: cheaper stages, still a bound.
    /// `theta_halves` of the spill are charged as work. nullopt: stopped by the limits, or too many states all the same.
    static std::optional<StagePricing> build(const SerialProblem& problem, std::span<const Index> order, std::int64_t theta_halves,
                                             const Limits& limits);

    struct Point {
        std::int64_t cost, weight;
    };
    struct Options {
        std::int64_t limit = 0;                   // in the units of charge(): stages of at most this cost
        std::int64_t labels = 64;                 // per state, at most
        std::optional<std::int64_t> wanted = {};  // stages heavier than this are listed: at most one for each last group
    };
    struct Result {
        std::vector<Point> frontier;             // ascending in both: no stage of less than the next cost weighs more
        std::vector<std::vector<Index>> stages;  // groups ascending
        std::int64_t work = 0;                   // labels made, and kWayWork for every state's way to another
    };
    /// `weights` per group, not negative, their sum below 2^62. nullopt: stopped by the limits.
    [[nodiscard]] std::optional<Result> price(std::span<const std::int64_t> weights, const Options& options, const Limits& limits) const;

    /// factor f(S) + allowance is at least this, in 1/factor, without what is not charged.
    [[nodiscard]] std::int64_t charged_cost(std::span<const Index> stage) const;
    [[nodiscard]] const SpillShare& charge() const { return charge_; }
    [[nodiscard]] std::span<const Index> order() const { return order_; }
    [[nodiscard]] std::span<const std::uint32_t> uncharged() const { return uncharged_; }  // positions whose outputs are not charged
    [[nodiscard]] std::int64_t states() const { return states_; }                          // of the widest position
    [[nodiscard]] std::int64_t least_work() const { return kWayWork * static_cast<std::int64_t>(ways_.size()); }  // of a call

private:
    __extension__ typedef unsigned __int128 Key;  // three bits a slot
    struct Open {
        unsigned slot;
        std::int64_t transfer;
        bool last = false;  // it is read for the last time
    };
    struct Step {
        std::int64_t work = 0;
        std::vector<Open> reads, makes;
    };
    struct Choice {
        Key key;
        std::int64_t cost;
        bool possible;
    };
    struct Choices {
        Choice before, in, behind;
    };
    /// From a state to a state over one position.
    struct Way {
        std::int64_t cost;
        std::int64_t leaves;  // inside: what else a stage that ends here pays for what it has made
        std::uint16_t from, to;
        bool inside;
    };
    class Run;

    [[nodiscard]] static Choices choices(const Step& step, Key key);
    [[nodiscard]] std::vector<Step> lay_out(const std::vector<char>& charged) const;
    std::optional<std::vector<Step>> limit_states(const Limits& limits);
    bool find_ways(const std::vector<Step>& steps, const Limits& limits);
    [[nodiscard]] std::span<const Way> ways(std::size_t position) const {
        return std::span(ways_).subspan(first_way_[position], first_way_[position + 1] - first_way_[position]);
    }

    const SerialProblem* problem_ = nullptr;
    SpillShare charge_;
    std::vector<Index> order_;
    std::vector<std::uint32_t> uncharged_;
    std::vector<Way> ways_;               // per position, ascending in `to`
    std::vector<std::size_t> first_way_;  // per position, and the end
    std::int64_t states_ = 1;
};

}  // namespace sluice::search
