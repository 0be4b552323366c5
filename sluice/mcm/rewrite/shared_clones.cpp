#include "sluice/mcm/rewrite/shared_clones.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "sluice/base/distinct.hpp"

namespace sluice::mcm {

namespace {

/// Longer chains of free operators are no shared producers.
constexpr std::size_t kLargestCone = 256;

class Cloner {
public:
    Cloner(const graph::Graph& graph, const cost::StageProblem& problem, const CloneOptions& options)
        : graph_(graph),
          problem_(problem),
          options_(options),
          work_(problem.classes.front().work),
          cheap_(problem.node_count(), 0),
          group_(problem.node_count(), 0),
          start_(problem.node_count(), 0) {
        std::int64_t sum = 0;
        for (std::size_t v = 0; v < problem.node_count(); ++v) {
            start_[v] = sum;
            sum += work_[v].count();
        }
        total_ = static_cast<double>(sum);
        share_ = total_ / static_cast<double>(std::max<std::int64_t>(1, problem.classes.front().count));
    }

    SharedClones run() {
        if (!(total_ > 0) || problem_.classes.front().count < 3) return {};  // two chips see everything
        find_cheap();
        find_readers();
        if (readers_.empty()) return {};
        // Each step halves the groups at least once; one group is no copy at all.
        for (double spread = options_.spread * share_;; spread = std::max(2 * spread, 1.0)) {
            SharedClones clones = clones_of(spread);
            if (clones.groups == 1 || fits(clones)) return clones;
        }
    }

private:
    [[nodiscard]] Bytes parameters_of(std::size_t v) const {
        Bytes sum;
        for (const WeightId weight : problem_.weights[v]) sum += problem_.weight_bytes[weight.index()];
        return sum;
    }

    void find_cheap() {
        const cost::DeviceCosts& chip = problem_.classes.front();
        const double most_work = options_.copy_share * share_;
        const double most_parameters =
            chip.overflow == cost::Overflow::unlimited ? HUGE_VAL : options_.parameter_share * static_cast<double>(chip.fast_memory.count);
        std::vector<std::vector<NodeId>> cones(problem_.node_count());
        for (std::size_t v = 0; v < problem_.node_count(); ++v) {
            const auto operators = problem_.operators[v];
            if (operators.size() != 1 || graph_[operators[0]].colour || static_cast<double>(work_[v].count()) > most_work) continue;
            std::vector<NodeId> cone{NodeId(v)};
            bool small = true;
            for (const NodeId before : problem_.predecessors[v]) {
                small = small && cheap_[before.index()] && cone.size() <= 8 * kLargestCone;
                if (!small) break;
                cone.insert(cone.end(), cones[before.index()].begin(), cones[before.index()].end());
            }
            if (!small) continue;
            keep_distinct(cone);
            double work = 0, parameters = 0;
            for (const NodeId node : cone) {
                work += static_cast<double>(work_[node.index()].count());
                parameters += static_cast<double>(parameters_of(node.index()).count);
            }
            if (cone.size() > kLargestCone || work > most_work || parameters > most_parameters) continue;
            cheap_[v] = 1;
            cones[v] = std::move(cone);
        }
    }

    /// Those that are not cheap and read what is, in the operators' order.
    void find_readers() {
        for (std::size_t v = 0; v < problem_.node_count(); ++v)
            if (!cheap_[v] && std::ranges::any_of(problem_.predecessors[v], [&](NodeId before) { return cheap_[before.index()] != 0; }))
                readers_.emplace_back(v);
    }

    std::size_t group_readers(double spread) {
        std::size_t group = 0;
        std::int64_t first = start_[readers_.front().index()];
        starts_.assign(1, first);
        for (const NodeId reader : readers_) {
            if (static_cast<double>(start_[reader.index()] - first) > spread) {
                ++group;
                first = start_[reader.index()];
                starts_.push_back(first);
            }
            group_[reader.index()] = group;
        }
        return group + 1;
    }

    /// Is made more than once: its readers do not fit on a chip and the next one without holding other work.
    [[nodiscard]] bool cloned(std::size_t v) const {
        return needs_[v].size() > 1 && static_cast<double>(starts_[needs_[v].back()] - starts_[needs_[v].front()]) > share_;
    }

    SharedClones clones_of(double spread) {
        SharedClones clones;
        clones.groups = group_readers(spread);
        if (clones.groups == 1) return clones;
        // Which groups read what a node makes, through others that are made for them alone. Of a node that is made once, only the first
        // group counts: it lies there.
        needs_.assign(problem_.node_count(), {});
        for (std::size_t v = problem_.node_count(); v-- > 0;) {
            if (!cheap_[v]) continue;
            for (const NodeId next : problem_.successors[v]) {
                const std::size_t n = next.index();
                if (!cheap_[n])
                    needs_[v].push_back(group_[n]);
                else if (cloned(n))
                    needs_[v].insert(needs_[v].end(), needs_[n].begin(), needs_[n].end());
                else if (!needs_[n].empty())
                    needs_[v].push_back(needs_[n].front());
            }
            keep_distinct(needs_[v]);
        }
        graph::NewNames names(graph_);
        std::map<std::pair<std::size_t, std::size_t>, std::string> copy_of;  // node and group: first output
        for (std::size_t v = problem_.node_count(); v-- > 0;) {
            if (!cheap_[v] || !cloned(v)) continue;
            for (std::size_t g = 1; g < needs_[v].size(); ++g) {
                graph::Rewrite rewrite = copy(v, needs_[v][g], names, copy_of);
                if (rewrite.readers.empty()) continue;
                copy_of.emplace(std::pair(v, needs_[v][g]), rewrite.makes.front());
                clones.work += work_[v];
                clones.parameters += parameters_of(v);
                clones.rewrites.push_back(std::move(rewrite));
            }
        }
        return clones;
    }

    graph::Rewrite copy(std::size_t v, std::size_t group, graph::NewNames& names,
                        const std::map<std::pair<std::size_t, std::size_t>, std::string>& copy_of) const {
        const OperatorId id = problem_.operators[v][0];
        graph::Rewrite rewrite{.kind = graph::RewriteKind::clone, .copied = name_of(id), .tensor = {}, .makes = {}, .readers = {}};
        for (const OperatorId reader : graph_.successors(id)) {
            const NodeId node = problem_.node_of[reader.index()];
            if (!node.valid()) continue;
            const std::size_t n = node.index();
            if (!cheap_[n]) {
                if (group_[n] == group) rewrite.readers.push_back(name_of(reader));
            } else if (const auto made = copy_of.find({n, group}); made != copy_of.end()) {
                rewrite.readers.push_back({{}, made->second});
            } else if (!needs_[n].empty() && needs_[n].front() == group) {
                rewrite.readers.push_back(name_of(reader));
            }
        }
        if (!rewrite.readers.empty())
            for (const TensorId output : graph_.outputs(id)) rewrite.makes.push_back(names.take(graph_[output].name, "copy"));
        return rewrite;
    }

    [[nodiscard]] graph::OperatorName name_of(OperatorId id) const { return {id, std::string(graph_.first_output_name(id))}; }

    [[nodiscard]] bool fits(const SharedClones& clones) const {
        if (static_cast<double>(clones.work.count()) > options_.total_share * total_) return false;
        const cost::DeviceCosts& chip = problem_.classes.front();
        if (chip.overflow == cost::Overflow::unlimited) return true;
        double all = static_cast<double>(clones.parameters.count);
        for (const Bytes bytes : problem_.weight_bytes) all += static_cast<double>(bytes.count);
        return clones.parameters == Bytes{} || all <= static_cast<double>(chip.fast_memory.count) * static_cast<double>(chip.count);
    }

    const graph::Graph& graph_;
    const cost::StageProblem& problem_;
    const CloneOptions& options_;
    const std::vector<Duration>& work_;
    std::vector<char> cheap_;
    std::vector<std::size_t> group_;               // of readers
    std::vector<std::int64_t> start_;              // per node: work before it in the order
    std::vector<std::int64_t> starts_;             // per group, of its first reader
    std::vector<std::vector<std::size_t>> needs_;  // per cheap node
    std::vector<NodeId> readers_;
    double total_ = 0, share_ = 0;
};

}  // namespace

SharedClones shared_clones(const graph::Graph& graph, const cost::StageProblem& problem, const CloneOptions& options) {
    return Cloner(graph, problem, options).run();
}

}  // namespace sluice::mcm
