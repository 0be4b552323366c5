#include "sluice/plan/adapt.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>
#include <unordered_map>

namespace sluice::plan {

namespace {

using Stages = std::vector<std::size_t>;  // per node, or per operator

class Adapter {
public:
    Adapter(const Plan& plan, const graph::Graph& graph, const cost::StageProblem& problem, const AdaptOptions& options)
        : plan_(plan), graph_(graph), problem_(problem), options_(options), old_(graph.operator_count(), cost::kNoStage) {}

    Adapted run() && {
        match();
        Stages stage_of = place();
        const Stages later = moved_later(stage_of), earlier = moved_earlier(stage_of);
        cost::Partition partition = partition_from(later);
        if (later != earlier) {
            cost::Partition other = partition_from(earlier);
            if (cost::price(problem_, other).bottleneck < cost::price(problem_, partition).bottleneck) partition = std::move(other);
        }
        fewer_devices(partition);
        count_moved(partition);
        result_.faults = cost::faults_of(problem_, partition, options_.stages);
        result_.partition = std::move(partition);
        return std::move(result_);
    }

private:
    void match() {
        struct Wanted {
            const OperatorReference* reference;
            std::size_t stage;
        };
        std::vector<Wanted> rest;
        const auto take = [&](std::size_t v, std::size_t stage) {
            old_[v] = stage;
            ++result_.matched;
        };
        for (std::size_t s = 0; s < plan_.stages.size(); ++s)
            for (const OperatorReference& reference : plan_.stages[s].operators) {
                const OperatorId id = reference.id;
                if (id.valid() && id.index() < graph_.operator_count() && graph_.first_output_name(id) == reference.output &&
                    old_[id.index()] == cost::kNoStage && problem_.node_of[id.index()].valid())
                    take(id.index(), s);
                else
                    rest.push_back({&reference, s});
            }
        std::unordered_map<std::string_view, std::size_t> by_output;
        for (std::size_t v = 0; v < graph_.operator_count(); ++v)
            if (const auto output = graph_.first_output_name(OperatorId(v)); !output.empty()) by_output.emplace(output, v);
        std::vector<Wanted> unknown;
        for (const Wanted& wanted : rest) {
            const auto found = by_output.find(wanted.reference->output);
            if (found == by_output.end())
                unknown.push_back(wanted);
            else if (old_[found->second] == cost::kNoStage && problem_.node_of[found->second].valid())
                take(found->second, wanted.stage);
        }
        std::size_t planned = plan_.replicated.size();
        for (const PlannedStage& stage : plan_.stages) planned += stage.operators.size();
        for (const Wanted& wanted : unknown) {
            const OperatorId id = wanted.reference->id;
            if (planned == graph_.operator_count() && id.valid() && id.index() < planned && old_[id.index()] == cost::kNoStage &&
                problem_.node_of[id.index()].valid())
                take(id.index(), wanted.stage);
            else
                ++result_.gone;
        }
        for (std::size_t v = 0; v < graph_.operator_count(); ++v)
            if (problem_.node_of[v].valid() && old_[v] == cost::kNoStage) ++result_.added;
    }

    /// A stage for each node, as far as the plan and the neighbours tell.
    [[nodiscard]] Stages place() const {
        const std::size_t nodes = problem_.node_count();
        Stages stage_of(nodes, cost::kNoStage);
        for (std::size_t v = 0; v < nodes; ++v) {
            std::map<std::size_t, std::size_t> votes;
            for (const OperatorId id : problem_.operators[v])
                if (old_[id.index()] != cost::kNoStage) ++votes[old_[id.index()]];
            std::size_t most = 0;
            for (const auto& [stage, count] : votes)
                if (count > most) most = count, stage_of[v] = stage;
        }
        // The earliest stage that comes after each node, through nodes that have none themselves.
        Stages next(nodes, cost::kNoStage);
        for (std::size_t v = nodes; v-- > 0;)
            for (const NodeId reader : problem_.successors[v])
                next[v] = std::min(next[v], stage_of[reader.index()] != cost::kNoStage ? stage_of[reader.index()] : next[reader.index()]);
        for (std::size_t v = 0; v < nodes; ++v) {
            if (stage_of[v] != cost::kNoStage) continue;
            std::size_t before = cost::kNoStage;
            for (const NodeId maker : problem_.predecessors[v])
                if (before == cost::kNoStage || stage_of[maker.index()] > before) before = stage_of[maker.index()];
            stage_of[v] = before != cost::kNoStage ? before : next[v] != cost::kNoStage ? next[v] : 0;
        }
        return stage_of;
    }

    [[nodiscard]] Stages moved_later(Stages stage_of) const {
        for (std::size_t v = 0; v < stage_of.size(); ++v)  // nodes are numbered topologically
            for (const NodeId maker : problem_.predecessors[v]) stage_of[v] = std::max(stage_of[v], stage_of[maker.index()]);
        return stage_of;
    }
    [[nodiscard]] Stages moved_earlier(Stages stage_of) const {
        for (std::size_t v = stage_of.size(); v-- > 0;)
            for (const NodeId reader : problem_.successors[v]) stage_of[v] = std::min(stage_of[v], stage_of[reader.index()]);
        return stage_of;
    }

    /// Stages in the order of their numbers, which never fall along an edge; empty ones left out.
    [[nodiscard]] cost::Partition partition_from(const Stages& stage_of) const {
        cost::Partition partition;
        partition.stages.resize(std::max<std::size_t>(plan_.stages.size(), 1));
        for (std::size_t s = 0; s < plan_.stages.size(); ++s) {
            const auto found = std::ranges::find(problem_.classes, plan_.stages[s].device_class, &cost::DeviceCosts::name);
            if (found != problem_.classes.end())
                partition.stages[s].device = ClassId(static_cast<std::size_t>(found - problem_.classes.begin()));
            partition.stages[s].replicas = std::clamp<std::int64_t>(plan_.stages[s].replicas, 1, options_.max_replicas);
        }
        for (std::size_t v = 0; v < stage_of.size(); ++v) partition.stages[stage_of[v]].nodes.emplace_back(v);
        std::erase_if(partition.stages, [](const cost::Stage& stage) { return stage.nodes.empty(); });
        return partition;
    }

    /// What one input costs a stage.
    [[nodiscard]] Duration time_of(const cost::Stage& stage) const {
        const Duration time = cost::stage_time(problem_.model, cost::stage_terms(problem_, stage.nodes, stage.device));
        return Duration{time.count() / stage.replicas + (time.count() % stage.replicas != 0)};
    }
    [[nodiscard]] bool holds(const cost::Stage& stage) const {
        const cost::DeviceCosts& device = problem_.classes[stage.device.index()];
        return std::ranges::all_of(stage.nodes, [&](NodeId node) { return device.supported.contains(node.index()); }) &&
               cost::fits(device, cost::stage_terms(problem_, stage.nodes, stage.device));
    }
    /// Two neighbours in one, on the class of either: first one that can hold them, then the faster.
    [[nodiscard]] cost::Stage joined(const cost::Stage& a, const cost::Stage& b) const {
        cost::Stage first{a.nodes, a.device, std::max(a.replicas, b.replicas)};
        first.nodes.insert(first.nodes.end(), b.nodes.begin(), b.nodes.end());
        std::ranges::sort(first.nodes);
        if (a.device == b.device) return first;
        cost::Stage second = first;
        second.device = b.device;
        const auto key = [&](const cost::Stage& stage) { return std::pair(!holds(stage), time_of(stage)); };
        return key(second) < key(first) ? second : first;
    }

    void fewer_devices(cost::Partition& partition) const {
        auto& stages = partition.stages;
        std::int64_t devices = 0;
        for (const cost::Stage& stage : stages) devices += stage.replicas;
        if (devices <= options_.stages) return;
        struct Change {
            cost::Stage stage;
            std::pair<bool, Duration> key;  // does not hold, time
        };
        const auto change = [&](cost::Stage stage) {
            const std::pair key(!holds(stage), time_of(stage));
            return Change{std::move(stage), key};
        };
        const auto join_after = [&](std::size_t s) { return change(joined(stages[s], stages[s + 1])); };
        std::vector<Change> joins;
        for (std::size_t s = 0; s + 1 < stages.size(); ++s) joins.push_back(join_after(s));
        while (devices > options_.stages) {
            const auto join = std::ranges::min_element(joins, {}, &Change::key);
            std::size_t thinned = cost::kNoStage;
            std::pair<bool, Duration> thinned_key;
            for (std::size_t s = 0; s < stages.size(); ++s) {
                if (stages[s].replicas == 1) continue;
                cost::Stage thinner = stages[s];
                --thinner.replicas;
                const std::pair key(false, time_of(thinner));
                if (thinned == cost::kNoStage || key < thinned_key) thinned = s, thinned_key = key;
            }
            if (thinned == cost::kNoStage && joins.empty()) return;  // one stage on one device
            std::size_t at = thinned;
            if (thinned != cost::kNoStage && (joins.empty() || thinned_key < join->key)) {
                --stages[at].replicas;
                --devices;
            } else {
                at = static_cast<std::size_t>(join - joins.begin());
                devices -= stages[at].replicas + stages[at + 1].replicas - join->stage.replicas;
                stages[at] = std::move(join->stage);
                stages.erase(stages.begin() + static_cast<std::ptrdiff_t>(at) + 1);
                joins.erase(join);
            }
            if (at > 0) joins[at - 1] = join_after(at - 1);
            if (at < joins.size()) joins[at] = join_after(at);
        }
    }

    /// A stage goes on as the old one that most of its operators were in; who came from another has moved.
    void count_moved(const cost::Partition& partition) {
        for (const cost::Stage& stage : partition.stages) {
            std::map<std::size_t, std::size_t> from;
            std::size_t all = 0, most = 0;
            for (const NodeId node : stage.nodes)
                for (const OperatorId id : problem_.operators[node.index()])
                    if (old_[id.index()] != cost::kNoStage) ++all, most = std::max(most, ++from[old_[id.index()]]);
            result_.moved += all - most;
        }
    }

    const Plan& plan_;
    const graph::Graph& graph_;
    const cost::StageProblem& problem_;
    const AdaptOptions& options_;
    Stages old_;  // per operator: its stage in the plan
    Adapted result_;
};

}  // namespace

Adapted adapt(const Plan& plan, const graph::Graph& graph, const cost::StageProblem& problem, const AdaptOptions& options) {
    return Adapter(plan, graph, problem, options).run();
}

}  // namespace sluice::plan
