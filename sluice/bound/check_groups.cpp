#include "sluice/bound/check_groups.hpp"

#include <algorithm>
#include <format>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <queue>

namespace sluice::bound {

namespace {

using cost::Overflow;
using cost::StageProblem;
using Index = CheckedGroups::Index;
__extension__ typedef __int128 Wide;

constexpr Wide kPicosecondsPerSecond = 1'000'000'000'000;
constexpr std::int64_t kLargestSum = std::int64_t{1} << 61;  // of all costs together: room for a difference of two sums
constexpr Index kNone = std::numeric_limits<Index>::max();

std::unexpected<Diagnostic> objection(std::string message) {
    return fail(Diagnostic{DiagnosticKind::verification, std::move(message), {}, {}, {}});
}

Wide time_of(Wide charge, Wide bytes, Wide rate) { return (charge * bytes * kPicosecondsPerSecond + rate - 1) / rate; }

/// What a stage costs on no class less than: per node, in picoseconds and bytes.
struct Floor {
    std::vector<std::int64_t> work;
    bool spills = false;
    std::int64_t memory = 0, rate = 1;
};

Floor floor_of(const StageProblem& problem) {
    Floor floor;
    floor.work.assign(problem.node_count(), 0);
    std::vector<char> known(problem.node_count(), 0);
    bool unlimited = false;
    for (const auto& device : problem.classes) {
        if (device.count <= 0) continue;
        device.supported.for_each([&](std::size_t v) {
            floor.work[v] = known[v] ? std::min(floor.work[v], device.work[v].count()) : device.work[v].count();
            known[v] = 1;
        });
        unlimited = unlimited || device.overflow == Overflow::unlimited;
        floor.memory = std::max(floor.memory, device.fast_memory.count);
        if (device.overflow != Overflow::spill) continue;
        floor.rate = floor.spills ? std::max(floor.rate, device.spill_rate.bytes_per_second) : device.spill_rate.bytes_per_second;
        floor.spills = true;
    }
    Wide parameters = 0;
    for (Bytes bytes : problem.weight_bytes) parameters += bytes.count;
    floor.spills = floor.spills && !unlimited && parameters > floor.memory;
    return floor;
}

/// Groups under way: who belongs together, and the proof of the next merge.
class Merging {
public:
    Merging(const StageProblem& problem, const Floor& floor, std::int64_t work, std::int64_t transfer)
        : problem_(problem),
          floor_(floor),
          work_(work),
          transfer_(transfer),
          leader_(problem.node_count()),
          members_(problem.node_count()),
          edge_stamp_(problem.edge_count(), 0),
          weight_stamp_(problem.weight_count(), 0) {
        std::iota(leader_.begin(), leader_.end(), Index{0});
        for (Index v = 0; v < members_.size(); ++v) members_[v] = {v};
    }

    Index leader(std::size_t node) {
        auto v = static_cast<Index>(node);
        while (leader_[v] != v) v = leader_[v] = leader_[leader_[v]];
        return v;
    }

    /// False: not proven to cost nothing.
    bool merge(Index a, Index b) {
        if (!into_parent(a, b) && !into_parent(b, a) && !into_child(a, b) && !into_child(b, a)) return false;
        if (members_[a].size() < members_[b].size()) std::swap(a, b);
        leader_[b] = a;
        members_[a].insert(members_[a].end(), members_[b].begin(), members_[b].end());
        members_[b] = {};
        return true;
    }

private:
    /// Time of the parameters that `moved` uses and `other` does not.
    Wide spill_of(Index moved, Index other) {
        if (!floor_.spills) return 0;
        ++stamp_;
        Wide bytes = 0;
        for (Index v : members_[moved])
            for (WeightId weight : problem_.weights[v]) {
                if (std::exchange(weight_stamp_[weight.index()], stamp_) == stamp_) continue;
                const auto users = problem_.weight_users[weight.index()];
                if (std::ranges::none_of(users, [&](NodeId user) { return leader(user.index()) == other; }))
                    bytes += problem_.weight_bytes[weight.index()].count;
            }
        return time_of(work_, bytes, floor_.rate);
    }

    Wide work_of(Index moved) const {
        Wide sum = 0;
        for (Index v : members_[moved]) sum += floor_.work[v];
        return work_ * sum;
    }

    bool into_parent(Index moved, Index parent) {
        bool child = false;
        for (Index v : members_[moved])
            for (NodeId before : problem_.predecessors[v]) {
                const Index group = leader(before.index());
                if (group != moved && group != parent) return false;
                child = child || group == parent;
            }
        if (!child) return false;
        Wide own = work_of(moved) + spill_of(moved, parent), saved = 0;
        ++stamp_;
        for (Index v : members_[moved]) {
            for (EdgeId edge : problem_.outputs[v]) {
                const auto readers = problem_.consumers[edge.index()];
                if (std::ranges::any_of(readers, [&](NodeId reader) { return leader(reader.index()) != moved; }))
                    own += static_cast<Wide>(transfer_) * problem_.transfer[edge.index()].count();
            }
            for (EdgeId edge : problem_.inputs[v]) {
                const NodeId from = problem_.producer[edge.index()];
                if (!from.valid() || leader(from.index()) != parent || std::exchange(edge_stamp_[edge.index()], stamp_) == stamp_) continue;
                if (std::ranges::all_of(problem_.consumers[edge.index()], [&](NodeId reader) {
                        const Index group = leader(reader.index());
                        return group == moved || group == parent;
                    }))
                    saved += static_cast<Wide>(transfer_) * problem_.transfer[edge.index()].count();
            }
        }
        return own <= saved;
    }

    bool into_child(Index moved, Index child) {
        bool parent = false;
        for (Index v : members_[moved])
            for (NodeId after : problem_.successors[v]) {
                const Index group = leader(after.index());
                if (group != moved && group != child) return false;
                parent = parent || group == child;
            }
        if (!parent) return false;
        Wide own = work_of(moved) + spill_of(moved, child), saved = 0;
        ++stamp_;
        for (Index v : members_[moved]) {
            for (EdgeId edge : problem_.inputs[v]) {
                const NodeId from = problem_.producer[edge.index()];
                if (!from.valid() || leader(from.index()) == moved || std::exchange(edge_stamp_[edge.index()], stamp_) == stamp_) continue;
                own += static_cast<Wide>(transfer_) * problem_.transfer[edge.index()].count();
            }
            for (EdgeId edge : problem_.outputs[v]) {
                const auto readers = problem_.consumers[edge.index()];
                if (std::ranges::any_of(readers, [&](NodeId reader) { return leader(reader.index()) != moved; }))
                    saved += static_cast<Wide>(transfer_) * problem_.transfer[edge.index()].count();
            }
        }
        return own <= saved;
    }

    const StageProblem& problem_;
    const Floor& floor_;
    std::int64_t work_, transfer_;
    std::vector<Index> leader_;
    std::vector<std::vector<Index>> members_;  // per leader
    std::vector<std::uint32_t> edge_stamp_, weight_stamp_;
    std::uint32_t stamp_ = 0;
};

/// Groups in the order asked for, as leaders; checked to be each once and, later, topological.
Result<std::vector<Index>> leaders_in_order(const StageProblem& problem, Merging& merging, std::span<const NodeId> order) {
    const std::size_t nodes = problem.node_count();
    std::size_t groups = 0;
    for (std::size_t v = 0; v < nodes; ++v) groups += merging.leader(v) == v;
    std::vector<Index> leaders;
    if (!order.empty()) {
        if (order.size() != groups) return objection(std::format("an order has {} groups, there are {}", order.size(), groups));
        for (NodeId node : order) {
            if (!node.valid() || node.index() >= nodes) return objection(std::format("an order names node {}", node.index()));
            leaders.push_back(merging.leader(node.index()));
        }
        return leaders;
    }
    std::vector<Index> lowest(nodes, kNone);
    std::vector<std::size_t> waiting(nodes, 0);
    std::vector<std::vector<Index>> after(nodes);
    for (std::size_t v = 0; v < nodes; ++v) {
        const Index group = merging.leader(v);
        lowest[group] = std::min(lowest[group], static_cast<Index>(v));
        for (NodeId next : problem.successors[v])
            if (const Index other = merging.leader(next.index()); other != group) {
                after[group].push_back(other);
                ++waiting[other];
            }
    }
    std::priority_queue<Index, std::vector<Index>, std::greater<>> ready;  // lowest nodes
    for (std::size_t v = 0; v < nodes; ++v)
        if (lowest[v] != kNone && waiting[v] == 0) ready.push(lowest[v]);
    while (!ready.empty()) {
        leaders.push_back(merging.leader(ready.top()));
        ready.pop();
        for (Index next : after[leaders.back()])
            if (--waiting[next] == 0) ready.push(lowest[next]);
    }
    if (leaders.size() != groups) return objection("the merges of the witness make a cycle");
    return leaders;
}

Rows<Index> rows_of(std::vector<std::vector<Index>> rows) {
    for (auto& row : rows) {
        std::ranges::sort(row);
        row.erase(std::ranges::unique(row).begin(), row.end());
    }
    return Rows<Index>(rows);
}

}  // namespace

std::int64_t CheckedGroups::transfer_time(std::int64_t bytes) const {
    return spills ? static_cast<std::int64_t>(time_of(charge_work, bytes, rate)) : 0;
}

std::int64_t CheckedGroups::value_of(const graph::NodeSet& downset) const {
    std::int64_t value = 0;
    downset.for_each([&](std::size_t g) {
        value += work[g];
        for (Index t : outputs[g])
            if (std::ranges::any_of(consumers[t], [&](Index reader) { return !downset.contains(reader); })) value -= transfer[t];
    });
    return value;
}

Result<CheckedGroups> check_groups(const StageProblem& problem, std::int64_t scale, std::int64_t work, std::int64_t transfer,
                                   std::span<const std::pair<NodeId, NodeId>> merges, std::span<const NodeId> order) {
    constexpr std::int64_t kLargestScale = std::int64_t{1} << 20;
    if (scale < 1 || scale > kLargestScale) return objection(std::format("scale {} is not within 1 to {}", scale, kLargestScale));
    if (work < 0 || work > scale || transfer < 0 || transfer > scale)
        return objection(std::format("the charges {} and {} are not within 0 to the scale {}", work, transfer, scale));
    if (problem.model != cost::StageModel::serial && work + 2 * transfer > scale)
        return objection(std::format("charges {} + 2 * {} exceed the scale {}: transfers overlap with work here", work, transfer, scale));

    const std::size_t nodes = problem.node_count();
    const Floor floor = floor_of(problem);
    Merging merging(problem, floor, work, transfer);
    for (const auto& [first, second] : merges) {
        if (!first.valid() || first.index() >= nodes || !second.valid() || second.index() >= nodes)
            return objection(std::format("a merge names nodes {} and {}, the problem has {}", first.index(), second.index(), nodes));
        const Index a = merging.leader(first.index()), b = merging.leader(second.index());
        if (a == b) return objection(std::format("nodes {} and {} are merged already", first.index(), second.index()));
        if (!merging.merge(a, b))
            return objection(std::format("merging the groups of nodes {} and {} could cost a stage", first.index(), second.index()));
    }

    const auto leaders = leaders_in_order(problem, merging, order);
    if (!leaders) return fail(leaders.error());
    std::vector<Index> number(nodes, kNone);
    for (std::size_t g = 0; g < leaders->size(); ++g)
        if (std::exchange(number[(*leaders)[g]], static_cast<Index>(g)) != kNone) return objection("an order names a group twice");

    CheckedGroups groups;
    groups.scale = scale;
    groups.charge_work = work;
    groups.spills = floor.spills;
    groups.memory = floor.memory;
    groups.rate = floor.rate;
    groups.group_of.resize(nodes);
    std::vector<Wide> sums(leaders->size(), 0);
    std::vector<std::vector<Index>> before(leaders->size()), after(leaders->size());
    for (std::size_t v = 0; v < nodes; ++v) {
        groups.group_of[v] = number[merging.leader(v)];
        sums[groups.group_of[v]] += static_cast<Wide>(work) * floor.work[v];
    }
    for (std::size_t v = 0; v < nodes; ++v)
        for (NodeId next : problem.successors[v]) {
            const Index from = groups.group_of[v], to = groups.group_of[next.index()];
            if (from > to) return objection("an order of the witness is not topological");
            if (from == to) continue;
            after[from].push_back(to);
            before[to].push_back(from);
        }
    groups.predecessors = rows_of(std::move(before));
    groups.successors = rows_of(std::move(after));

    Wide total = 0;
    for (Wide sum : sums) total += sum;
    std::map<std::pair<Index, std::vector<Index>>, Wide> tensors;
    for (std::size_t e = 0; e < problem.edge_count(); ++e) {
        const Wide charged = static_cast<Wide>(transfer) * problem.transfer[e].count();
        if (!problem.producer[e].valid() || charged == 0) continue;
        const Index from = groups.group_of[problem.producer[e].index()];
        std::vector<Index> readers;
        for (NodeId reader : problem.consumers[e])
            if (const Index group = groups.group_of[reader.index()]; group != from) readers.push_back(group);
        std::ranges::sort(readers);
        readers.erase(std::ranges::unique(readers).begin(), readers.end());
        if (readers.empty()) continue;
        total += charged * static_cast<Wide>(readers.size() + 1);
        tensors[{from, std::move(readers)}] += charged;
    }
    std::vector<std::vector<Index>> inputs(groups.size()), outputs;
    if (groups.spills) {
        Wide bytes = 0;
        for (Bytes weight : problem.weight_bytes) bytes += weight.count;
        if (bytes > kLargestSum) return objection("the parameters are beyond what can be checked");
        total += time_of(work, bytes, floor.rate);
    }
    if (total > kLargestSum) return objection("the costs at this scale are beyond what can be checked");

    for (Wide sum : sums) groups.work.push_back(static_cast<std::int64_t>(sum));
    inputs.resize(groups.size());
    outputs.resize(groups.size());
    for (const auto& [ends, charged] : tensors) {
        const auto t = static_cast<Index>(groups.producer.size());
        groups.producer.push_back(ends.first);
        groups.consumers.push_row(ends.second);
        groups.transfer.push_back(static_cast<std::int64_t>(charged));
        outputs[ends.first].push_back(t);
        for (Index reader : ends.second) inputs[reader].push_back(t);
    }
    groups.inputs = Rows<Index>(inputs);
    groups.outputs = Rows<Index>(outputs);

    std::vector<std::vector<Index>> weights(groups.size());
    std::map<std::vector<Index>, std::int64_t> by_users;
    for (std::size_t w = 0; groups.spills && w < problem.weight_count(); ++w) {
        std::vector<Index> users;
        for (NodeId user : problem.weight_users[w]) users.push_back(groups.group_of[user.index()]);
        std::ranges::sort(users);
        users.erase(std::ranges::unique(users).begin(), users.end());
        if (!users.empty() && problem.weight_bytes[w].count > 0) by_users[std::move(users)] += problem.weight_bytes[w].count;
    }
    for (const auto& [users, bytes] : by_users) {
        const auto w = static_cast<Index>(groups.weight_bytes.size());
        groups.weight_bytes.push_back(bytes);
        for (Index user : users) weights[user].push_back(w);
    }
    groups.weights = Rows<Index>(weights);
    return groups;
}

}  // namespace sluice::bound
