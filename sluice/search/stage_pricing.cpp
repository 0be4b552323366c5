#include "sluice/search/stage_pricing.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <functional>
#include <limits>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "sluice/search/poll.hpp"

namespace sluice::search {

namespace {

constexpr std::size_t kLeastStates = 256;

/// Where an open tensor's producer is, and whether the stage has paid for the tensor.
enum Place : unsigned { closed, before, before_paid, in, in_paid, behind };

template <class Key>
unsigned place(Key key, unsigned slot) {
    return static_cast<unsigned>(key >> (3 * slot)) & 7U;
}

template <class Key>
Key placed(Key key, unsigned slot, unsigned where) {
    return (key & ~(Key{7} << (3 * slot))) | (Key{where} << (3 * slot));
}

struct KeyHash {
    template <class Key>
    std::size_t operator()(Key key) const {
        const auto low = static_cast<std::uint64_t>(key), high = static_cast<std::uint64_t>(key >> 64);
        std::uint64_t mixed = (low ^ (high * 0xff51afd7ed558ccdULL)) * 0x9e3779b97f4a7c15ULL;
        return mixed ^ (mixed >> 29);
    }
};

}  // namespace

StagePricing::Choices StagePricing::choices(const Step& step, Key key) {
    Choices result{{key, 0, true}, {key, step.work, true}, {key, 0, true}};
    for (const Open& read : step.reads) {
        const unsigned where = place(key, read.slot);
        if (where >= in) result.before.possible = false;
        if (where == behind) result.in.possible = false;
        if (where == before) {
            result.in.cost += read.transfer;
            result.in.key = placed(result.in.key, read.slot, before_paid);
        }
        if (where == in) {
            result.behind.cost += read.transfer;
            result.behind.key = placed(result.behind.key, read.slot, in_paid);
        }
    }
    for (const Open& read : step.reads)
        if (read.last)
            for (Choice* choice : {&result.before, &result.in, &result.behind}) choice->key = placed(choice->key, read.slot, closed);
    for (const Open& made : step.makes) {
        result.before.key = placed(result.before.key, made.slot, before);
        result.in.key = placed(result.in.key, made.slot, in);
        result.behind.key = placed(result.behind.key, made.slot, behind);
    }
    return result;
}

/// Slots for the tensors of charged groups; empty: more than kMostOpen are open at once.
std::vector<StagePricing::Step> StagePricing::lay_out(const std::vector<char>& charged) const {
    std::vector<std::size_t> readers(problem_->tensor_count());
    for (std::size_t t = 0; t < readers.size(); ++t) readers[t] = problem_->consumers[t].size();
    std::vector<unsigned> slot(readers.size());
    std::priority_queue<unsigned, std::vector<unsigned>, std::greater<>> free;
    for (unsigned s = 0; s < kMostOpen; ++s) free.push(s);
    std::vector<Step> steps;
    for (Index g : order_) {
        Step step;
        step.work = charge_.factor * problem_->work[g] + charge_.share[g];
        std::vector<unsigned> freed;
        for (Index t : problem_->inputs[g]) {
            if (!charged[problem_->producer[t]]) continue;
            const bool last = --readers[t] == 0;
            step.reads.push_back({slot[t], charge_.factor * problem_->transfer[t], last});
            if (last) freed.push_back(slot[t]);
        }
        for (unsigned s : freed) free.push(s);
        for (Index t : problem_->outputs[g]) {
            if (!charged[g]) continue;
            if (free.empty()) return {};
            slot[t] = free.top();
            free.pop();
            step.makes.push_back({slot[t], charge_.factor * problem_->transfer[t]});
        }
        steps.push_back(std::move(step));
    }
    return steps;
}

/// Chooses what is not charged, the least costly first, and lays the rest out. nullopt: stopped.
std::optional<std::vector<StagePricing::Step>> StagePricing::limit_states(const Limits& limits) {
    const std::size_t groups = order_.size();
    const std::size_t most_states =
        std::clamp<std::size_t>(static_cast<std::size_t>(kMostWays) / (2 * groups + 1), kLeastStates, kMostStates);
    std::vector<char> charged(groups, 1);
    std::vector<std::uint32_t> position(groups);
    for (std::uint32_t i = 0; i < groups; ++i) position[order_[i]] = i;
    const auto made = [&](Index g) {
        std::int64_t sum = 0;
        for (Index t : problem_->outputs[g]) sum += problem_->transfer[t];
        return sum;
    };
    // Fewer than kMostOpen tensors cross any position.
    std::vector<std::size_t> last(groups);
    for (Index g = 0; g < groups; ++g) {
        last[g] = position[g];
        for (Index t : problem_->outputs[g])
            for (Index reader : problem_->consumers[t]) last[g] = std::max<std::size_t>(last[g], position[reader]);
    }
    const auto drop_cheapest = [&](std::vector<Index>& open) {
        const auto least = std::ranges::min_element(open, {}, [&](Index g) { return std::pair(made(g), g); });
        const Index g = *least;
        charged[g] = 0;
        open.erase(least);
        return g;
    };
    std::vector<Index> open;
    const auto tensors = [&] {
        std::size_t count = 0;
        for (Index g : open) count += problem_->outputs[g].size();
        return count;
    };
    for (std::size_t i = 0; i < groups; ++i) {
        if (!problem_->outputs[order_[i]].empty()) open.push_back(order_[i]);
        while (tensors() > kMostOpen) drop_cheapest(open);
        std::erase_if(open, [&](Index g) { return last[g] <= i; });
    }
    std::vector<Step> steps = lay_out(charged);
    assert(!steps.empty());

    // Few enough states at any position: a walk through all of them, which forgets tensors where they are too many.
    std::unordered_set<Key, KeyHash> states{Key{0}}, next;
    std::unordered_map<Index, std::vector<unsigned>> slots;
    open.clear();
    bool dropped = false;
    for (std::size_t i = 0; i < groups; ++i) {
        if (must_stop(limits)) return std::nullopt;
        next.clear();
        for (Key key : states) {
            const Choices all = choices(steps[i], key);
            for (const Choice& choice : {all.before, all.in, all.behind})
                if (choice.possible) next.insert(choice.key);
        }
        states.swap(next);
        if (!steps[i].makes.empty()) {
            open.push_back(order_[i]);
            auto& made_slots = slots[order_[i]];
            made_slots.clear();
            for (const Open& tensor : steps[i].makes) made_slots.push_back(tensor.slot);
        }
        std::erase_if(open, [&](Index g) { return last[g] <= i; });
        while (states.size() > most_states && !open.empty()) {
            const Index g = drop_cheapest(open);
            dropped = true;
            // Its tensors stay unknown to what reads them: a place that asks for nothing.
            next.clear();
            for (Key key : states) {
                for (unsigned s : slots[g]) key = placed(key, s, closed);
                next.insert(key);
            }
            states.swap(next);
        }
    }
    if (dropped) steps = lay_out(charged);
    for (std::uint32_t i = 0; i < groups; ++i)
        if (!charged[order_[i]]) uncharged_.push_back(i);
    return steps;
}

/// All states and how they come from each other, which no weight changes. False: stopped, or too many.
bool StagePricing::find_ways(const std::vector<Step>& steps, const Limits& limits) {
    std::vector<Key> states{Key{0}}, next;
    std::unordered_map<Key, std::uint16_t, KeyHash> index;
    std::vector<Open> open;  // charged tensors that a later group reads
    for (const Step& step : steps) {
        if (must_stop(limits)) return false;
        for (const Open& read : step.reads)
            if (read.last) std::erase_if(open, [&](const Open& o) { return o.slot == read.slot; });
        open.insert(open.end(), step.makes.begin(), step.makes.end());
        const auto leaves = [&](Key key) {
            std::int64_t sum = 0;
            for (const Open& tensor : open)
                if (place(key, tensor.slot) == in) sum += tensor.transfer;
            return sum;
        };
        next.clear();
        index.clear();
        first_way_.push_back(ways_.size());
        for (std::size_t from = 0; from < states.size(); ++from) {
            const Choices all = choices(step, states[from]);
            const auto add = [&](const Choice& choice, bool inside) {
                if (!choice.possible) return;
                const auto [at, fresh] = index.try_emplace(choice.key, static_cast<std::uint16_t>(next.size()));
                if (fresh) next.push_back(choice.key);
                ways_.push_back({choice.cost, inside ? leaves(choice.key) : 0, static_cast<std::uint16_t>(from), at->second, inside});
            };
            add(all.before, false);
            add(all.in, true);
            add(all.behind, false);
        }
        // limit_states() walked through the layout before tensors were left out: in this one there can be more, if hardly ever.
        if (next.size() > std::numeric_limits<std::uint16_t>::max()) return false;
        std::ranges::stable_sort(ways_.begin() + static_cast<std::ptrdiff_t>(first_way_.back()), ways_.end(), {}, &Way::to);
        states.swap(next);
        states_ = std::max(states_, static_cast<std::int64_t>(states.size()));
    }
    first_way_.push_back(ways_.size());
    return true;
}

std::optional<StagePricing> StagePricing::build(const SerialProblem& problem, std::span<const Index> order, std::int64_t theta_halves,
                                                const Limits& limits) {
    StagePricing pricing;
    pricing.problem_ = &problem;
    pricing.charge_ = spill_share(problem, theta_halves);
    pricing.order_.assign(order.begin(), order.end());
    const auto steps = pricing.limit_states(limits);
    if (!steps || !pricing.find_ways(*steps, limits)) return std::nullopt;
    return pricing;
}

std::int64_t StagePricing::charged_cost(std::span<const Index> stage) const {
    std::vector<char> inside(problem_->group_count(), 0), charged(problem_->group_count(), 1), seen(problem_->tensor_count(), 0);
    for (std::uint32_t i : uncharged_) charged[order_[i]] = 0;
    for (Index g : stage) inside[g] = 1;
    std::int64_t work = 0, transfers = 0;
    const auto pay = [&](Index t) {
        if (!charged[problem_->producer[t]] || seen[t]) return;
        seen[t] = 1;
        transfers += problem_->transfer[t];
    };
    for (Index g : stage) {
        work += charge_.factor * problem_->work[g] + charge_.share[g];
        for (Index t : problem_->inputs[g])
            if (!inside[problem_->producer[t]]) pay(t);
        for (Index t : problem_->outputs[g])
            if (std::ranges::any_of(problem_->consumers[t], [&](Index reader) { return !inside[reader]; })) pay(t);
    }
    return work + charge_.factor * transfers;
}

/// One pass along the order.
class StagePricing::Run {
public:
    Run(const StagePricing& pricing, std::span<const std::int64_t> weights, const Options& options)
        : pricing_(pricing), weights_(weights), options_(options) {}

    std::optional<Result> run(const Limits& limits) {
        std::vector<Label> labels{{0, 0, 0, false}}, next;  // of all states, one after the other
        std::vector<std::size_t> ends{1}, next_ends;
        const auto of = [&](std::size_t state) {
            const std::size_t begin = state == 0 ? 0 : ends[state - 1];
            return std::span<const Label>(labels).subspan(begin, ends[state] - begin);
        };
        for (std::size_t i = 0; i + 1 < pricing_.first_way_.size(); ++i) {
            if (must_stop(limits)) return std::nullopt;
            next.clear();
            next_ends.clear();
            const auto ways = pricing_.ways(i);
            for (std::size_t w = 0; w < ways.size();) {
                count_ = 0;
                for (const std::size_t to = ways[w].to; w < ways.size() && ways[w].to == to; ++w) {
                    const Way& way = ways[w];
                    const auto from = within_limit(of(way.from), way.cost);
                    result_.work += static_cast<std::int64_t>(from.size()) + kWayWork;
                    if (from.empty()) continue;
                    const std::int64_t weight = way.inside ? weights_[pricing_.order_[i]] : 0;
                    if (way.inside && options_.wanted) look(i, from, way.cost + way.leaves, weight);
                    merge(from, way.cost, weight, way.inside);
                }
                settle(i);
                next.insert(next.end(), best().begin(), best().end());
                next_ends.push_back(next.size());
            }
            labels.swap(next);
            ends.swap(next_ends);
            if (options_.wanted) collect_garbage(labels);
        }
        count_ = 0;
        for (std::size_t state = 0; state < ends.size(); ++state) merge(of(state), 0, 0, false);
        for (const Label& label : best()) result_.frontier.push_back({label.cost, label.weight});
        for (const Candidate& best : candidates_)
            if (best.weight >= 0) result_.stages.push_back(groups_of(best.node));
        return std::move(result_);
    }

private:
    struct Label {
        std::int64_t cost, weight;
        std::uint32_t node;  // of what is in the stage
        bool fresh;          // this position's group is in it too, but has no node yet
    };
    struct Node {
        std::uint32_t parent;
        std::uint32_t position;
    };
    struct Candidate {
        std::int64_t weight = -1;
        std::uint32_t node = 0;
    };

    [[nodiscard]] std::span<const Label> within_limit(std::span<const Label> labels, std::int64_t more) const {
        const auto end = std::ranges::upper_bound(labels, options_.limit - more, {}, &Label::cost);
        return labels.first(static_cast<std::size_t>(end - labels.begin()));
    }

    /// Labels of another state, dearer and heavier by that, into best(): what no other beats, ascending in both.
    void merge(std::span<const Label> from, std::int64_t cost, std::int64_t weight, bool inside) {
        const auto shifted = [&](const Label& label) { return Label{label.cost + cost, label.weight + weight, label.node, inside}; };
        if (merged_.size() < count_ + from.size()) {
            best_.resize(2 * (count_ + from.size()));
            merged_.resize(best_.size());
        }
        Label* out = merged_.data();
        std::int64_t heaviest = -1;
        const auto keep = [&](const Label& label) {
            *out = label;
            out += label.weight > heaviest;
            heaviest = std::max(heaviest, label.weight);
        };
        const Label *a = best_.data(), *const a_end = a + count_;
        auto b = from.begin();
        while (a != a_end && b != from.end()) {
            const Label other = shifted(*b);
            const bool first = a->cost < other.cost || (a->cost == other.cost && a->weight >= other.weight);
            keep(first ? *a : other);
            a += first;
            b += !first;
        }
        for (; a != a_end; ++a) keep(*a);
        for (; b != from.end(); ++b) keep(shifted(*b));
        count_ = static_cast<std::size_t>(out - merged_.data());
        best_.swap(merged_);
    }
    [[nodiscard]] std::span<Label> best() { return std::span(best_).first(count_); }

    /// Near labels of best() become one where they are too many; those that stay get their nodes.
    void settle(std::size_t position) {
        if (static_cast<std::int64_t>(count_) > options_.labels) {
            const std::int64_t step = options_.limit / options_.labels + 1;
            std::size_t kept = 0;
            std::int64_t box = -1;
            for (const Label& label : best()) {
                const std::int64_t cost = label.cost / step == box ? best_[kept - 1].cost : label.cost;
                if (label.cost / step != box) ++kept;
                box = label.cost / step;
                best_[kept - 1] = label;
                best_[kept - 1].cost = cost;
            }
            count_ = kept;
        }
        for (Label& label : best())
            if (label.fresh) label = {label.cost, label.weight, options_.wanted ? add_node(label.node, position) : 0, false};
    }

    /// The heaviest stage that ends with this position, `more` dearer than the labels: with all that leaves it.
    void look(std::size_t position, std::span<const Label> from, std::int64_t more, std::int64_t weight) {
        const auto fitting = within_limit(from, more);
        if (fitting.empty() || fitting.back().weight + weight <= *options_.wanted) return;
        if (candidates_.size() <= position) candidates_.resize(position + 1);
        Candidate& best = candidates_[position];
        if (fitting.back().weight + weight > best.weight) best = {fitting.back().weight + weight, add_node(fitting.back().node, position)};
    }

    std::uint32_t add_node(std::uint32_t parent, std::size_t position) {
        nodes_.push_back({parent, static_cast<std::uint32_t>(position)});
        return static_cast<std::uint32_t>(nodes_.size() - 1);
    }

    /// Nodes that no label leads to any more are most of all.
    void collect_garbage(std::span<Label> labels) {
        if (nodes_.size() < most_nodes_) return;
        std::vector<std::uint32_t> moved(nodes_.size(), 0);
        const auto mark = [&](std::uint32_t node) {
            for (; node != 0 && moved[node] == 0; node = nodes_[node].parent) moved[node] = 1;
        };
        for (const Label& label : labels) mark(label.node);
        for (const Candidate& best : candidates_) mark(best.node);
        std::uint32_t kept = 1;
        for (std::uint32_t n = 1; n < nodes_.size(); ++n) {
            if (moved[n] == 0) continue;
            nodes_[kept] = {moved[nodes_[n].parent], nodes_[n].position};
            moved[n] = kept++;
        }
        moved[0] = 0;
        nodes_.resize(kept);
        for (Label& label : labels) label.node = moved[label.node];
        for (Candidate& best : candidates_) best.node = moved[best.node];
        most_nodes_ = std::max(most_nodes_, std::size_t{4} * kept);
    }

    [[nodiscard]] std::vector<Index> groups_of(std::uint32_t node) const {
        std::vector<Index> groups;
        for (; node != 0; node = nodes_[node].parent) groups.push_back(pricing_.order_[nodes_[node].position]);
        std::ranges::sort(groups);
        return groups;
    }

    const StagePricing& pricing_;
    std::span<const std::int64_t> weights_;
    const Options& options_;
    Result result_;
    std::vector<Label> best_, merged_;  // of the state that is being made: the first count_, then room
    std::size_t count_ = 0;
    std::vector<Candidate> candidates_;  // per position
    std::vector<Node> nodes_{{0, 0}};    // the first is the empty stage
    std::size_t most_nodes_ = std::size_t{1} << 24;
};

std::optional<StagePricing::Result> StagePricing::price(std::span<const std::int64_t> weights, const Options& options,
                                                        const Limits& limits) const {
    assert(weights.size() == order_.size() && options.labels >= 1);
    return Run(*this, weights, options).run(limits);
}

}  // namespace sluice::search
