#include "sluice/search/stage_pricing.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <functional>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "sluice/search/poll.hpp"

namespace sluice::search {

namespace {

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

/// Chooses what is not charged, the least costly first, and lays the rest out. False: stopped.
bool StagePricing::limit_states(const Limits& limits) {
    const std::size_t groups = order_.size();
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
    steps_ = lay_out(charged);
    assert(!steps_.empty());

    // Fewer than kMostStates states at any position: a walk through all of them, which forgets tensors where they are too many.
    std::unordered_set<Key, KeyHash> states{Key{0}}, next;
    std::unordered_map<Index, std::vector<unsigned>> slots;
    open.clear();
    bool dropped = false;
    for (std::size_t i = 0; i < groups; ++i) {
        if (must_stop(limits)) return false;
        next.clear();
        for (Key key : states) {
            const Choices all = choices(steps_[i], key);
            for (const Choice& choice : {all.before, all.in, all.behind})
                if (choice.possible) next.insert(choice.key);
        }
        states.swap(next);
        if (!steps_[i].makes.empty()) {
            open.push_back(order_[i]);
            auto& made_slots = slots[order_[i]];
            made_slots.clear();
            for (const Open& tensor : steps_[i].makes) made_slots.push_back(tensor.slot);
        }
        std::erase_if(open, [&](Index g) { return last[g] <= i; });
        while (states.size() > kMostStates && !open.empty()) {
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
        states_ = std::max(states_, static_cast<std::int64_t>(states.size()));
        least_work_ += 3 * kStateWork * static_cast<std::int64_t>(states.size());
    }
    if (dropped) steps_ = lay_out(charged);
    for (std::uint32_t i = 0; i < groups; ++i)
        if (!charged[order_[i]]) uncharged_.push_back(i);
    return true;
}

std::optional<StagePricing> StagePricing::build(const SerialProblem& problem, std::span<const Index> order, std::int64_t theta_halves,
                                                const Limits& limits) {
    StagePricing pricing;
    pricing.problem_ = &problem;
    pricing.charge_ = spill_share(problem, theta_halves);
    pricing.order_.assign(order.begin(), order.end());
    if (!pricing.limit_states(limits)) return std::nullopt;
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
        std::vector<State> states, next;  // the label lists of `next` beyond `used` are spare memory
        std::unordered_map<Key, std::size_t, KeyHash> index;
        states.push_back({0, {Label{0, 0, 0, false}}});
        std::size_t count = 1, used = 0;
        for (std::size_t i = 0; i < pricing_.steps_.size(); ++i) {
            if (must_stop(limits)) return std::nullopt;
            used = 0;
            index.clear();
            const Step& step = pricing_.steps_[i];
            const auto emit = [&](const State& from, const Choice& choice, bool inside) {
                if (!choice.possible) return;
                shift(from, choice.cost, inside ? weights_[pricing_.order_[i]] : 0, inside);
                if (shifted_.empty()) return;
                if (inside && options_.wanted) look(i, choice.key);
                const auto [at, fresh] = index.try_emplace(choice.key, used);
                if (fresh) {
                    if (used == next.size()) next.emplace_back();
                    next[used].key = choice.key;
                    next[used++].labels.clear();
                }
                merge(next[at->second].labels);
            };
            open_now(i);
            for (const State& state : std::span(states).first(count)) {
                const Choices all = choices(step, state.key);
                emit(state, all.before, false);
                emit(state, all.in, true);
                emit(state, all.behind, false);
            }
            for (State& state : std::span(next).first(used)) settle(state.labels, i);
            states.swap(next);
            count = used;
            if (options_.wanted) collect_garbage(std::span(states).first(count));
        }
        std::vector<Label> all;
        for (State& state : std::span(states).first(count)) {
            shifted_ = std::move(state.labels);
            merge(all);
        }
        for (const Label& label : all) result_.frontier.push_back({label.cost, label.weight});
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
    struct State {
        Key key;
        std::vector<Label> labels;  // ascending in both
    };
    struct Node {
        std::uint32_t parent;
        std::uint32_t position;
    };
    struct Candidate {
        std::int64_t weight = -1;
        std::uint32_t node = 0;
    };

    void shift(const State& from, std::int64_t cost, std::int64_t weight, bool inside) {
        shifted_.clear();
        for (const Label& label : from.labels) {
            if (label.cost + cost > options_.limit) break;
            shifted_.push_back({label.cost + cost, label.weight + weight, label.node, inside});
        }
        result_.work += static_cast<std::int64_t>(shifted_.size()) + kStateWork;
    }

    /// `shifted_` into labels: what no other beats.
    void merge(std::vector<Label>& labels) {
        if (labels.empty()) {
            labels.swap(shifted_);
            return;
        }
        merged_.clear();
        std::int64_t heaviest = -1;
        auto a = labels.begin();
        auto b = shifted_.begin();
        while (a != labels.end() || b != shifted_.end()) {
            const bool first =
                b == shifted_.end() || (a != labels.end() && (a->cost < b->cost || (a->cost == b->cost && a->weight >= b->weight)));
            const Label& label = first ? *a++ : *b++;
            if (label.weight <= heaviest) continue;
            heaviest = label.weight;
            merged_.push_back(label);
        }
        labels.swap(merged_);
    }

    void settle(std::vector<Label>& labels, std::size_t position) {
        if (static_cast<std::int64_t>(labels.size()) > options_.labels) {
            const std::int64_t step = options_.limit / options_.labels + 1;
            std::size_t kept = 0;
            for (const Label& label : labels) {
                if (kept > 0 && labels[kept - 1].cost / step == label.cost / step) {
                    const std::int64_t cost = labels[kept - 1].cost;
                    labels[kept - 1] = label;
                    labels[kept - 1].cost = cost;
                } else {
                    labels[kept++] = label;
                }
            }
            labels.resize(kept);
        }
        if (!options_.wanted) return;
        for (Label& label : labels)
            if (label.fresh) label = {label.cost, label.weight, add_node(label.node, position), false};
    }

    /// Charged tensors that are open behind the position.
    void open_now(std::size_t position) {
        if (!options_.wanted) return;
        const Step& step = pricing_.steps_[position];
        for (const Open& read : step.reads)
            if (read.last) std::erase_if(open_, [&](const Open& o) { return o.slot == read.slot; });
        open_.insert(open_.end(), step.makes.begin(), step.makes.end());
    }

    /// The heaviest stage that ends with this position: what it made and is still open leaves it.
    void look(std::size_t position, Key key) {
        std::int64_t leaves = 0;
        for (const Open& tensor : open_)
            if (place(key, tensor.slot) == in) leaves += tensor.transfer;
        for (auto label = shifted_.rbegin(); label != shifted_.rend(); ++label) {
            if (label->cost + leaves > options_.limit) continue;
            if (label->weight <= *options_.wanted) return;
            if (candidates_.size() <= position) candidates_.resize(position + 1);
            Candidate& best = candidates_[position];
            if (label->weight > best.weight) best = {label->weight, add_node(label->node, position)};
            return;
        }
    }

    std::uint32_t add_node(std::uint32_t parent, std::size_t position) {
        nodes_.push_back({parent, static_cast<std::uint32_t>(position)});
        return static_cast<std::uint32_t>(nodes_.size() - 1);
    }

    /// Nodes that no label leads to any more are most of all.
    void collect_garbage(std::span<State> states) {
        if (nodes_.size() < most_nodes_) return;
        std::vector<std::uint32_t> moved(nodes_.size(), 0);
        const auto mark = [&](std::uint32_t node) {
            for (; node != 0 && moved[node] == 0; node = nodes_[node].parent) moved[node] = 1;
        };
        for (const State& state : states)
            for (const Label& label : state.labels) mark(label.node);
        for (const Candidate& best : candidates_) mark(best.node);
        std::uint32_t kept = 1;
        for (std::uint32_t n = 1; n < nodes_.size(); ++n) {
            if (moved[n] == 0) continue;
            nodes_[kept] = {moved[nodes_[n].parent], nodes_[n].position};
            moved[n] = kept++;
        }
        moved[0] = 0;
        nodes_.resize(kept);
        for (State& state : states)
            for (Label& label : state.labels) label.node = moved[label.node];
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
    std::vector<Label> shifted_, merged_;
    std::vector<Open> open_;
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
