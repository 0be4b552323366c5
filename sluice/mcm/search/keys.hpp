// Private to this layer. Orders from keys, and legal assignments from orders: the encoding in which every vector of numbers is an answer.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/base/stop.hpp"
#include "sluice/mcm/search/lessons.hpp"
#include "sluice/mcm/search/repair.hpp"

namespace sluice::mcm {

using Keys = std::vector<float>;  // per node

/// Kahn's algorithm, the smallest key first, of equals the smaller number. O(n log n + m).
[[nodiscard]] std::vector<NodeId> order_by_keys(const cost::StageProblem& costs, std::span<const float> keys);
/// Keys in [0, 1) that give `order` back.
[[nodiscard]] Keys keys_of(std::span<const NodeId> order);
/// An order in which the chips follow each other.
[[nodiscard]] std::vector<NodeId> order_of(std::span<const std::uint8_t> chips);

/// Drawn evenly for every node between its earliest and its latest level in the graph, in [0, 1).
class LevelKeys {
public:
    explicit LevelKeys(const cost::StageProblem& costs);
    [[nodiscard]] Keys draw(RandomStream& random) const;

private:
    std::vector<std::uint32_t> earliest_, latest_;
    std::uint32_t levels_ = 1;
};

/// Best slicing of an order under the planners' cost; where it has no legal one, its equal shares of work repaired.
class Decoder {
public:
    explicit Decoder(const ChipProblem& problem) : problem_(problem), lessons_(problem), repair_(problem) {}

    /// From any number of threads. nullopt: repair() is to be asked.
    [[nodiscard]] std::optional<Assignment> slice(std::span<const NodeId> order, const Limits& limits) const;
    [[nodiscard]] Result<Assignment> repair(std::span<const NodeId> order, RandomStream& random, const Limits& limits);
    [[nodiscard]] Result<Assignment> decode(std::span<const NodeId> order, RandomStream& random, const Limits& limits);
    /// Of `chips`.
    void learn(const Verdict& verdict, std::span<const std::uint8_t> chips);

private:
    const ChipProblem& problem_;
    Lessons lessons_;
    Repair repair_;
};

}  // namespace sluice::mcm
