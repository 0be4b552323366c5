// Private to this layer. An order cut into slices so that the busiest group of devices has as little to do as possible: its passes over a
// mini-batch, the sum of its gradients and its optimiser's step. Bisection on that time; for a time, dynamic programming over devices: the
// farthest prefix of the order that the first d devices hold (farther is never worse, so nothing else need be known). What is charged is an
// estimate for choosing cuts; cost::price and the simulator have the last word.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "sluice/training/auto/layout.hpp"

namespace sluice::training {

class Slicer {
public:
    Slicer(const cost::TrainingProblem& problem, const std::vector<NodeId>& order);

    /// Every group as large as pays: groups from device 0 on, one slice each.
    [[nodiscard]] std::optional<Layout> by_device(std::int64_t micro_batch);
    /// Groups of `replicas` devices with `slices` slices each, in turn (0, 1, …, 0, 1, …) or there and back (0, 1, …, 1, 0, …).
    [[nodiscard]] std::optional<Layout> in_turn(std::int64_t micro_batch, std::int64_t replicas, std::int64_t slices, bool there_and_back);

    /// Every slice in so many of equal parameters on the same devices: the sum of one's gradients runs beside the passes of the next.
    [[nodiscard]] Layout in_pieces(const Layout& layout, std::int64_t pieces) const;

    /// What the layout found last charges its busiest group.
    [[nodiscard]] std::int64_t load() const { return load_; }

private:
    using Prefix = std::vector<std::int64_t>;  // picoseconds of all passes of the nodes before, for one micro-batch
    void find_crossing();
    /// What no slice exceeds: everything on one device of each class.
    [[nodiscard]] std::int64_t whole_load(std::int64_t micro_batch);
    const Prefix& prefix(ClassId device, std::int64_t samples);
    /// Per place, the last one up to it where one may cut behind a group that ends before device `end`: its links carry what crosses there
    /// within `load`. At the end nothing crosses.
    [[nodiscard]] const std::vector<std::uint32_t>& carried(std::int64_t end, std::int64_t count, std::int64_t load);
    /// Farthest end of a slice from `begin` on `count` devices of a class within `load`.
    [[nodiscard]] std::uint32_t reach(std::uint32_t begin, ClassId device, std::int64_t first, std::int64_t count, std::int64_t micro_batch,
                                      std::int64_t load);
    [[nodiscard]] std::int64_t load_of(std::uint32_t begin, std::uint32_t end, ClassId device, std::int64_t first, std::int64_t count,
                                       std::int64_t micro_batch);
    /// Group sizes that may begin at a device: inside a node, or whole nodes.
    [[nodiscard]] bool may_group(std::int64_t first, std::int64_t count) const;

    const cost::TrainingProblem& problem_;
    const std::vector<NodeId>& order_;
    std::map<std::pair<std::size_t, std::int64_t>, Prefix> prefixes_;
    std::vector<std::int64_t> parameters_, state_;         // bytes of the nodes before, each weight where it comes first
    std::vector<std::vector<std::uint32_t>> unsupported_;  // per class: of the nodes before
    std::vector<std::int64_t> crossing_;                   // bytes for one sample, by the place before which one cuts
    std::map<std::pair<bool, std::int64_t>, std::vector<std::uint32_t>> carried_;  // of carried_load_, by kind and number of links
    std::int64_t carried_load_ = -1;
    std::int64_t devices_ = 0;
    std::int64_t load_ = 0;
};

}  // namespace sluice::training
