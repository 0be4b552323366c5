#include "sluice/training/peers/recompute_choice.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "sluice/base/wide.hpp"

namespace sluice::training {

namespace {

constexpr std::size_t kExactNodes = 12;

Wide need_of(const PiperChoice& choice, std::int64_t in_flight) { return Wide{choice.each.count} * in_flight + choice.fixed.count; }

/// A step of one node from one choice to the next that is slower and needs less.
struct Step {
    std::size_t node = 0, from = 0, to = 0;
    std::int64_t slower = 0;
    Wide saved = 0;
};

/// Per node: choices that are neither slower nor larger than another, fastest first; steps between those on the lower convex hull.
struct Knapsack {
    std::vector<std::vector<std::size_t>> options;
    std::vector<Step> steps;  // least time for a byte first
};

Knapsack knapsack_of(const ChoiceLists& lists, std::int64_t in_flight) {
    Knapsack knapsack;
    for (std::size_t v = 0; v < lists.size(); ++v) {
        const auto time = [&](std::size_t c) { return lists[v][c].time.count(); };
        const auto need = [&](std::size_t c) { return need_of(lists[v][c], in_flight); };
        std::vector<std::size_t> order(lists[v].size());
        for (std::size_t c = 0; c < order.size(); ++c) order[c] = c;
        std::ranges::stable_sort(order,
                                 [&](std::size_t a, std::size_t b) { return std::pair(time(a), need(a)) < std::pair(time(b), need(b)); });
        auto& options = knapsack.options.emplace_back();
        for (const std::size_t c : order)
            if (options.empty() || need(c) < need(options.back())) options.push_back(c);
        std::vector<std::size_t> hull;
        for (const std::size_t c : options) {
            const auto bends_up = [&] {
                const std::size_t a = hull[hull.size() - 2], b = hull.back();
                return Wide{time(b) - time(a)} * (need(b) - need(c)) >= Wide{time(c) - time(b)} * (need(a) - need(b));
            };
            while (hull.size() >= 2 && bends_up()) hull.pop_back();
            hull.push_back(c);
        }
        for (std::size_t i = 1; i < hull.size(); ++i)
            knapsack.steps.push_back({v, hull[i - 1], hull[i], time(hull[i]) - time(hull[i - 1]), need(hull[i - 1]) - need(hull[i])});
    }
    std::ranges::stable_sort(knapsack.steps,
                             [](const Step& a, const Step& b) { return Wide{a.slower} * b.saved < Wide{b.slower} * a.saved; });
    return knapsack;
}

/// Depth first over the nodes, bounded by the linear relaxation: steps in order, the last one in part.
class Exact {
public:
    Exact(const ChoiceLists& lists, const Knapsack& knapsack, std::int64_t in_flight, std::vector<std::size_t> chosen, std::int64_t time)
        : lists_(lists), knapsack_(knapsack), in_flight_(in_flight), now_(chosen), best_(std::move(chosen)), best_time_(time) {}

    std::vector<std::size_t> run(Wide memory) {
        descend(0, memory, 0);
        return std::move(best_);
    }

private:
    void descend(std::size_t node, Wide left, std::int64_t time) {
        if (node == lists_.size()) {
            if (left < 0 || time >= best_time_) return;
            best_time_ = time;
            best_ = now_;
            return;
        }
        if (relaxed(node, left, time) >= best_time_) return;
        for (const std::size_t c : knapsack_.options[node]) {
            now_[node] = c;
            descend(node + 1, left - need_of(lists_[node][c], in_flight_), time + lists_[node][c].time.count());
        }
    }

    [[nodiscard]] std::int64_t relaxed(std::size_t node, Wide left, std::int64_t time) const {
        for (std::size_t v = node; v < lists_.size(); ++v) {
            const PiperChoice& fastest = lists_[v][knapsack_.options[v].front()];
            left -= need_of(fastest, in_flight_);
            time += fastest.time.count();
        }
        for (const Step& step : knapsack_.steps) {
            if (left >= 0) return time;
            if (step.node < node) continue;
            if (step.saved >= -left) return time + static_cast<std::int64_t>(Wide{step.slower} * -left / step.saved);
            left += step.saved;
            time += step.slower;
        }
        return left >= 0 ? time : std::numeric_limits<std::int64_t>::max();
    }

    const ChoiceLists& lists_;
    const Knapsack& knapsack_;
    std::int64_t in_flight_;
    std::vector<std::size_t> now_, best_;
    std::int64_t best_time_;
};

}  // namespace

std::size_t fastest_choice(std::span<const PiperChoice> list) {
    const auto key = [](const PiperChoice& choice) { return std::pair(choice.time, choice.each + choice.fixed); };
    return static_cast<std::size_t>(std::ranges::min_element(list, {}, key) - list.begin());
}

std::optional<Choices> cheapest_choices(const ChoiceLists& lists, std::int64_t in_flight, Bytes memory) {
    const Knapsack knapsack = knapsack_of(lists, in_flight);
    Choices choices;
    Wide left = memory.count;
    for (std::size_t v = 0; v < lists.size(); ++v) {
        choices.chosen.push_back(knapsack.options[v].front());
        left -= need_of(lists[v][choices.chosen[v]], in_flight);
    }
    std::vector<const Step*> taken;
    for (std::size_t i = 0; i < knapsack.steps.size() && left < 0; ++i) {
        const Step* step = &knapsack.steps[i];
        // The last: any that suffices and is possible now.
        if (left + step->saved >= 0)
            for (const Step& other : knapsack.steps)
                if (choices.chosen[other.node] == other.from && left + other.saved >= 0 && other.slower < step->slower) step = &other;
        choices.chosen[step->node] = step->to;
        left += step->saved;
        taken.push_back(step);
    }
    if (left < 0) return std::nullopt;
    std::ranges::stable_sort(taken, std::greater{}, &Step::slower);
    for (const Step* step : taken)
        if (choices.chosen[step->node] == step->to && left >= step->saved) {
            choices.chosen[step->node] = step->from;
            left -= step->saved;
        }
    const auto time_of = [&] {
        std::int64_t time = 0;
        for (std::size_t v = 0; v < lists.size(); ++v) time += lists[v][choices.chosen[v]].time.count();
        return time;
    };
    const auto has_choice = [](const std::vector<std::size_t>& options) { return options.size() > 1; };
    if (!taken.empty() && std::ranges::count_if(knapsack.options, has_choice) <= static_cast<std::ptrdiff_t>(kExactNodes))
        choices.chosen = Exact(lists, knapsack, in_flight, choices.chosen, time_of()).run(memory.count);
    choices.time = Duration{time_of()};
    for (std::size_t v = 0; v < lists.size(); ++v) choices.parameters += lists[v][choices.chosen[v]].parameters;
    return choices;
}

}  // namespace sluice::training
