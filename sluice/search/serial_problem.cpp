#include "sluice/search/serial_problem.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <limits>
#include <map>
#include <numeric>
#include <queue>

#include "sluice/base/distinct.hpp"
#include "sluice/base/wide.hpp"
#include "sluice/search/cones.hpp"

namespace sluice::search {

namespace {

using cost::StageModel;
using cost::StageProblem;
using Index = SerialProblem::Index;

std::vector<Index> inverse_order(std::span<const Index> order) {
    std::vector<Index> position(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) position[order[i]] = static_cast<Index>(i);
    return position;
}

/// Numbers the quotient's groups topologically, the one with the smallest node first among the ready. `label` per group, any numbers below
/// `labels`; needs an acyclic quotient.
std::vector<Index> topological_numbers(const SerialProblem& problem, std::span<const Index> label, std::size_t labels) {
    std::vector<std::vector<Index>> after(labels);
    std::vector<NodeId> first(labels);
    for (std::size_t g = 0; g < label.size(); ++g) {
        first[label[g]] = std::min(first[label[g]], problem.members[g].front());  // an invalid id is the largest
        for (Index next : problem.successors[g])
            if (label[next] != label[g]) after[label[g]].push_back(label[next]);
    }
    std::vector<Index> waiting(labels, 0);
    for (auto& row : after) {
        keep_distinct(row);
        for (Index next : row) ++waiting[next];
    }
    using Ready = std::pair<NodeId, Index>;
    std::priority_queue<Ready, std::vector<Ready>, std::greater<>> ready;
    for (std::size_t l = 0; l < labels; ++l)
        if (waiting[l] == 0) ready.emplace(first[l], static_cast<Index>(l));
    std::vector<Index> order;
    order.reserve(labels);
    while (!ready.empty()) {
        const Index l = ready.top().second;
        ready.pop();
        order.push_back(l);
        for (Index next : after[l])
            if (--waiting[next] == 0) ready.emplace(first[next], next);
    }
    assert(order.size() == labels && "a merge made a cycle");
    return inverse_order(order);
}

/// Raw tensors: any producer, consumers in any order, repeated and the producer's own group among them.
struct RawTensor {
    Index producer;
    std::vector<Index> consumers;
    std::int64_t transfer;
};

void set_tensors(SerialProblem& problem, std::vector<RawTensor> raw) {
    std::map<std::pair<Index, std::vector<Index>>, std::int64_t> distinct;
    for (RawTensor& tensor : raw) {
        keep_distinct(tensor.consumers);
        std::erase(tensor.consumers, tensor.producer);
        if (!tensor.consumers.empty() && tensor.transfer > 0) distinct[{tensor.producer, std::move(tensor.consumers)}] += tensor.transfer;
    }
    const std::size_t groups = problem.group_count();
    std::vector<std::vector<Index>> inputs(groups), outputs(groups);
    problem.producer.clear();
    problem.transfer.clear();
    problem.consumers = {};
    for (const auto& [ends, transfer] : distinct) {
        const auto t = static_cast<Index>(problem.producer.size());
        problem.producer.push_back(ends.first);
        problem.consumers.push_row(ends.second);
        problem.transfer.push_back(transfer);
        outputs[ends.first].push_back(t);
        for (Index consumer : ends.second) inputs[consumer].push_back(t);
    }
    problem.inputs = Rows<Index>(inputs);
    problem.outputs = Rows<Index>(outputs);
}

/// To the group with the smallest first node of those that use it: a rule that certificates can state.
void charge_weights(SerialProblem& problem) {
    problem.charged_bytes.assign(problem.group_count(), 0);
    std::vector<char> charged(problem.weight_bytes.size(), 0);
    std::vector<Index> by_first_node(problem.group_count());
    std::iota(by_first_node.begin(), by_first_node.end(), Index{0});
    std::ranges::sort(by_first_node, {}, [&](Index g) { return problem.members[g].front(); });
    for (Index g : by_first_node)
        for (Index weight : problem.weights[g])
            if (!std::exchange(charged[weight], 1)) problem.charged_bytes[g] += problem.weight_bytes[weight];
}

/// The problem with groups of one label joined; labels are topological numbers.
SerialProblem quotient(const SerialProblem& problem, std::span<const Index> label, std::size_t labels) {
    SerialProblem result;
    result.charge = problem.charge;
    result.exact = problem.exact;
    result.devices = problem.devices;
    result.replicas = problem.replicas;
    result.spills = problem.spills;
    result.memory = problem.memory;
    result.rate = problem.rate;
    result.weight_bytes = problem.weight_bytes;
    result.merges = problem.merges;

    std::vector<std::vector<NodeId>> members(labels);
    std::vector<std::vector<Index>> before(labels), after(labels), weights(labels);
    result.work.assign(labels, 0);
    for (std::size_t g = 0; g < label.size(); ++g) {
        const Index l = label[g];
        members[l].insert(members[l].end(), problem.members[g].begin(), problem.members[g].end());
        weights[l].insert(weights[l].end(), problem.weights[g].begin(), problem.weights[g].end());
        result.work[l] += problem.work[g];
        for (Index next : problem.successors[g])
            if (label[next] != l) after[l].push_back(label[next]), before[label[next]].push_back(l);
    }
    for (auto& row : members) std::ranges::sort(row);
    for (auto* rows : {&before, &after, &weights})
        for (auto& row : *rows) keep_distinct(row);
    result.members = Rows<NodeId>(members);
    result.predecessors = Rows<Index>(before);
    result.successors = Rows<Index>(after);
    result.weights = Rows<Index>(weights);
    result.group_of.resize(problem.group_of.size());
    for (std::size_t v = 0; v < result.group_of.size(); ++v) result.group_of[v] = label[problem.group_of[v]];

    std::vector<RawTensor> tensors;
    tensors.reserve(problem.tensor_count());
    for (std::size_t t = 0; t < problem.tensor_count(); ++t) {
        RawTensor tensor{label[problem.producer[t]], {}, problem.transfer[t]};
        for (Index consumer : problem.consumers[t]) tensor.consumers.push_back(label[consumer]);
        tensors.push_back(std::move(tensor));
    }
    set_tensors(result, std::move(tensors));
    charge_weights(result);
    return result;
}

/// Spill as every class with devices has it or more: the largest memory, the fastest link; none when some class never spills. A hard class
/// never holds more than its memory, so it has no say in the rate.
void relax_spill(SerialProblem& result, const StageProblem& problem) {
    bool unlimited = false;
    for (const auto& device : problem.classes) {
        if (device.count < 1) continue;
        unlimited = unlimited || device.overflow == cost::Overflow::unlimited;
        result.memory = std::max(result.memory, device.fast_memory.count);
        if (device.overflow != cost::Overflow::spill) continue;
        result.rate = result.spills ? std::max(result.rate, device.spill_rate) : device.spill_rate;
        result.spills = true;
    }
    result.spills = result.spills && !unlimited;
    if (!result.spills) result.memory = 0;
}

bool is_serial_already(const StageProblem& problem) {
    if (problem.model != StageModel::serial) return false;
    std::size_t used = 0;
    for (const auto& device : problem.classes) {
        if (device.count < 1) continue;
        ++used;
        if (device.overflow == cost::Overflow::hard || device.supported.count() != problem.node_count()) return false;
    }
    if (used != 1) return false;
    for (std::size_t e = 0; e < problem.edge_count(); ++e)
        if (problem.transfer[e] > Duration{0} && (!problem.producer[e].valid() || problem.to_host[e])) return false;
    return true;
}

bool fits_int64(const SerialProblem& problem) {
    Wide total = 0, bytes = 0;
    for (std::int64_t work : problem.work) total += work;
    for (std::size_t t = 0; t < problem.tensor_count(); ++t)
        total += static_cast<Wide>(problem.transfer[t]) * static_cast<Wide>(problem.consumers[t].size() + 1);
    for (std::int64_t weight : problem.weight_bytes) bytes += weight;
    if (problem.spills)
        total += bytes * problem.charge.work * static_cast<Wide>(problem.group_count() + 1) / problem.rate.bytes_per_second *
                 kPicosecondsPerSecond;
    return total <= kLargestTotal.count() && bytes <= kLargestTotal.count();
}

}  // namespace

std::int64_t SerialProblem::total_work() const { return std::accumulate(work.begin(), work.end(), std::int64_t{0}); }

std::optional<SerialProblem> relax_to_serial(const StageProblem& problem, std::int64_t stages, std::int64_t max_replicas,
                                             const Charge& charge) {
    SerialProblem result;
    result.charge = charge;
    result.exact = charge == Charge{} && is_serial_already(problem);
    const std::size_t nodes = problem.node_count();
    Wide devices = 0;
    for (const auto& device : problem.classes) devices += std::max<std::int64_t>(device.count, 0);
    result.devices = static_cast<std::int64_t>(std::min<Wide>(devices, stages));
    result.replicas = std::clamp<std::int64_t>(max_replicas, 1, std::max<std::int64_t>(result.devices, 1));
    // As many stages as nodes, each with all replicas, is the most that any partition uses.
    result.devices = static_cast<std::int64_t>(std::min(Wide{result.devices}, Wide{result.replicas} * static_cast<Wide>(nodes)));
    relax_spill(result, problem);

    Wide total = 0;
    for (std::size_t v = 0; v < nodes; ++v) {
        std::int64_t least = std::numeric_limits<std::int64_t>::max();
        for (const auto& device : problem.classes)
            if (device.count > 0 && device.supported.contains(v)) least = std::min(least, device.work[v].count());
        if (least == std::numeric_limits<std::int64_t>::max()) least = 0;
        total += static_cast<Wide>(least) * charge.work;
        if (total > kLargestTotal.count()) return std::nullopt;
        result.work.push_back(least * charge.work);
        result.members.push_row(std::array{NodeId(v)});
    }
    result.group_of.resize(nodes);
    std::iota(result.group_of.begin(), result.group_of.end(), Index{0});
    std::vector<Index> row;
    const auto indices = [&](auto ids) -> std::span<const Index> {
        row.clear();
        for (auto id : ids) row.push_back(static_cast<Index>(id.index()));
        return row;
    };
    for (std::size_t v = 0; v < nodes; ++v) {
        result.predecessors.push_row(indices(problem.predecessors[v]));
        result.successors.push_row(indices(problem.successors[v]));
        result.weights.push_row(indices(problem.weights[v]));
    }
    for (Bytes bytes : problem.weight_bytes) result.weight_bytes.push_back(bytes.count);

    std::vector<RawTensor> tensors;
    for (std::size_t e = 0; e < problem.edge_count(); ++e) {
        if (!problem.producer[e].valid()) continue;
        const Wide transfer = static_cast<Wide>(problem.transfer[e].count()) * charge.transfer;
        if (transfer > kLargestTotal.count()) return std::nullopt;
        RawTensor tensor{static_cast<Index>(problem.producer[e].index()), {}, static_cast<std::int64_t>(transfer)};
        for (NodeId consumer : problem.consumers[e]) tensor.consumers.push_back(static_cast<Index>(consumer.index()));
        tensors.push_back(std::move(tensor));
    }
    set_tensors(result, std::move(tensors));
    charge_weights(result);
    if (!fits_int64(result)) return std::nullopt;
    return result;
}

std::vector<Charge> charges_for(StageModel model) {
    if (model == StageModel::serial) return {Charge{}};
    // f >= a work + b in + c out for a + b + c = 1; the serial problem has one weight for in and out.
    return {{.scale = 1, .work = 1, .transfer = 0},
            {.scale = 8, .work = 6, .transfer = 1},
            {.scale = 4, .work = 2, .transfer = 1},
            {.scale = 8, .work = 2, .transfer = 3}};
}

SerialProblem merge_safely(SerialProblem problem) {
    const auto bytes_of = [&](std::size_t g) {
        std::int64_t bytes = 0;
        for (Index weight : problem.weights[g]) bytes += problem.weight_bytes[weight];
        return bytes;
    };
    // Moving a group adds at most the spill of all its parameters to the stage it joins.
    const auto moved_spill = [&](std::size_t g) {
        if (!problem.spills) return std::int64_t{0};
        const Wide scaled = static_cast<Wide>(bytes_of(g)) * problem.charge.work * kPicosecondsPerSecond;
        return static_cast<std::int64_t>((scaled + problem.rate.bytes_per_second - 1) / problem.rate.bytes_per_second);
    };
    const auto sum = [&](std::span<const Index> tensors) {
        std::int64_t total = 0;
        for (Index t : tensors) total += problem.transfer[t];
        return total;
    };
    for (;;) {
        const std::size_t groups = problem.group_count();
        std::vector<char> used(groups, 0);
        std::vector<Index> join(groups);
        std::iota(join.begin(), join.end(), Index{0});
        bool any = false;
        const auto merge = [&](std::size_t kept, std::size_t gone) {
            join[gone] = static_cast<Index>(kept);
            used[kept] = used[gone] = 1;
            problem.merges.emplace_back(problem.members[kept].front(), problem.members[gone].front());
            any = true;
        };
        // A child into its only parent, when what it reads of it alone outweighs its work and all it makes.
        for (std::size_t child = 0; child < groups; ++child) {
            if (used[child] || problem.predecessors[child].size() != 1) continue;
            const std::size_t parent = problem.predecessors[child][0];
            if (used[parent]) continue;
            std::int64_t alone = 0;
            for (Index t : problem.inputs[child])
                if (problem.consumers[t].size() == 1) alone += problem.transfer[t];
            if (problem.work[child] + sum(problem.outputs[child]) + moved_spill(child) <= alone) merge(parent, child);
        }
        // A parent into its only child, when all it makes outweighs its work and all it reads.
        for (std::size_t parent = 0; parent < groups; ++parent) {
            if (used[parent] || problem.successors[parent].size() != 1) continue;
            const std::size_t child = problem.successors[parent][0];
            if (used[child]) continue;
            if (problem.work[parent] + sum(problem.inputs[parent]) + moved_spill(parent) <= sum(problem.outputs[parent]))
                merge(child, parent);
        }
        if (!any) return problem;
        // Merges of one round touch disjoint groups, and each only removes tensors between the two it joins: all stay valid together.
        const std::vector<Index> number = topological_numbers(problem, join, groups);  // labels nobody has come out somewhere, harmless
        std::vector<Index> dense(groups, 0);
        std::vector<char> present(groups, 0);
        for (Index label : join) present[number[label]] = 1;
        Index next = 0;
        for (std::size_t i = 0; i < groups; ++i) {
            dense[i] = next;
            next += static_cast<Index>(present[i]);
        }
        for (Index& label : join) label = dense[number[label]];
        problem = quotient(problem, join, next);
    }
}

std::vector<Index> heavy_cone_order(const SerialProblem& problem, bool mirrored) {
    const auto& before = mirrored ? problem.successors : problem.predecessors;
    const auto& after = mirrored ? problem.predecessors : problem.successors;
    const std::vector<std::int64_t> cones = cone_work(before, problem.work, !mirrored);
    return heavy_first_post_order(before, after, std::span<const std::int64_t>(cones), !mirrored);
}

std::int64_t spill_time(const SerialProblem& problem, std::int64_t parameters) {
    if (!problem.spills || parameters <= problem.memory) return 0;
    const Wide scaled = static_cast<Wide>(parameters - problem.memory) * problem.charge.work * kPicosecondsPerSecond;
    return static_cast<std::int64_t>((scaled + problem.rate.bytes_per_second - 1) / problem.rate.bytes_per_second);
}

std::int64_t stage_cost(const SerialProblem& problem, const std::vector<Index>& stage) {
    std::vector<char> inside(problem.group_count(), 0), counted(problem.weight_bytes.size(), 0);
    for (Index g : stage) inside[g] = 1;
    std::int64_t cost = 0, parameters = 0;
    for (Index g : stage) {
        cost += problem.work[g];
        for (Index weight : problem.weights[g])
            if (!std::exchange(counted[weight], 1)) parameters += problem.weight_bytes[weight];
    }
    for (std::size_t t = 0; t < problem.tensor_count(); ++t) {
        const bool made = inside[problem.producer[t]] != 0;
        const auto reads = std::ranges::count_if(problem.consumers[t], [&](Index c) { return inside[c] != 0; });
        const bool crosses = made ? static_cast<std::size_t>(reads) < problem.consumers[t].size() : reads > 0;
        if (crosses) cost += problem.transfer[t];
    }
    return cost + spill_time(problem, parameters);
}

cost::Partition to_partition(const SerialProblem& problem, const StageProblem& original, const std::vector<std::vector<Index>>& stages,
                             const std::vector<std::int64_t>& replicas) {
    const auto device = std::ranges::find_if(original.classes, [](const auto& c) { return c.count > 0; }) - original.classes.begin();
    cost::Partition partition;
    for (std::size_t s = 0; s < stages.size(); ++s) {
        cost::Stage stage{.nodes = {}, .device = ClassId(static_cast<std::size_t>(device)), .replicas = replicas[s]};
        for (Index g : stages[s]) stage.nodes.insert(stage.nodes.end(), problem.members[g].begin(), problem.members[g].end());
        std::ranges::sort(stage.nodes);
        partition.stages.push_back(std::move(stage));
    }
    return partition;
}

}  // namespace sluice::search
