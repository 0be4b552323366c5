// A partition that moves one node at a time: what each stage costs is kept up to date, and any number of moves can be taken back at once.
// Stages are numbered in a topological order and stay so: a node moves only between the last stage of its predecessors and the first of its
// successors (notes/inference 7.6). Memory O(nodes + stages); a move costs O(degree x fan-out), less where a tensor's readers are soon told
// apart. Exact integers, equal to cost::stage_terms but for `peak`, which no incremental form has: `holds` recomputes it.
#pragma once

#include <span>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/cost/partition.hpp"

namespace sluice::inference {

class StageMoves {
public:
    explicit StageMoves(const cost::StageProblem& problem);

    /// Begins anew with a valid partition; devices it leaves unused, up to `devices` in all, become empty stages at the end.
    void assign(const cost::Partition& partition, std::int64_t devices);

    [[nodiscard]] std::size_t stage_count() const { return stages_.size(); }
    [[nodiscard]] std::size_t stage_of(NodeId node) const { return stage_of_[node.index()]; }
    [[nodiscard]] const cost::StageTerms& terms(std::size_t stage) const { return stages_[stage].terms; }
    /// What the stage adds to the bottleneck.
    [[nodiscard]] Duration time(std::size_t stage) const;

    /// Nodes of a stage that could leave it alone: first or last of it. As of the last `keep`.
    [[nodiscard]] std::span<const NodeId> border(std::size_t stage) const { return border_[stage]; }
    [[nodiscard]] bool can_go_up(NodeId node) const;    // no successor in its stage, and not in the last
    [[nodiscard]] bool can_go_down(NodeId node) const;  // no predecessor in its stage, and not in the first
    /// Stages that the node may be in, its neighbours staying where they are.
    struct Range {
        std::size_t low, high;
    };
    [[nodiscard]] Range range_of(NodeId node) const;
    [[nodiscard]] bool supported(NodeId node, std::size_t stage) const {
        return problem_->classes[stages_[stage].device.index()].supported.contains(node.index());
    }

    /// Moves within its range. Kept, or taken back with all others since the last `keep` or `take_back`.
    void move(NodeId node, std::size_t to);
    /// Stages whose terms have changed since then, each once.
    [[nodiscard]] std::span<const std::size_t> changed() const { return changed_; }
    /// True when hard memory holds every stage changed; the order inside is that of the partition assigned.
    [[nodiscard]] bool holds() const;
    void keep();
    void take_back();

    /// Without empty stages; nodes in the order of the partition assigned.
    [[nodiscard]] cost::Partition partition() const { return partition(stage_of_); }
    /// The same of stages noted before.
    [[nodiscard]] cost::Partition partition(std::span<const std::uint32_t> stage_of) const;
    [[nodiscard]] std::span<const std::uint32_t> stages_of_nodes() const { return stage_of_; }

private:
    struct Stage {
        ClassId device{0};
        std::int64_t replicas = 1;
        cost::StageTerms terms;
    };
    struct Readers {
        bool in_from = false, in_to = false, beside_from = false, beside_to = false;  // beside: anywhere else
    };
    [[nodiscard]] Readers readers_of(std::span<const NodeId> readers, NodeId but, std::size_t from, std::size_t to) const;
    void touch(std::size_t stage);
    void refresh(NodeId node);

    static constexpr std::uint32_t kNowhere = static_cast<std::uint32_t>(-1);

    const cost::StageProblem* problem_;
    std::vector<Stage> stages_;
    std::vector<std::uint32_t> stage_of_;
    std::vector<NodeId> order_;  // of the partition assigned
    std::vector<std::vector<NodeId>> border_;
    std::vector<std::uint32_t> listed_in_, listed_at_;  // per node: which border list, where in it
    // Since the last keep
    struct Step {
        NodeId node;
        std::uint32_t from;
    };
    std::vector<Step> steps_;
    std::vector<std::size_t> changed_;
    std::vector<cost::StageTerms> before_;  // per changed stage
    std::vector<char> is_changed_;
};

}  // namespace sluice::inference
