#include "sluice/search/cluster.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "sluice/search/poll.hpp"

namespace sluice::search {

namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kFewGroups = 128;  // so few that every neighbour of every group can be tried

constexpr int kPasses = 4;  // over the edges: what a merge made possible is found by the next

using Group = std::uint32_t;

class Clusters {
public:
    Clusters(const cost::StageProblem& problem, const ClusterOptions& options) : problem_(problem), options_(options) {
        const std::size_t n = problem.node_count();
        for (std::size_t c = 0; c < problem.classes.size(); ++c) scratch_.emplace_back(problem, ClassId(c));
        group_of_.resize(n);
        std::iota(group_of_.begin(), group_of_.end(), Group{0});
        members_.resize(n);
        before_.resize(n);
        after_.resize(n);
        for (std::size_t v = 0; v < n; ++v) {
            members_[v] = {NodeId(v)};
            for (NodeId u : problem.predecessors[v]) before_[v].push_back(static_cast<Group>(u.index()));
            for (NodeId u : problem.successors[v]) after_[v].push_back(static_cast<Group>(u.index()));
            time_.push_back(time_of(members_[v]));
        }
        groups_ = n;
        mark_.assign(n, 0);
        growth_.assign(n, 0);
    }

    std::optional<cost::Partition> run() {
        latency_ = latency();
        join_chains();
        if (!zero_edges() || !reduce()) return std::nullopt;
        return equip();
    }

private:
    [[nodiscard]] bool stopped() { return options_.limits && must_stop(*options_.limits); }

    /// Of these nodes as one stage, in order of number, on the class where that is least; kNever: on none.
    std::int64_t time_of(const std::vector<NodeId>& nodes, std::size_t* on = nullptr, const std::vector<std::int64_t>* free = nullptr) {
        std::int64_t least = kNever;
        for (std::size_t c = 0; c < scratch_.size(); ++c) {
            const auto& device = problem_.classes[c];
            if (device.count < 1 || (free && (*free)[c] < 1)) continue;
            if (!std::ranges::all_of(nodes, [&](NodeId node) { return device.supported.contains(node.index()); })) continue;
            scratch_[c].clear();
            for (NodeId node : nodes) scratch_[c].add(node);
            if (!cost::fits(device, scratch_[c].terms()) || scratch_[c].time().count() >= least) continue;
            least = scratch_[c].time().count();
            if (on) *on = c;
        }
        return least;
    }

    [[nodiscard]] std::vector<NodeId> both(Group a, Group b) const {
        std::vector<NodeId> nodes;
        std::ranges::merge(members_[a], members_[b], std::back_inserter(nodes));
        return nodes;
    }

    /// Does a path of at least two edges lead from a to b? Then they cannot be one stage.
    bool detour(Group a, Group b) {
        ++epoch_;
        std::vector<Group> stack;
        for (Group next : after_[a])
            if (next != b) stack.push_back(next);
        while (!stack.empty()) {
            const Group at = stack.back();
            stack.pop_back();
            if (at == b) return true;
            if (mark_[at] == epoch_) continue;
            mark_[at] = epoch_;
            for (Group next : after_[at])
                if (mark_[next] != epoch_) stack.push_back(next);
        }
        return false;
    }

    static void replace(std::vector<Group>& list, Group from, Group to) {
        std::erase(list, from);
        if (std::ranges::find(list, to) == list.end()) list.push_back(to);
    }

    void merge(Group a, Group b, std::int64_t time) {
        members_[a] = both(a, b);
        members_[b].clear();
        for (NodeId node : members_[a]) group_of_[node.index()] = a;
        time_[a] = time;
        growth_[a] += growth_[b] + 1;
        std::erase(after_[a], b);
        std::erase(before_[a], b);
        for (Group next : after_[b]) {
            if (next == a) continue;
            replace(before_[next], b, a);
            if (std::ranges::find(after_[a], next) == after_[a].end()) after_[a].push_back(next);
        }
        for (Group previous : before_[b]) {
            if (previous == a) continue;
            replace(after_[previous], b, a);
            if (std::ranges::find(before_[a], previous) == before_[a].end()) before_[a].push_back(previous);
        }
        after_[b].clear();
        before_[b].clear();
        --groups_;
    }

    /// With a and b as one group of `time` (kNever: as things are). Needs that no cycle comes of it.
    std::int64_t latency(Group a = 0, Group b = 0, std::int64_t time = kNever) {
        const bool trial = time != kNever;
        const std::size_t n = members_.size();
        const auto shown = [&](Group g) { return trial && g == b ? a : g; };
        waiting_.assign(n, 0);
        arrival_.assign(n, 0);
        ready_.clear();
        for (Group g = 0; g < n; ++g)
            for (Group next : after_[g])
                if (shown(g) != shown(next)) ++waiting_[shown(next)];
        for (Group g = 0; g < n; ++g)
            if (!members_[g].empty() && shown(g) == g && waiting_[g] == 0) ready_.push_back(g);
        std::int64_t longest = 0;
        const auto pass = [&](Group g, Group as, std::int64_t end) {
            for (Group next : after_[g]) {
                const Group to = shown(next);
                if (to == as) continue;
                arrival_[to] = std::max(arrival_[to], end);
                if (--waiting_[to] == 0) ready_.push_back(to);
            }
        };
        for (std::size_t i = 0; i < ready_.size(); ++i) {
            const Group g = ready_[i];
            const bool merged = trial && g == a;
            const std::int64_t own = merged ? time : time_[g];
            const std::int64_t end = own == kNever || arrival_[g] == kNever ? kNever : arrival_[g] + own;
            longest = std::max(longest, end);
            pass(g, g, end);
            if (merged) pass(b, a, end);
        }
        return longest;
    }

    /// What is always right: a group whose only reader reads nothing else, when both together take no longer than one after the other.
    void join_chains() {
        for (std::size_t v = 0; v < members_.size(); ++v)
            for (Group a = group_of_[v]; after_[a].size() == 1;) {
                const Group b = after_[a].front();
                if (before_[b].size() != 1) break;
                const std::int64_t time = time_of(both(a, b));
                if (time == kNever || (time_[a] != kNever && time_[b] != kNever && time > time_[a] + time_[b])) break;
                merge(a, b, time);
            }
        latency_ = latency();
    }

    bool zero_edges() {
        struct Edge {
            double weight;
            NodeId from, to;
        };
        std::vector<Edge> edges;
        for (std::size_t e = 0; e < problem_.edge_count(); ++e) {
            if (!problem_.producer[e].valid()) continue;
            const double weight =
                static_cast<double>(problem_.transfer[e].count()) * (options_.random ? 0.5 + options_.random->unit() : 1.0);
            for (NodeId reader : problem_.consumers[e]) edges.push_back({weight, problem_.producer[e], reader});
        }
        std::ranges::stable_sort(edges, std::ranges::greater{}, &Edge::weight);
        bool changed = true;
        for (int pass = 0; pass < kPasses && changed; ++pass) {
            changed = false;
            std::unordered_map<std::uint64_t, std::uint64_t> refused;  // two groups, and how often either had grown by then
            for (const Edge& edge : edges) {
                const Group a = group_of_[edge.from.index()], b = group_of_[edge.to.index()];
                if (a == b) continue;
                const std::uint64_t grown = growth_[a] + growth_[b];
                const auto [known, first] = refused.try_emplace(std::uint64_t{a} << 32 | b, grown);
                if (!first && std::exchange(known->second, grown) == grown) continue;
                if (stopped()) return false;
                const std::int64_t time = time_of(both(a, b));
                if (time == kNever || detour(a, b)) continue;
                const std::int64_t latency = this->latency(a, b, time);
                if (latency > latency_) continue;
                merge(a, b, time);
                latency_ = latency;
                changed = true;
            }
        }
        return true;
    }

    /// Down to as many groups as there are devices.
    bool reduce() {
        std::int64_t devices = 0;
        for (const auto& device : problem_.classes) devices += std::clamp<std::int64_t>(device.count, 0, options_.stages - devices);
        while (std::cmp_greater(groups_, devices)) {
            std::vector<Group> by_time;
            for (Group g = 0; g < members_.size(); ++g)
                if (!members_[g].empty()) by_time.push_back(g);
            std::ranges::stable_sort(by_time, {}, [&](Group g) { return time_[g]; });
            std::int64_t best = kNever, best_time = kNever;
            Group best_a = 0, best_b = 0;
            for (Group a : by_time) {
                if (best_time != kNever && groups_ > kFewGroups) break;
                for (Group b : near(a)) {
                    if (stopped()) return false;
                    const std::int64_t time = time_of(both(a, b));
                    if (time == kNever || detour(a, b) || detour(b, a)) continue;
                    const std::int64_t latency = this->latency(a, b, time);
                    if (std::pair(latency, time) >= std::pair(best, best_time)) continue;
                    best = latency, best_time = time, best_a = a, best_b = b;
                }
            }
            if (best_time == kNever) return false;
            merge(best_a, best_b, best_time);
            latency_ = best;
        }
        return true;
    }

    /// Neighbours, and those that share one.
    [[nodiscard]] std::vector<Group> near(Group a) const {
        std::vector<Group> list;
        for (const auto* side : {&before_[a], &after_[a]})
            for (Group g : *side) {
                list.push_back(g);
                list.insert(list.end(), after_[g].begin(), after_[g].end());
                list.insert(list.end(), before_[g].begin(), before_[g].end());
            }
        if (list.empty())  // a component of its own
            for (Group g = 0; g < members_.size(); ++g)
                if (!members_[g].empty()) list.push_back(g);
        std::ranges::sort(list);
        list.erase(std::ranges::unique(list).begin(), list.end());
        std::erase(list, a);
        return list;
    }

    /// A class for each group, the longest first.
    std::optional<cost::Partition> equip() {
        std::vector<std::int64_t> free;
        for (const auto& device : problem_.classes) free.push_back(device.count);
        std::vector<Group> by_time;
        for (Group g = 0; g < members_.size(); ++g)
            if (!members_[g].empty()) by_time.push_back(g);
        std::ranges::stable_sort(by_time, std::ranges::greater{}, [&](Group g) { return time_[g]; });
        cost::Partition partition;
        for (Group g : by_time) {
            std::size_t on = 0;
            if (time_of(members_[g], &on, &free) == kNever) return std::nullopt;
            --free[on];
            partition.stages.push_back({members_[g], ClassId(on), 1});
        }
        auto sorted = cost::normalise(problem_, std::move(partition));
        return sorted ? std::optional(*std::move(sorted)) : std::nullopt;
    }

    const cost::StageProblem& problem_;
    const ClusterOptions& options_;
    std::vector<cost::IncrementalStage> scratch_;
    std::vector<Group> group_of_;               // per node; a group has the number of one of its nodes
    std::vector<std::vector<NodeId>> members_;  // ascending; empty: merged into another
    std::vector<std::vector<Group>> before_, after_;
    std::vector<std::int64_t> time_;
    std::vector<std::uint64_t> growth_;  // merges that made it
    std::size_t groups_ = 0;
    std::int64_t latency_ = 0;
    std::vector<std::uint32_t> mark_;
    std::uint32_t epoch_ = 0;
    std::vector<std::uint32_t> waiting_;
    std::vector<std::int64_t> arrival_;
    std::vector<Group> ready_;
};

}  // namespace

std::optional<cost::Partition> cluster(const cost::StageProblem& problem, const ClusterOptions& options) {
    return Clusters(problem, options).run();
}

}  // namespace sluice::search
