#include "sluice/plan/read_partition.hpp"

#include <format>
#include <limits>
#include <utility>

namespace sluice::plan {

namespace {

class PartitionReader {
public:
    PartitionReader(const Plan& plan, const graph::Graph& graph, const cost::StageProblem& problem)
        : plan_(plan),
          graph_(graph),
          problem_(problem),
          stage_of_(graph.operator_count(), cost::kNoStage),
          stage_of_node_(problem.node_count(), cost::kNoStage),
          free_(graph.operator_count(), 0) {}

    PartitionReading read() && {
        for (std::size_t s = 0; s < plan_.stages.size(); ++s) read_stage(s);
        read_replicated();
        for (std::size_t v = 0; v < graph_.operator_count(); ++v) {
            const OperatorId id(v);
            if (problem_.node_of[v].valid()) {
                if (stage_of_[v] == cost::kNoStage) complain(std::format("{} is in no stage", name_of(graph_, id)));
            } else if (!free_[v]) {
                complain(std::format("{} is replicated for free, but the plan does not list it so", name_of(graph_, id)));
            }
        }
        return std::move(reading_);
    }

private:
    void complain(std::string message, std::string help = {}) {
        reading_.failures.push_back(verification_error(std::move(message)).fix(std::move(help)));
    }

    /// False when the reference names nothing in this model.
    bool names_operator(const OperatorReference& reference, const std::string& place) {
        if (!reference.id.valid() || reference.id.index() >= graph_.operator_count()) {
            complain(std::format("{} names operator {}, the model has operators 0 to {}", place,
                                 reference.id.valid() ? std::to_string(reference.id.index()) : "none", graph_.operator_count() - 1));
            return false;
        }
        if (const auto output = graph_.first_output_name(reference.id); output != reference.output) {
            complain(std::format("{} says that operator {} makes '{}', in the model it makes '{}'", place, reference.id.index(),
                                 reference.output, output));
            return false;
        }
        return true;
    }

    void read_stage(std::size_t s) {
        const PlannedStage& planned = plan_.stages[s];
        cost::Stage stage{.nodes = {}, .device = device_of(planned, s), .replicas = planned.replicas};
        NodeId open;  // the node whose operators are being listed
        for (const OperatorReference& reference : planned.operators) {
            if (!names_operator(reference, std::format("stage {}", s))) continue;
            const OperatorId id = reference.id;
            if (stage_of_[id.index()] != cost::kNoStage) {
                complain(std::format("{} is in stage {} and again in stage {}", name_of(graph_, id), stage_of_[id.index()], s));
                continue;
            }
            const NodeId node = problem_.node_of[id.index()];
            if (!node.valid()) {
                complain(std::format("stage {} holds {}, which is replicated for free and belongs to no stage", s, name_of(graph_, id)));
                continue;
            }
            stage_of_[id.index()] = s;
            if (node != open) open_node(node, id, s, stage);
            open = node;
            check_order_inside(node, id, s);
        }
        reading_.partition.stages.push_back(std::move(stage));
    }

    void open_node(NodeId node, OperatorId id, std::size_t s, cost::Stage& stage) {
        std::size_t& home = stage_of_node_[node.index()];
        if (home == cost::kNoStage) {
            home = s;
            stage.nodes.push_back(node);
        } else if (home == s) {
            complain(std::format("stage {} lists {} apart from the operators it is bound to", s, name_of(graph_, id)),
                     "operators of one colour class follow each other in a stage");
        } else {
            complain(std::format("{} is in stage {}, operators of its colour class are in stage {}", name_of(graph_, id), s, home),
                     "operators of one colour class share a stage");
        }
    }

    /// Nodes are checked by cost::faults_of; operators inside one node are known only here.
    void check_order_inside(NodeId node, OperatorId id, std::size_t s) {
        if (problem_.operators[node.index()].size() == 1) return;
        for (const OperatorId previous : graph_.predecessors(id))
            if (problem_.node_of[previous.index()] == node && stage_of_[previous.index()] == cost::kNoStage)
                complain(
                    std::format("stage {} lists {} before {}, whose output it reads", s, name_of(graph_, id), name_of(graph_, previous)));
    }

    ClassId device_of(const PlannedStage& planned, std::size_t s) {
        std::vector<std::string> names;
        for (std::size_t c = 0; c < problem_.classes.size(); ++c) {
            if (problem_.classes[c].name == planned.device_class) return ClassId(c);
            names.push_back(problem_.classes[c].name);
        }
        const std::string near = nearest_match(planned.device_class, names);
        complain(std::format("stage {} runs on device class '{}', which platform '{}' does not have", s, planned.device_class,
                             plan_.platform.name),
                 near.empty() ? std::string{} : std::format("did you mean '{}'?", near));
        return ClassId(0);
    }

    void read_replicated() {
        for (const OperatorReference& reference : plan_.replicated) {
            if (!names_operator(reference, "the list of replicated operators")) continue;
            if (problem_.node_of[reference.id.index()].valid())
                complain(std::format("{} is listed as replicated for free, but it is not", name_of(graph_, reference.id)));
            else if (std::exchange(free_[reference.id.index()], 1))
                complain(std::format("{} is listed twice as replicated", name_of(graph_, reference.id)));
        }
    }

    const Plan& plan_;
    const graph::Graph& graph_;
    const cost::StageProblem& problem_;
    std::vector<std::size_t> stage_of_;       // per operator
    std::vector<std::size_t> stage_of_node_;  // per node: of its first listed operator
    std::vector<char> free_;                  // per operator: listed as replicated
    PartitionReading reading_;
};

}  // namespace

PartitionReading read_partition(const Plan& plan, const graph::Graph& graph, const cost::StageProblem& problem) {
    return PartitionReader(plan, graph, problem).read();
}

std::string name_of(const graph::Graph& graph, OperatorId id) { return std::format("operator {} '{}'", id.index(), graph.label(id)); }

}  // namespace sluice::plan
