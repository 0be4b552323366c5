#include "sluice/mcm/search/repair.hpp"

#include <algorithm>
#include <utility>

namespace sluice::mcm {

namespace {

constexpr int kTries = 3;  // walks that may end in the limit before the wider rules are left alone
/// While another way is open. With less a walk that was nearly there is lost; more only makes the first few slower.
constexpr WalkLimits kTrial{.backtracks = 500};
/// Afterwards: what is nearly legal must be changed little, and what is legal not at all.
constexpr WalkLimits kNearly{.backtracks = 20};

/// The graph with an edge from node v - 1 to v where v is the first of its component; nullptr: it has but one.
std::unique_ptr<cost::StageProblem> join(const cost::StageProblem& costs) {
    const std::size_t nodes = costs.node_count();
    std::vector<char> seen(nodes);
    std::vector<std::vector<NodeId>> before(nodes), after(nodes);
    std::size_t components = 0;
    for (std::size_t v = 0; v < nodes; ++v) {
        before[v].assign(costs.predecessors[v].begin(), costs.predecessors[v].end());
        after[v].assign(costs.successors[v].begin(), costs.successors[v].end());
    }
    for (std::size_t v = 0; v < nodes; ++v) {
        if (seen[v] != 0) continue;
        if (components++ > 0) {
            before[v].emplace_back(v - 1);  // its only one: it has the smallest number of its component
            after[v - 1].insert(std::ranges::upper_bound(after[v - 1], NodeId(v)), NodeId(v));
        }
        std::vector<std::size_t> open{v};
        seen[v] = 1;
        while (!open.empty()) {
            const std::size_t u = open.back();
            open.pop_back();
            for (const auto& row : {costs.predecessors[u], costs.successors[u]})
                for (const NodeId next : row)
                    if (!std::exchange(seen[next.index()], 1)) open.push_back(next.index());
        }
    }
    if (components == 1) return nullptr;
    auto joined = std::make_unique<cost::StageProblem>(costs);
    joined->predecessors = Rows<NodeId>(before);
    joined->successors = Rows<NodeId>(after);
    return joined;
}

}  // namespace

Repair::Repair(const ChipProblem& problem)
    : narrow_problem_(problem), solver_(problem), joined_(problem.rules.no_skip ? join(*problem.costs) : nullptr) {
    Rules& rules = narrow_problem_.rules;
    has_narrow_ = !rules.acyclic || !rules.adjacent || joined_;
    rules.acyclic = rules.adjacent = true;
    if (joined_) narrow_problem_.costs = joined_.get();
}

ChipSolver* Repair::narrow() {
    if (!has_narrow_) return nullptr;
    if (!narrow_) {
        narrow_.emplace(narrow_problem_);
        for (const auto& nogood : learnt_) narrow_->learn(nogood);
    }
    if (!narrow_->consistent()) has_narrow_ = false;
    return has_narrow_ ? &*narrow_ : nullptr;
}

/// `wide`: limits of the first walk under the problem's own rules; without, the narrower ones come first.
template <typename F>
Result<Assignment> Repair::either(std::optional<WalkLimits> wide, int& given_up, F&& walk) {
    if (!has_narrow_) wide.reset();
    if (wide) {
        auto made = walk(solver_, *wide);
        if (made) {
            if (given_up < kTries) given_up = 0;
            return std::move(made->chips);
        }
        if (made.error().kind != DiagnosticKind::stopped) return fail(std::move(made.error()));
    }
    ++given_up;
    if (ChipSolver* solver = narrow())
        if (auto made = walk(*solver, WalkLimits{})) return std::move(made->chips);
    auto made = walk(solver_, WalkLimits{});
    if (!made) return fail(std::move(made.error()));
    return std::move(made->chips);
}

Result<Assignment> Repair::sample(std::span<const float> probabilities, std::span<const NodeId> order, RandomStream& random) {
    const auto wide = samples_given_up_ < kTries ? std::optional(kTrial) : std::nullopt;
    return either(wide, samples_given_up_,
                  [&](ChipSolver& solver, const WalkLimits& limits) { return mcm::sample(solver, probabilities, order, random, limits); });
}

Result<Assignment> Repair::fix(std::span<const std::uint8_t> candidate, std::span<const NodeId> order, RandomStream& random) {
    return either(repairs_given_up_ < kTries ? kTrial : kNearly, repairs_given_up_, [&](ChipSolver& solver, const WalkLimits& limits) {
        return mcm::fix(solver, candidate, order, OpenNodes::nearest, random, limits);
    });
}

bool Repair::learn(const Verdict& verdict) {
    if (!verdict.failure || verdict.failure->nodes.empty()) return false;
    std::vector<NodeId> nodes = verdict.failure->nodes;
    std::ranges::sort(nodes);
    if (std::ranges::contains(learnt_, nodes)) return false;
    solver_.learn(nodes);
    if (narrow_) narrow_->learn(nodes);
    learnt_.push_back(std::move(nodes));
    return true;
}

bool Repair::allows(std::span<const std::uint8_t> chips) const {
    return std::ranges::none_of(learnt_, [&](const std::vector<NodeId>& nodes) {
        return std::ranges::all_of(nodes, [&](NodeId node) { return chips[node.index()] == chips[nodes.front().index()]; });
    });
}

std::vector<NodeId> bisection_order(const cost::StageProblem& costs) {
    RandomStream unused(0);
    return walk_order(costs, WalkOrder::bisection, unused);
}

}  // namespace sluice::mcm
