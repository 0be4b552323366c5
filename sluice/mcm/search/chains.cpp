#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <numeric>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/base/stop_check.hpp"
#include "sluice/cost/stage_cost.hpp"
#include "sluice/mcm/search/exact.hpp"

namespace sluice::mcm {

namespace {

enum class Form { relay, adjacent, free };

/// One target after another on one problem.
class Chains {
public:
    Chains(const ChipProblem& problem, const ExactOptions& options, const Limits& limits)
        : problem_(problem),
          costs_(*problem.costs),
          device_(costs_.classes.front()),
          nodes_(costs_.node_count()),
          words_((nodes_ + 63) / 64),
          form_(problem.rules.relay && !problem.rules.adjacent     ? Form::relay
                : problem.rules.triangle || problem.rules.adjacent ? Form::adjacent
                                                                   : Form::free),
          options_(options),
          must_stop_(limits),
          hash_of_(nodes_),
          nogoods_of_(nodes_),
          missing_(nodes_),
          readers_left_(costs_.edge_count()),
          readers_in_(costs_.edge_count(), 0),
          made_in_(costs_.edge_count(), 0),
          weight_uses_(costs_.weight_count(), 0),
          inside_(words_, 0) {
        if (problem.rules.memory && problem.sram) most_parameters_ = problem.sram->count;
        RandomStream random(0x5107);
        for (std::uint64_t& hash : hash_of_) hash = random();
        for (std::uint32_t g = 0; g < problem.nogoods.size(); ++g) {
            std::vector<NodeId> members = problem.nogoods[g];
            std::ranges::sort(members);
            members.erase(std::ranges::unique(members).begin(), members.end());
            for (const NodeId node : members) nogoods_of_[node.index()].push_back(g);
            nogood_size_.push_back(static_cast<std::uint32_t>(members.size()));
        }
        nogood_in_.assign(nogood_size_.size(), 0);
        for (std::size_t v = 0; v < nodes_; ++v) all_work_ += device_.work[v].count();
    }

    enum class Answer { yes, no, unknown };

    /// Is there a chain with no chip above `target`?
    Answer reach(std::int64_t target, bool& too_large) {
        target_ = target;
        states_.clear();
        sets_.clear();
        index_.clear();
        goal_ = kNone;
        add(std::vector<std::uint64_t>(words_, 0), 0, all_work_, kNone);
        std::size_t begin = 0;
        for (std::size_t d = 0; d < problem_.chips && goal_ == kNone; ++d) {
            const std::size_t end = states_.size();
            chips_left_ = static_cast<std::int64_t>(problem_.chips - d - 1);
            for (std::size_t s = begin; s < end && goal_ == kNone; ++s) {
                expand(s);
                if (stopped_ || used_up_) {
                    too_large = !stopped_;
                    return Answer::unknown;
                }
            }
            if (end == states_.size()) break;
            begin = end;
        }
        return goal_ == kNone ? Answer::no : Answer::yes;
    }

    [[nodiscard]] Assignment assignment() const {
        std::vector<std::uint32_t> chain;
        for (std::uint32_t s = goal_; s != kNone; s = states_[s].parent) chain.push_back(s);
        std::ranges::reverse(chain);
        Assignment chips(nodes_, 0);
        for (std::size_t v = 0; v < nodes_; ++v)
            for (std::size_t d = 1; d < chain.size(); ++d)
                if (holds(chain[d], v)) {
                    chips[v] = static_cast<std::uint8_t>(d - 1);
                    break;
                }
        return chips;
    }
    [[nodiscard]] std::int64_t all_work() const { return all_work_; }
    [[nodiscard]] std::int64_t looked_at() const { return looked_at_; }
    [[nodiscard]] std::int64_t most_states() const { return most_states_; }

private:
    static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
    struct State {
        std::uint32_t parent;
        std::int64_t work_left;
    };

    [[nodiscard]] bool holds(std::uint32_t state, std::size_t v) const { return (sets_[state * words_ + v / 64] >> (v % 64) & 1) != 0; }
    [[nodiscard]] bool is_inside(std::size_t v) const { return (inside_[v / 64] >> (v % 64) & 1) != 0; }

    void add(const std::vector<std::uint64_t>& set, std::uint64_t hash, std::int64_t work_left, std::uint32_t parent) {
        auto& same = index_[hash];
        for (const std::uint32_t other : same)
            if (std::equal(set.begin(), set.end(), sets_.begin() + static_cast<std::ptrdiff_t>(other * words_))) return;
        const auto number = static_cast<std::uint32_t>(states_.size());
        same.push_back(number);
        states_.push_back({parent, work_left});
        sets_.insert(sets_.end(), set.begin(), set.end());
        most_states_ = std::max(most_states_, static_cast<std::int64_t>(states_.size()));
        constexpr std::size_t kOverhead = 96;  // of the index
        if (static_cast<std::int64_t>(states_.size() * (words_ * 8 + sizeof(State) + kOverhead)) > options_.memory.count) used_up_ = true;
        if (work_left == 0 && std::ranges::all_of(missing_, [](std::uint32_t m) { return m == kInside; })) goal_ = number;
    }

    /// Everything that begins where the state ends.
    void expand(std::size_t state) {
        std::copy_n(sets_.begin() + static_cast<std::ptrdiff_t>(state * words_), words_, inside_.begin());
        parent_ = static_cast<std::uint32_t>(state);
        hash_ = 0;
        work_left_ = states_[state].work_left;
        chip_ = {};
        alive_ = 0;
        for (std::size_t v = 0; v < nodes_; ++v) {
            missing_[v] = kInside;
            if (is_inside(v)) {
                hash_ ^= hash_of_[v];
                continue;
            }
            missing_[v] = 0;
            for (const NodeId u : costs_.predecessors[v]) missing_[v] += !is_inside(u.index());
        }
        for (std::size_t e = 0; e < costs_.edge_count(); ++e) {
            readers_left_[e] = 0;
            for (const NodeId reader : costs_.consumers[e]) readers_left_[e] += !is_inside(reader.index());
            const NodeId producer = costs_.producer[e];
            if (producer.valid() && is_inside(producer.index()) && readers_left_[e] > 0) alive_ += costs_.transfer[e].count();
        }
        border_ = alive_;
        // What must be in: the readers of what was made before, and whatever they wait for.
        std::vector<std::uint32_t> forced;
        if (form_ == Form::adjacent) {
            std::vector<char> wanted(nodes_, 0);
            for (std::size_t v = nodes_; v-- > 0;) {
                if (is_inside(v)) continue;
                wanted[v] = wanted[v] != 0 || missing_[v] < costs_.predecessors[v].size();
                if (wanted[v] == 0) continue;
                for (const NodeId u : costs_.predecessors[v]) wanted[u.index()] = 1;
            }
            for (std::uint32_t v = 0; v < nodes_; ++v)
                if (wanted[v] != 0 && !is_inside(v)) forced.push_back(v);
        }
        std::size_t done = 0;
        bool fits = true;
        while (done < forced.size() && fits) {
            enter(forced[done++]);
            fits = can_grow();
        }
        if (fits) {
            if (!forced.empty()) keep();
            grow(0);
        }
        while (done > 0) leave(forced[--done]);
    }

    /// All sets with one more node from `first` on, and theirs.
    void grow(std::size_t first) {
        for (std::size_t v = first; v < nodes_ && goal_ == kNone; ++v) {
            if (missing_[v] != 0) continue;
            if (++looked_at_ > options_.nodes) used_up_ = true;
            if (must_stop_()) stopped_ = true;
            if (stopped_ || used_up_) return;
            enter(v);
            if (can_grow()) {
                keep();
                grow(v + 1);
            }
            leave(v);
        }
    }

    /// What only grows is not above the target yet.
    [[nodiscard]] bool can_grow() const {
        if (chip_.parameters > most_parameters_ || broken_ > 0) return false;
        const std::int64_t inside = chip_.work + cost::spill_time(device_, Bytes{chip_.parameters}).count(), in = incoming();
        return costs_.model == cost::StageModel::overlap ? std::max(inside, in) <= target_ : inside + in <= target_;
    }
    [[nodiscard]] std::int64_t incoming() const { return chip_.in + (form_ == Form::relay ? border_ : 0); }

    void keep() {
        const std::int64_t inside = chip_.work + cost::spill_time(device_, Bytes{chip_.parameters}).count(), in = incoming();
        const std::int64_t out = chip_.out + (form_ == Form::relay ? alive_ : 0);
        if ((costs_.model == cost::StageModel::overlap ? std::max({inside, in, out}) : inside + in + out) > target_) return;
        if (work_left_ > chips_left_ * target_) return;
        add(inside_, hash_, work_left_, parent_);
    }

    void enter(std::size_t v) {
        inside_[v / 64] |= std::uint64_t{1} << (v % 64);
        missing_[v] = kInside;
        hash_ ^= hash_of_[v];
        chip_.work += device_.work[v].count();
        work_left_ -= device_.work[v].count();
        for (const NodeId w : costs_.successors[v]) --missing_[w.index()];
        for (const WeightId weight : costs_.weights[v])
            if (weight_uses_[weight.index()]++ == 0) chip_.parameters += costs_.weight_bytes[weight.index()].count;
        for (const std::uint32_t g : nogoods_of_[v]) broken_ += ++nogood_in_[g] == nogood_size_[g];
        for (const EdgeId edge : costs_.inputs[v]) read(edge.index(), true);
        for (const EdgeId edge : costs_.outputs[v]) make(edge.index(), true);
    }
    void leave(std::size_t v) {
        for (const EdgeId edge : costs_.outputs[v]) make(edge.index(), false);
        for (const EdgeId edge : costs_.inputs[v]) read(edge.index(), false);
        for (const std::uint32_t g : nogoods_of_[v]) broken_ -= nogood_in_[g]-- == nogood_size_[g];
        for (const WeightId weight : costs_.weights[v])
            if (--weight_uses_[weight.index()] == 0) chip_.parameters -= costs_.weight_bytes[weight.index()].count;
        for (const NodeId w : costs_.successors[v]) ++missing_[w.index()];
        work_left_ += device_.work[v].count();
        chip_.work -= device_.work[v].count();
        hash_ ^= hash_of_[v];
        missing_[v] = 0;
        inside_[v / 64] &= ~(std::uint64_t{1} << (v % 64));
    }

    /// Made here, what leaves: to the host in any case, else while somebody behind reads it. With relays that is part of the border.
    [[nodiscard]] std::int64_t leaves(std::size_t e) const {
        const bool read_behind = readers_left_[e] > 0;
        return (form_ == Form::relay ? costs_.to_host[e] != 0 && !read_behind : costs_.to_host[e] != 0 || read_behind)
                   ? costs_.transfer[e].count()
                   : 0;
    }
    void make(std::size_t e, bool enters) {
        if (enters) made_in_[e] = 1;
        const std::int64_t sign = enters ? 1 : -1;
        chip_.out += sign * leaves(e);
        if (readers_left_[e] > 0) alive_ += sign * costs_.transfer[e].count();
        if (!enters) made_in_[e] = 0;
    }
    void read(std::size_t e, bool enters) {
        const std::int64_t transfer = costs_.transfer[e].count();
        const std::int64_t out = made_in_[e] != 0 ? leaves(e) : 0;
        const bool alive = costs_.producer[e].valid() && readers_left_[e] > 0;
        enters ? --readers_left_[e] : ++readers_left_[e];
        const bool still = costs_.producer[e].valid() && readers_left_[e] > 0;
        alive_ += (static_cast<std::int64_t>(still) - static_cast<std::int64_t>(alive)) * transfer;
        if (made_in_[e] != 0) {
            chip_.out += leaves(e) - out;
            return;
        }
        const bool here = enters ? readers_in_[e]++ == 0 : --readers_in_[e] == 0;
        if (here && (form_ != Form::relay || !costs_.producer[e].valid())) chip_.in += enters ? transfer : -transfer;
    }

    static constexpr std::uint32_t kInside = std::numeric_limits<std::uint32_t>::max();
    const ChipProblem& problem_;
    const cost::StageProblem& costs_;
    const cost::DeviceCosts& device_;
    const std::size_t nodes_, words_;
    const Form form_;
    const ExactOptions& options_;
    StopCheck must_stop_;
    std::int64_t most_parameters_ = std::numeric_limits<std::int64_t>::max(), all_work_ = 0;
    std::vector<std::uint64_t> hash_of_;
    std::vector<std::vector<std::uint32_t>> nogoods_of_;
    std::vector<std::uint32_t> nogood_size_, nogood_in_;
    // Downsets: those of chip d lie one after another
    std::vector<State> states_;
    std::vector<std::uint64_t> sets_;
    std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> index_;
    std::uint32_t goal_ = kNone;
    std::int64_t target_ = 0, chips_left_ = 0, looked_at_ = 0, most_states_ = 0;
    bool stopped_ = false, used_up_ = false;
    // The chip that grows
    std::uint32_t parent_ = kNone;
    struct Chip {
        std::int64_t work = 0, in = 0, out = 0, parameters = 0;
    } chip_;
    std::int64_t alive_ = 0, border_ = 0;  // transfers of what is made inside and read behind: now, and where the chip begins
    std::int64_t work_left_ = 0;
    int broken_ = 0;                      // nogoods that are all on the chip
    std::vector<std::uint32_t> missing_;  // predecessors outside; kInside: the node is inside itself
    std::vector<std::uint32_t> readers_left_, readers_in_;
    std::vector<char> made_in_;
    std::vector<std::uint32_t> weight_uses_;
    std::vector<std::uint64_t> inside_;
    std::uint64_t hash_ = 0;
};

}  // namespace

ExactResult search_chains(const ChipProblem& problem, const ExactOptions& options, const Limits& limits) {
    Chains chains(problem, options, limits);
    const cost::StageProblem& costs = *problem.costs;
    const cost::DeviceCosts& device = costs.classes.front();
    std::int64_t largest = 0, everything = 1 + chains.all_work();
    for (const Duration work : device.work) largest = std::max(largest, work.count());
    for (const Duration transfer : costs.transfer) everything += 2 * transfer.count();
    everything += cost::spill_time(device, std::accumulate(costs.weight_bytes.begin(), costs.weight_bytes.end(), Bytes{})).count();
    const auto chips = static_cast<std::int64_t>(problem.chips);
    std::int64_t low = std::max((chains.all_work() + chips - 1) / chips, largest);
    std::int64_t high = std::min(options.below.value_or(Duration(everything)).count(), everything);  // nothing at or above is looked for
    ExactResult result;
    // Upwards from the bound: what is refuted there is refuted quickly.
    for (std::int64_t step = low / 256 + 1; low < high;) {
        const std::int64_t target = result.best ? low + (high - 1 - low) / 2 : std::min(low + std::min(step, high - low) - 1, high - 1);
        if (!result.best) step = std::min(2 * step, everything);
        bool too_large = false;
        const Chains::Answer answer = chains.reach(target, too_large);
        if (answer == Chains::Answer::unknown) {
            result.outcome = too_large ? ExactOutcome::too_large : ExactOutcome::stopped;
            break;
        }
        if (answer == Chains::Answer::yes) {
            result.best = chains.assignment();
            high = bottleneck(problem, *result.best).count();
            result.bottleneck = Duration(high);
        } else {
            low = target + 1;
        }
    }
    result.proven = Duration(low);
    result.nodes = chains.looked_at();
    result.states = chains.most_states();
    return result;
}

}  // namespace sluice::mcm
