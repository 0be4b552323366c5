// A partition that can be changed one operator, one merge or one device class at a time, with what that does to stage times, latency and
// acyclicity: the workbench of local search. A move costs O(degree), an evaluation O(stages^2); a hard memory limit adds the reference form
// of the stages touched. Deterministic.
#pragma once

#include <optional>
#include <vector>

#include "sluice/cost/partition.hpp"

namespace sluice::search {

class StageGraph {
public:
    /// `partition` must be valid but for counts.
    StageGraph(const cost::StageProblem& problem, const cost::Partition& partition);

    [[nodiscard]] std::size_t stage_count() const { return members_.size(); }
    [[nodiscard]] const std::vector<NodeId>& members(std::size_t stage) const { return members_[stage].nodes; }
    [[nodiscard]] std::size_t stage_of(NodeId node) const { return stage_of_[node.index()]; }
    [[nodiscard]] ClassId device(std::size_t stage) const { return members_[stage].device; }
    [[nodiscard]] Duration time(std::size_t stage) const { return costs_[stage].time(); }
    [[nodiscard]] bool empty(std::size_t stage) const { return members_[stage].nodes.empty(); }

    /// Does every node of the stage run on its class, within a hard limit?
    [[nodiscard]] bool sound(std::size_t stage) const;
    /// The longest path of stage times; nullopt when the stage graph has a cycle.
    [[nodiscard]] std::optional<Duration> latency();

    /// To another stage, which may be empty: before its nodes when something of it reads `node`, else after them.
    void move(NodeId node, std::size_t to);
    /// Back to where it was among the nodes of its former stage: undoes the last move.
    void undo_move();
    void set_device(std::size_t stage, ClassId device);
    /// All nodes of `from` to `into`; returns what undo_merge needs. Those of the one that comes first in the stage graph come first.
    struct Merged {
        std::size_t into = 0, from = 0;
        std::vector<NodeId> before_into, before_from;
    };
    Merged merge(std::size_t into, std::size_t from);
    void undo(const Merged& merged);

    /// Stages in topological order, the empty ones left out, one replica each; needs an acyclic stage graph.
    [[nodiscard]] cost::Partition partition();

private:
    void place(NodeId node, std::size_t to);  // counts and costs only
    [[nodiscard]] std::size_t& edges(std::size_t from, std::size_t to) { return edges_[from * members_.size() + to]; }
    /// Kahn's algorithm, smallest number first; false: a cycle.
    bool sort();

    const cost::StageProblem* problem_;
    std::vector<cost::Stage> members_;  // nodes in execution order
    std::vector<cost::IncrementalStage> costs_;
    std::vector<std::size_t> stage_of_;
    std::vector<std::size_t> edges_;  // node edges between two stages
    std::vector<std::size_t> order_, waiting_;
    std::vector<std::int64_t> arrival_;
    struct Last {
        NodeId node;
        std::size_t from = 0, position = 0;
    } last_;
};

}  // namespace sluice::search
