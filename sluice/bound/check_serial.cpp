#include "sluice/bound/check_serial.hpp"

#include <algorithm>
#include <format>
#include <limits>

namespace sluice::bound {

namespace {

using cost::StageModel;
using cost::StageProblem;
using Wide = CheckedWide;

constexpr Wide kLargestSum = Wide{1} << 60;
constexpr std::uint32_t kNoGroup = std::numeric_limits<std::uint32_t>::max();

void keep_distinct(std::vector<std::uint32_t>& list) {
    std::ranges::sort(list);
    list.erase(std::ranges::unique(list).begin(), list.end());
}

std::optional<std::string> fault_of_terms(const StageProblem& problem, const SerialTerms& terms) {
    if (terms.scale < 1 || terms.scale > kLargestScale) return std::format("scale {} is not within 1 to {}", terms.scale, kLargestScale);
    for (std::int64_t weight : {terms.work, terms.transfer})
        if (weight < 0 || weight > terms.scale) return std::format("weight {} is not within 0 to the scale {}", weight, terms.scale);
    if (problem.model == StageModel::overlap && terms.work + 2 * terms.transfer > terms.scale)
        return std::format("weights {} + 2 x {} exceed the scale {}: transfers overlap with work here", terms.work, terms.transfer,
                           terms.scale);
    return std::nullopt;
}

/// Groups while they merge, everything looked up at the nodes.
class Merging {
public:
    Merging(const StageProblem& problem, const SerialTerms& terms) : problem_(problem), terms_(terms), floor_(spill_floor(problem)) {
        for (std::uint32_t v = 0; v < problem.node_count(); ++v) {
            members_.push_back({v});
            group_of_.push_back(v);
            work_.push_back(Wide{terms.work} * least_work(problem, v).value_or(0));
        }
    }

    /// A child joins its only parent when what it alone reads there costs at least its work, all it makes and the spill of its weights:
    /// moving it to the parent's stage makes no stage dearer. A parent joins its only child when all it makes costs at least its work, all
    /// it reads and that spill. Either way no cycle can arise.
    [[nodiscard]] std::optional<std::string> merge(NodeId stays, NodeId moved) {
        for (NodeId name : {stays, moved})
            if (!name.valid() || name.index() >= group_of_.size() || members_[group_of_[name.index()]].front() != name.index())
                return std::format("the merge of {} and {} does not name groups by their first nodes", stays.index(), moved.index());
        const std::uint32_t a = group_of_[stays.index()], b = group_of_[moved.index()];
        if (a == b) return std::format("the merge of {} with itself", stays.index());
        if (!child_into_parent(b, a) && !parent_into_child(b, a))
            return std::format("to move {} to the stage of {} is not safe", moved.index(), stays.index());
        const std::uint32_t low = std::min(a, b), high = std::max(a, b);  // a group's number is its first node
        for (std::uint32_t v : members_[high]) group_of_[v] = low;
        const auto middle = members_[low].insert(members_[low].end(), members_[high].begin(), members_[high].end());
        std::inplace_merge(members_[low].begin(), middle, members_[low].end());
        members_[high].clear();
        work_[low] += work_[high];
        return std::nullopt;
    }

    [[nodiscard]] const std::vector<std::vector<std::uint32_t>>& members() const { return members_; }
    [[nodiscard]] const std::vector<Wide>& work() const { return work_; }

private:
    [[nodiscard]] Wide cost(EdgeId edge) const { return Wide{terms_.transfer} * problem_.transfer[edge.index()].count(); }

    /// True when `only` is the one group besides `group` that the rows of its members lead to.
    [[nodiscard]] bool leads_only_to(const Rows<NodeId>& rows, std::uint32_t group, std::uint32_t only) const {
        bool any = false;
        for (std::uint32_t v : members_[group])
            for (NodeId next : rows[v]) {
                const std::uint32_t other = group_of_[next.index()];
                if (other == group) continue;
                if (other != only) return false;
                any = true;
            }
        return any;
    }

    /// What leaves the group for others.
    [[nodiscard]] Wide made(std::uint32_t group) const {
        Wide sum = 0;
        for (std::uint32_t v : members_[group])
            for (EdgeId edge : problem_.outputs[v])
                if (std::ranges::any_of(problem_.consumers[edge.index()],
                                        [&](NodeId reader) { return group_of_[reader.index()] != group; }))
                    sum += cost(edge);
        return sum;
    }

    /// What others make and the group reads.
    [[nodiscard]] std::vector<EdgeId> read(std::uint32_t group) const {
        std::vector<EdgeId> edges;
        for (std::uint32_t v : members_[group])
            for (EdgeId edge : problem_.inputs[v])
                if (const NodeId producer = problem_.producer[edge.index()]; producer.valid() && group_of_[producer.index()] != group)
                    edges.push_back(edge);
        std::ranges::sort(edges);
        edges.erase(std::ranges::unique(edges).begin(), edges.end());
        return edges;
    }

    [[nodiscard]] Wide spill(std::uint32_t group) const {
        if (!floor_) return 0;
        std::vector<WeightId> used;
        for (std::uint32_t v : members_[group]) used.insert(used.end(), problem_.weights[v].begin(), problem_.weights[v].end());
        std::ranges::sort(used);
        used.erase(std::ranges::unique(used).begin(), used.end());
        Wide bytes = 0;
        for (WeightId weight : used) bytes += problem_.weight_bytes[weight.index()].count;
        return round_up(terms_.work * bytes * kPicosecondsPerSecond, floor_->rate);
    }

    [[nodiscard]] bool child_into_parent(std::uint32_t child, std::uint32_t parent) const {
        if (!leads_only_to(problem_.predecessors, child, parent)) return false;
        Wide alone = 0;
        for (EdgeId edge : read(child))
            if (std::ranges::all_of(problem_.consumers[edge.index()], [&](NodeId reader) {
                    return group_of_[reader.index()] == child || group_of_[reader.index()] == parent;
                }))
                alone += cost(edge);
        return work_[child] + made(child) + spill(child) <= alone;
    }

    [[nodiscard]] bool parent_into_child(std::uint32_t parent, std::uint32_t child) const {
        if (!leads_only_to(problem_.successors, parent, child)) return false;
        Wide inputs = 0;
        for (EdgeId edge : read(parent)) inputs += cost(edge);
        return work_[parent] + inputs + spill(parent) <= made(parent);
    }

    const StageProblem& problem_;
    const SerialTerms& terms_;
    std::optional<SpillFloor> floor_;
    std::vector<std::vector<std::uint32_t>> members_;  // by the group's first node; empty where it is no first node
    std::vector<std::uint32_t> group_of_;              // per node: its group's first node
    std::vector<Wide> work_;
};

}  // namespace

Result<CheckedSerial> check_serial(const Claim& claim, const SerialTerms& terms) {
    const StageProblem& problem = claim.problem;
    if (auto fault = fault_of_terms(problem, terms)) return fail(objection(*std::move(fault)));
    Merging merging(problem, terms);
    for (const auto& [stays, moved] : terms.merges)
        if (auto fault = merging.merge(stays, moved)) return fail(objection(*std::move(fault)));

    CheckedSerial serial;
    serial.replicas = claim.replicas;
    // As many stages as nodes, each with all replicas, is the most that any partition uses.
    serial.devices =
        static_cast<std::int64_t>(std::min(Wide{claim.devices}, Wide{claim.replicas} * static_cast<Wide>(problem.node_count())));
    serial.scale = terms.scale;
    serial.charged_work = terms.work;
    serial.floor = spill_floor(problem);
    serial.group_of.assign(problem.node_count(), kNoGroup);
    Wide sum = 0;
    for (std::size_t first = 0; first < merging.members().size(); ++first) {
        const auto& members = merging.members()[first];
        if (members.empty()) continue;
        for (std::uint32_t v : members) serial.group_of[v] = static_cast<std::uint32_t>(serial.members.size());
        serial.members.push_back(members);
        sum += merging.work()[first];
        if (sum > kLargestSum) return fail(objection("the work is too large to check"));
        serial.work.push_back(static_cast<std::int64_t>(merging.work()[first]));
    }
    const std::size_t groups = serial.members.size();
    serial.predecessors.resize(groups);
    serial.successors.resize(groups);
    serial.weights.resize(groups);
    for (std::uint32_t v = 0; v < problem.node_count(); ++v) {
        const std::uint32_t group = serial.group_of[v];
        for (NodeId next : problem.successors[v])
            if (const std::uint32_t other = serial.group_of[next.index()]; other != group) {
                serial.successors[group].push_back(other);
                serial.predecessors[other].push_back(group);
            }
        for (WeightId weight : problem.weights[v]) serial.weights[group].push_back(static_cast<std::uint32_t>(weight.index()));
    }
    for (auto* rows : {&serial.predecessors, &serial.successors, &serial.weights}) std::ranges::for_each(*rows, keep_distinct);

    for (std::size_t e = 0; e < problem.edge_count(); ++e) {
        if (!problem.producer[e].valid()) continue;
        CheckedSerial::Tensor tensor{.producer = serial.group_of[problem.producer[e].index()], .consumers = {}, .transfer = 0};
        for (NodeId reader : problem.consumers[e])
            if (serial.group_of[reader.index()] != tensor.producer) tensor.consumers.push_back(serial.group_of[reader.index()]);
        const Wide transfer = Wide{terms.transfer} * problem.transfer[e].count();
        if (tensor.consumers.empty() || transfer == 0) continue;
        sum += 2 * transfer;
        if (sum > kLargestSum) return fail(objection("work and transfers are too large to check"));
        tensor.transfer = static_cast<std::int64_t>(transfer);
        keep_distinct(tensor.consumers);
        serial.tensors.push_back(std::move(tensor));
    }

    for (Bytes bytes : problem.weight_bytes) serial.weight_bytes.push_back(bytes.count);
    serial.charged_bytes.assign(groups, 0);
    std::vector<char> charged(serial.weight_bytes.size(), 0);
    Wide bytes = 0;
    for (std::size_t g = 0; g < groups; ++g)
        for (std::uint32_t weight : serial.weights[g]) {
            if (charged[weight]) continue;
            charged[weight] = 1;
            bytes += serial.weight_bytes[weight];
            if (bytes > kLargestSum) return fail(objection("the parameters are too large to check"));
            serial.charged_bytes[g] += serial.weight_bytes[weight];
        }
    return serial;
}

Result<std::vector<std::uint32_t>> check_order(const CheckedSerial& serial, std::span<const NodeId> order) {
    if (order.size() != serial.group_count())
        return fail(objection(std::format("the order has {} groups, there are {}", order.size(), serial.group_count())));
    std::vector<std::uint32_t> groups;
    std::vector<char> seen(serial.group_count(), 0);
    for (NodeId node : order) {
        const std::uint32_t group = node.valid() && node.index() < serial.group_of.size() ? serial.group_of[node.index()] : kNoGroup;
        if (group == kNoGroup || serial.members[group].front() != node.index())
            return fail(objection(std::format("node {} of the order is not the first of a group", node.index())));
        if (seen[group]) return fail(objection(std::format("node {} is in the order twice", node.index())));
        for (std::uint32_t before : serial.predecessors[group])
            if (!seen[before]) return fail(objection(std::format("node {} is in the order before what it reads", node.index())));
        seen[group] = 1;
        groups.push_back(group);
    }
    return groups;
}

Result<CheckedCharge> check_charge(const CheckedSerial& serial, std::int64_t theta_halves) {
    if (theta_halves < 0 || theta_halves > 2) return fail(objection(std::format("{} halves of the spill: 0, 1 or 2", theta_halves)));
    if (theta_halves > 0 && !serial.floor) return fail(objection("spill is charged, but some device class never spills"));
    CheckedCharge charge;
    if (theta_halves == 1) charge.factor = 2;
    const auto spill = [&](Wide bytes) { return serial.charged_work * bytes * kPicosecondsPerSecond; };  // times rate
    if (theta_halves > 0) charge.allowance = round_up(spill(serial.floor->memory), serial.floor->rate);
    Wide sum = 0;
    for (std::size_t g = 0; g < serial.group_count(); ++g) {
        Wide work = Wide{charge.factor} * serial.work[g];
        if (theta_halves > 0) work += spill(serial.charged_bytes[g]) / serial.floor->rate;
        sum += work;
        if (sum > kLargestSum) break;
        charge.work.push_back(static_cast<std::int64_t>(work));
    }
    for (const auto& tensor : serial.tensors) sum += 2 * Wide{charge.factor} * tensor.transfer;
    if (sum > kLargestSum) return fail(objection("work, transfers and spill are too large to check"));
    return charge;
}

}  // namespace sluice::bound
