#include "sluice/training/auto/layout.hpp"

#include <algorithm>
#include <cassert>
#include <functional>
#include <utility>

#include "sluice/base/distinct.hpp"

namespace sluice::training {

namespace {

/// Parts of one slice beyond this many are joined: each costs a pass of its own per micro-batch.
constexpr std::size_t kMostParts = 8;
/// What carries less than this share of a slice's work is no stage of its own.
constexpr std::int64_t kSmallest = 50;

/// Depth first: what has become ready last goes next, so a branch is followed to its end.
std::vector<NodeId> depth_first(const Rows<NodeId>& before, const Rows<NodeId>& after, RandomStream* random = nullptr) {
    std::vector<std::uint32_t> waiting(before.size());
    std::vector<NodeId> stack, order;
    for (std::size_t v = before.size(); v-- > 0;) {
        waiting[v] = static_cast<std::uint32_t>(before[v].size());
        if (waiting[v] == 0) stack.emplace_back(v);
    }
    if (random) random->shuffle(std::span(stack));
    order.reserve(before.size());
    while (!stack.empty()) {
        const NodeId node = stack.back();
        stack.pop_back();
        order.push_back(node);
        const auto next = after[node.index()];
        const std::size_t waited = stack.size();
        for (std::size_t i = next.size(); i-- > 0;)
            if (--waiting[next[i].index()] == 0) stack.push_back(next[i]);
        if (random) random->shuffle(std::span(stack).subspan(waited));
    }
    return order;
}

/// The stages that one slice is made of: each node goes with what it reads, until it brings together parts that each have work worth a
/// stage of their own. Parts are joined only where neither reads from the other, so that no cycle comes about.
class Parts {
public:
    Parts(const cost::TrainingProblem& problem, ClassId device, const std::vector<std::uint32_t>& position)
        : problem_(problem), position_(position), work_(problem.node_count()) {
        for (std::size_t v = 0; v < work_.size(); ++v)
            for (const cost::OperatorPasses& passes : problem.classes[device.index()].passes[v]) work_[v] += passes.at(1).total().count();
    }

    std::vector<std::vector<NodeId>> of(std::span<const NodeId> slice, std::uint32_t begin) {
        parts_.clear();
        part_of_.assign(slice.size(), 0);
        small_ = 0;
        for (const NodeId node : slice) small_ += work_[node.index()];
        small_ /= kSmallest;
        for (std::uint32_t i = 0; i < slice.size(); ++i) add(slice, begin, i);
        join_small();
        // Whoever reads another reads all that it reads, and itself: more.
        std::vector<std::uint32_t> order;
        for (std::uint32_t part = 0; part < parts_.size(); ++part) {
            if (root(part) != part) continue;
            for (std::uint32_t& one : parts_[part].reads) one = root(one);
            keep_distinct(parts_[part].reads);
            order.push_back(part);
        }
        std::ranges::stable_sort(order, {}, [&](std::uint32_t part) { return parts_[part].reads.size(); });
        std::vector<std::uint32_t> place(parts_.size());
        for (std::uint32_t at = 0; at < order.size(); ++at) place[order[at]] = at;
        std::vector<std::vector<NodeId>> stages(order.size());
        for (std::uint32_t i = 0; i < slice.size(); ++i) stages[place[root(part_of_[i])]].push_back(slice[i]);
        return stages;
    }

private:
    struct Part {
        std::uint32_t joined;  // itself, or the part that it has become part of
        std::int64_t work = 0;
        std::vector<std::uint32_t> reads = {};  // parts, transitively; kept up to date for parts that stand
    };

    std::uint32_t root(std::uint32_t part) {
        while (parts_[part].joined != part) part = parts_[part].joined = parts_[parts_[part].joined].joined;
        return part;
    }
    bool reads(std::uint32_t part, std::uint32_t other) {
        return std::ranges::any_of(parts_[part].reads, [&](std::uint32_t read) { return root(read) == other; });
    }
    void read(std::uint32_t part, std::uint32_t other) {
        std::vector<std::uint32_t>& all = parts_[part].reads;
        all.push_back(other);
        all.insert(all.end(), parts_[other].reads.begin(), parts_[other].reads.end());
        for (std::uint32_t& one : all) one = root(one);
        keep_distinct(all);
    }
    /// No third part is between the two.
    bool may_join(std::uint32_t a, std::uint32_t b, std::span<const std::uint32_t> standing) {
        if (reads(b, a)) std::swap(a, b);
        if (!reads(a, b)) return true;
        return std::ranges::none_of(
            standing, [&](std::uint32_t part) { return root(part) == part && part != a && part != b && reads(a, part) && reads(part, b); });
    }
    void join(std::uint32_t into, std::uint32_t part) {
        parts_[part].joined = into;
        parts_[into].work += parts_[part].work;
        const std::vector<std::uint32_t> all = parts_[part].reads;
        for (const std::uint32_t one : all)
            if (root(one) != into) read(into, root(one));
        std::erase_if(parts_[into].reads, [&](std::uint32_t one) { return root(one) == into; });
        for (std::uint32_t other = 0; other < parts_.size(); ++other)  // whoever read one of the two now reads what both read
            if (other != into && root(other) == other && reads(other, into)) read(other, into);
    }

    void add(std::span<const NodeId> slice, std::uint32_t begin, std::uint32_t i) {
        std::vector<std::uint32_t> from;
        for (const NodeId before : problem_.structure.predecessors[slice[i].index()])
            if (const std::uint32_t at = position_[before.index()]; at >= begin) from.push_back(root(part_of_[at - begin]));
        keep_distinct(from);
        // What another of them reads needs no deciding; of the rest, the one with most work takes the small ones in.
        std::vector<std::uint32_t> last;
        for (const std::uint32_t part : from)
            if (std::ranges::none_of(from, [&](std::uint32_t other) { return other != part && reads(other, part); })) last.push_back(part);
        std::ranges::sort(last, std::greater{}, [&](std::uint32_t part) { return parts_[part].work; });
        while (last.size() > 1 && parts_[last.back()].work <= small_) {
            join(last.front(), last.back());
            last.pop_back();
        }
        std::uint32_t part;
        if (last.size() == 1) {
            part = last.front();
        } else {
            part = static_cast<std::uint32_t>(parts_.size());
            parts_.push_back({.joined = part});
            for (const std::uint32_t other : last) read(part, other);
        }
        part_of_[i] = part;
        parts_[part].work += work_[slice[i].index()];
    }

    /// Small parts, and the smallest of too many, go to the largest part that they may be joined with.
    void join_small() {
        std::vector<std::uint32_t> standing;
        for (std::uint32_t part = 0; part < parts_.size(); ++part)
            if (root(part) == part) standing.push_back(part);
        std::ranges::stable_sort(standing, std::greater{}, [&](std::uint32_t part) { return parts_[part].work; });
        for (std::size_t at = standing.size(); at-- > 1;) {
            const std::uint32_t part = standing[at];
            if (at < kMostParts && parts_[part].work > small_) break;
            for (std::size_t other = 0; other < at; ++other) {
                if (root(standing[other]) != standing[other] || !may_join(standing[other], part, standing)) continue;
                join(standing[other], part);
                break;
            }
        }
    }

    const cost::TrainingProblem& problem_;
    const std::vector<std::uint32_t>& position_;
    std::vector<std::int64_t> work_;  // per node
    std::vector<Part> parts_;
    std::vector<std::uint32_t> part_of_;  // per place in the slice
    std::int64_t small_ = 0;
};

}  // namespace

std::vector<std::vector<NodeId>> branch_orders(const cost::StageProblem& problem) {
    std::vector<std::vector<NodeId>> orders{depth_first(problem.predecessors, problem.successors),
                                            depth_first(problem.successors, problem.predecessors)};
    std::ranges::reverse(orders[1]);
    std::vector<NodeId> model;
    for (std::size_t v = 0; v < problem.node_count(); ++v) model.emplace_back(v);
    orders.push_back(std::move(model));
    std::vector<std::vector<NodeId>> distinct;
    for (auto& order : orders)
        if (!std::ranges::contains(distinct, order)) distinct.push_back(std::move(order));
    return distinct;
}

std::vector<NodeId> random_branch_order(const cost::StageProblem& problem, RandomStream& random) {
    const bool mirrored = random.chance(0.5);
    auto order = mirrored ? depth_first(problem.successors, problem.predecessors, &random)
                          : depth_first(problem.predecessors, problem.successors, &random);
    if (mirrored) std::ranges::reverse(order);
    return order;
}

ClassId class_of(const cost::TrainingProblem& problem, std::int64_t device) {
    std::size_t c = 0;
    for (std::int64_t last = 0; c + 1 < problem.structure.classes.size(); ++c) {
        last += problem.structure.classes[c].count;
        if (device < last) break;
    }
    return ClassId(c);
}

bool supported(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition) {
    return std::ranges::all_of(partition.stages, [&](const cost::TrainingStage& stage) {
        const graph::NodeSet& can = problem.structure.classes[stage.device.index()].supported;
        return std::ranges::all_of(stage.nodes, [&](NodeId node) { return can.contains(node.index()); });
    });
}

cost::TrainingPartition stages_of(const cost::TrainingProblem& problem, const Layout& layout) {
    const std::vector<NodeId>& order = *layout.order;
    std::vector<std::uint32_t> position(order.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) position[order[i].index()] = i;
    cost::TrainingPartition partition{.stages = {}, .schedule = cost::Schedule::list};
    Parts parts(problem, class_of(problem, 0), position);
    std::uint32_t begin = 0;
    for (std::size_t slice = 0; slice < layout.cuts.size(); ++slice) {
        const std::uint32_t end = layout.cuts[slice];
        assert(begin <= end);
        const DeviceSpan& group = layout.groups[layout.group_of[slice]];
        const ClassId device = class_of(problem, group.first);
        const auto nodes_of = std::span(order).subspan(begin, end - begin);
        auto stages =
            layout.whole ? std::vector(begin < end ? 1 : 0, std::vector(nodes_of.begin(), nodes_of.end())) : parts.of(nodes_of, begin);
        for (auto& nodes : stages) {
            std::ranges::sort(nodes);
            partition.stages.push_back({.nodes = std::move(nodes),
                                        .device = device,
                                        .first_device = group.first,
                                        .replicas = group.count,
                                        .micro_batch = layout.micro_batch});
        }
        begin = end;
    }
    return partition;
}

}  // namespace sluice::training
