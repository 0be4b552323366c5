// Chain of cuts (notes/bounds 2.2, with proof there): what must hold of every downset that a partition's first stages can be. For an
// order of the groups a downset has the type i of its first missing position (mirrored: one more than its last position inside); minimum
// cuts over each type bound work and cut of its downsets, and a recursion over types and devices left refutes a threshold or gives the
// completion tables that prune exact search.
// Between downsets D within D' a stage costs at least work(D') - work(D) + cut(D) + cut(D'), less what tensors that lie across the whole
// stage pay in the cuts and not in the stage. That is why the recursion subtracts the most that can lie across a stage of two types, and
// why its needs are not monotone in the type. Building: three small minimum cuts a type. A threshold: O(groups window (devices replicas +
// degree)) where a window is the types that a stage below the threshold can reach. O(groups^2 / 8) bytes. Deterministic at any number of
// threads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sluice/base/csr.hpp"
#include "sluice/base/stop.hpp"
#include "sluice/graph/node_set.hpp"
#include "sluice/search/serial_problem.hpp"

namespace sluice::search {

/// With `devices` left, a downset D of type i other than the whole can only be completed below the threshold when
/// value(D) >= need(devices, i), where value(D) = factor (work(D) - cut(D)) + sum of share over D, all in the units of ChainOfCuts.
/// Types are 0 to the number of groups. The whole is complete with any devices, whatever its type's need; need_from never excludes it.
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
    /// What is known of the downsets of one type, `share` counted as work; and of tensors: twice the transfer of those that may leave one
    /// of them. Least and most over all of them, exactly.
    struct Type {
        std::int64_t least_sum = 0;        // work + cut
        std::int64_t most_difference = 0;  // work - cut
        std::int64_t least_cut = 0;
        std::int64_t across = 0;
    };

    /// `order` is topological. Where it is very wide (the types leave millions of positions open), the result refutes nothing.
    /// `theta_halves` of the spill (0, 1, 2) are charged to the groups that hold the parameters. nullopt: stopped
    /// by the limits.
    static std::optional<ChainOfCuts> build(const SerialProblem& problem, std::span<const SerialProblem::Index> order,
                                            std::int64_t theta_halves, const Limits& limits, bool mirrored = false, int threads = 1);

    /// True: no partition has f(S) <= replicas * threshold for all stages (threshold in the problem's units). `table`, when given, is
    /// filled where it returns false.
    [[nodiscard]] bool refutes(std::int64_t threshold, CompletionTable* table = nullptr) const;

    [[nodiscard]] std::span<const SerialProblem::Index> order() const { return order_; }
    [[nodiscard]] std::span<const std::uint32_t> position() const { return position_; }  // per group
    [[nodiscard]] bool mirrored() const { return mirrored_; }
    [[nodiscard]] std::int64_t theta_halves() const { return theta_halves_; }
    [[nodiscard]] std::int64_t factor() const { return factor_; }                 // units of this table a unit of the problem
    [[nodiscard]] std::span<const std::int64_t> share() const { return share_; }  // per group: spill charged, in units of this table
    [[nodiscard]] std::span<const Type> types() const { return types_; }          // per type

private:
    class TypeCuts;
    class Recursion;

    std::vector<SerialProblem::Index> order_;
    std::vector<std::uint32_t> position_;
    bool mirrored_ = false;
    bool usable_ = true;  // sums far from leaving int64, an order not too wide; else nothing is refuted
    std::int64_t theta_halves_ = 0, factor_ = 1;
    std::int64_t devices_ = 0, replicas_ = 1;
    std::int64_t allowance_ = 0;  // of spill that fast memory spares each stage
    std::vector<std::int64_t> share_;
    std::vector<Type> types_;
    // The problem with positions for groups, in units of this table; work holds the shares too.
    std::int64_t total_ = 0;
    std::vector<std::int64_t> work_, transfer_;
    std::vector<std::uint32_t> made_at_;
    Rows<std::uint32_t> read_at_;        // per tensor, ascending
    Rows<std::uint32_t> reads_, makes_;  // tensors per position
    std::vector<graph::NodeSet> cone_;   // per position: it and its descendants; mirrored: it and its ancestors
};

}  // namespace sluice::search
