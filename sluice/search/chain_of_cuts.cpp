#include "sluice/search/chain_of_cuts.hpp"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <numeric>

#include "sluice/base/wide.hpp"
#include "sluice/graph/min_cut.hpp"
#include "sluice/search/poll.hpp"
#include "sluice/search/spill_share.hpp"

namespace sluice::search {

namespace {

using Index = SerialProblem::Index;
using graph::FlowNetwork;
using graph::kInfiniteCapacity;

// Sums stay below this, limits below kLargestLimit, so that kInfinite less any of them is still above kBeyond and nothing leaves int64.
constexpr std::int64_t kLargestSum = std::int64_t{1} << 58;
constexpr std::int64_t kBeyond = std::int64_t{1} << 60;
constexpr std::int64_t kInfinite = std::int64_t{1} << 62;

constexpr std::size_t kTypesAtATime = 16;  // between two looks at the clock
// Positions that the types leave open, all types together. Beyond it an order is so wide that its cuts say little and take long.
constexpr std::size_t kMostOpen = 4'000'000;

}  // namespace

CompletionTable::CompletionTable(std::size_t groups, std::int64_t devices)
    : width_(groups + 1), need_(width_ * static_cast<std::size_t>(devices + 1), -kInfinite), need_from_(need_) {}

void CompletionTable::take_suffix_minima() {
    need_from_ = need_;
    for (std::size_t row = 0; row < need_from_.size(); row += width_)
        for (std::size_t i = width_ - 1; i-- > 0;) need_from_[row + i] = std::min(need_from_[row + i], need_from_[row + i + 1]);
}

/// The minimum cuts of one type after another; scratch memory, one a thread.
class ChainOfCuts::TypeCuts {
public:
    TypeCuts(const ChainOfCuts& chain, const Rows<Index>& predecessors_at)
        : chain_(chain), before_(predecessors_at), state_(chain.work_.size()) {}

    Type solve(std::size_t type) {
        classify(type);
        Type result;
        // What every downset of the type pays; tensors whose cut depends on the free positions.
        std::int64_t fixed = 0;
        bool enters = false, leaves = false;  // arcs from the source, arcs into the sink
        network_.reset(free_.size() + 2);
        const auto source = static_cast<FlowNetwork::Vertex>(free_.size()), sink = source + 1;
        for (std::size_t t = 0; t < chain_.transfer_.size(); ++t) {
            const std::int64_t maker = state_[chain_.made_at_[t]], cost = chain_.transfer_[t];
            if (maker == kOut) continue;
            bool certain = false, possible = false;
            for (std::uint32_t reader : chain_.read_at_[t]) {
                certain = certain || state_[reader] == kOut;
                possible = possible || state_[reader] >= 0;
            }
            if (!certain && !possible) continue;
            result.across += 2 * cost;
            if (certain && maker == kIn) {
                fixed += cost;
                continue;
            }
            const auto from = maker == kIn ? source : static_cast<FlowNetwork::Vertex>(maker);
            if (certain) {
                network_.add_arc(from, sink, cost);
                leaves = true;
                continue;
            }
            enters = enters || maker == kIn;
            if (chain_.read_at_[t].size() == 1) {
                network_.add_arc(from, static_cast<FlowNetwork::Vertex>(state_[chain_.read_at_[t][0]]), cost);
                continue;
            }
            const auto gate = network_.add_vertex();
            network_.add_arc(from, gate, cost);
            for (std::uint32_t reader : chain_.read_at_[t])
                if (state_[reader] >= 0) network_.add_arc(gate, static_cast<FlowNetwork::Vertex>(state_[reader]), kInfiniteCapacity);
        }
        // A downset holds the predecessors of what it holds.
        for (std::size_t v = 0; v < free_.size(); ++v)
            for (Index p : before_[free_[v]])
                if (state_[p] >= 0)
                    network_.add_arc(static_cast<FlowNetwork::Vertex>(v), static_cast<FlowNetwork::Vertex>(state_[p]), kInfiniteCapacity);

        result.least_cut = fixed;
        result.least_sum = inside_ + fixed;
        if (enters) {
            if (leaves) result.least_cut += network_.maximum_flow(source, sink);
            work_arcs_.clear();
            for (std::size_t v = 0; v < free_.size(); ++v)
                work_arcs_.push_back(network_.add_arc(static_cast<FlowNetwork::Vertex>(v), sink, chain_.work_[free_[v]]));
            result.least_sum += network_.maximum_flow(source, sink);
            for (FlowNetwork::Arc arc : work_arcs_) network_.set_capacity(arc, 0);
        }
        std::int64_t free_work = 0;
        for (std::size_t v = 0; v < free_.size(); ++v) {
            free_work += chain_.work_[free_[v]];
            if (leaves) network_.add_arc(source, static_cast<FlowNetwork::Vertex>(v), chain_.work_[free_[v]]);
        }
        // Without arcs into the sink all free positions are in at no cost.
        result.most_difference = inside_ + free_work - fixed - (leaves ? network_.maximum_flow(source, sink) : 0);
        return result;
    }

private:
    static constexpr std::int64_t kIn = -1, kOut = -2;

    /// What every downset of the type holds and lacks; the rest is free and numbered.
    void classify(std::size_t type) {
        free_.clear();
        inside_ = 0;
        const bool mirrored = chain_.mirrored_;
        // The position that tells the type, if any: first missing, mirrored last inside.
        const std::size_t none = chain_.work_.size(), at = mirrored ? type - 1 : type;
        for (std::size_t p = 0; p < none; ++p) {
            const bool in_cone = at < none && chain_.cone_[at].contains(p);
            if (mirrored)
                state_[p] = in_cone ? kIn : type > 0 && p < at ? static_cast<std::int64_t>(free_.size()) : kOut;
            else
                state_[p] = p < at ? kIn : in_cone ? kOut : static_cast<std::int64_t>(free_.size());
            if (state_[p] >= 0) free_.push_back(static_cast<Index>(p));
            if (state_[p] == kIn) inside_ += chain_.work_[p];
        }
    }

    const ChainOfCuts& chain_;
    const Rows<Index>& before_;
    std::vector<std::int64_t> state_;  // per position: kIn, kOut or its number among the free
    std::vector<Index> free_;
    std::int64_t inside_ = 0;  // work of those that are in
    FlowNetwork network_;
    std::vector<FlowNetwork::Arc> work_arcs_;
};

std::optional<ChainOfCuts> ChainOfCuts::build(const SerialProblem& problem, std::span<const Index> order, std::int64_t theta_halves,
                                              const Limits& limits, bool mirrored, int threads) {
    const std::size_t groups = problem.group_count();
    assert(order.size() == groups);
    ChainOfCuts chain;
    chain.order_.assign(order.begin(), order.end());
    chain.position_.resize(groups);
    for (std::size_t p = 0; p < groups; ++p) chain.position_[order[p]] = static_cast<std::uint32_t>(p);
    chain.mirrored_ = mirrored;
    chain.theta_halves_ = problem.spills ? theta_halves : 0;
    chain.devices_ = problem.devices;
    chain.replicas_ = std::min(problem.replicas, problem.devices);
    SpillShare spill = spill_share(problem, chain.theta_halves_);
    chain.factor_ = spill.factor;
    chain.allowance_ = spill.allowance;
    chain.share_ = std::move(spill.share);

    Wide sum = 0;
    for (std::int64_t work : problem.work) sum += Wide{work} * chain.factor_;
    for (std::int64_t share : chain.share_) sum += share;
    for (std::int64_t transfer : problem.transfer) sum += 2 * Wide{transfer} * chain.factor_;
    chain.usable_ = sum < kLargestSum;
    if (!chain.usable_) return chain;

    Rows<Index> before;
    std::vector<Index> row;
    const auto positions = [&](std::span<const Index> of) -> std::span<const Index> {
        row.clear();
        for (Index g : of) row.push_back(chain.position_[g]);
        std::ranges::sort(row);
        return row;
    };
    for (Index g : order) {
        chain.work_.push_back(chain.factor_ * problem.work[g] + chain.share_[g]);
        chain.total_ += chain.work_.back();
        chain.reads_.push_row(problem.inputs[g]);
        chain.makes_.push_row(problem.outputs[g]);
        before.push_row(positions(problem.predecessors[g]));
        assert(row.empty() || row.back() + 1 < before.size());
    }
    for (std::size_t t = 0; t < problem.tensor_count(); ++t) {
        chain.transfer_.push_back(chain.factor_ * problem.transfer[t]);
        chain.made_at_.push_back(chain.position_[problem.producer[t]]);
        chain.read_at_.push_row(positions(problem.consumers[t]));
    }
    chain.cone_.assign(groups, graph::NodeSet(groups));
    const auto grow = [&](std::size_t p, std::span<const Index> neighbours) {
        chain.cone_[p].insert(p);
        for (Index g : neighbours) chain.cone_[p] |= chain.cone_[chain.position_[g]];
    };
    for (std::size_t i = 0; i < groups; ++i) {
        const std::size_t p = mirrored ? i : groups - 1 - i;
        grow(p, mirrored ? problem.predecessors[order[p]] : problem.successors[order[p]]);
    }

    std::size_t open = 0;
    for (std::size_t p = 0; p < groups; ++p) open += (mirrored ? p + 1 : groups - p) - chain.cone_[p].count();
    chain.usable_ = open <= kMostOpen;
    if (!chain.usable_) return chain;

    chain.types_.resize(groups + 1);
    tbb::task_arena arena(std::max(threads, 1));
    std::vector<std::optional<TypeCuts>> scratch(static_cast<std::size_t>(arena.max_concurrency()));
    std::atomic<bool> stopped = false;
    const auto solve = [&](std::size_t begin, std::size_t slot) {
        if (stopped || (begin > 0 && must_stop(limits))) {
            stopped = true;
            return;
        }
        if (!scratch[slot]) scratch[slot].emplace(chain, before);
        for (std::size_t i = begin; i < std::min(begin + kTypesAtATime, groups + 1); ++i) chain.types_[i] = scratch[slot]->solve(i);
    };
    const std::size_t batches = groups / kTypesAtATime + 1;
    if (scratch.size() == 1) {
        for (std::size_t b = 0; b < batches; ++b) solve(b * kTypesAtATime, 0);
    } else {
        arena.execute([&] {
            tbb::parallel_for(
                std::size_t{0}, batches,
                [&](std::size_t b) { solve(b * kTypesAtATime, static_cast<std::size_t>(tbb::this_task_arena::current_thread_index())); },
                tbb::simple_partitioner{});
        });
    }
    if (stopped) return std::nullopt;
    return chain;
}

/// Least sums and needs over types and devices, by backward recursion; rows are types, columns devices left.
class ChainOfCuts::Recursion {
public:
    Recursion(const ChainOfCuts& chain, std::int64_t threshold)
        : chain_(chain),
          width_(static_cast<std::size_t>(chain.devices_) + 1),
          types_(chain.types_.size()),
          need_(types_ * width_, kInfinite),
          sum_(types_ * width_, kInfinite),
          seen_(chain.transfer_.size(), kNever) {
        const SpillShare spill{.factor = chain.factor_, .allowance = chain.allowance_, .share = {}};
        for (std::int64_t r = 1; r <= chain.replicas_; ++r) limits_.push_back(stage_limit(spill, r, threshold));
    }

    void run() { chain_.mirrored_ ? push() : pull(); }
    [[nodiscard]] std::int64_t need(std::size_t type, std::size_t devices) const { return need_[type * width_ + devices]; }

private:
    static constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();

    [[nodiscard]] std::int64_t* need_row(std::size_t type) { return need_.data() + type * width_; }
    [[nodiscard]] std::int64_t* sum_row(std::size_t type) { return sum_.data() + type * width_; }

    /// A downset of type i completes with d devices by a stage on r of them to a downset whose sum is at least from[d - r] and which
    /// tensors worth `across` may skip into.
    void take(std::int64_t* need, const std::int64_t* from, std::int64_t across, std::size_t replicas) const {
        const std::int64_t less = across + limits_[replicas - 1];
        for (std::size_t d = replicas; d < width_; ++d) need[d] = std::min(need[d], from[d - replicas] - less);
    }

    /// Stages that end within the same type; then the least sums, which need all needs with fewer devices.
    void close(std::size_t type) {
        const Type& known = chain_.types_[type];
        std::int64_t *need = need_row(type), *sum = sum_row(type);
        for (std::size_t d = 1; d < width_; ++d) {
            for (std::size_t r = 1; r <= std::min(d, limits_.size()); ++r)
                need[d] = std::min(need[d], sum[d - r] - known.across - limits_[r - 1]);
            if (need[d] > kBeyond) need[d] = kInfinite;
            sum[d] = need[d] > known.most_difference ? kInfinite : std::max(known.least_sum, need[d] + 2 * known.least_cut);
        }
    }

    /// First missing position. What may lie across from type i shrinks as the other end j moves away: a tensor counts once when a reader is
    /// certainly within (in i's cone, before j), not at all when all of them come before j.
    void pull() {
        const std::size_t whole = types_ - 1;
        std::fill_n(sum_row(whole), width_, chain_.total_);
        std::fill_n(need_row(whole), width_, -kInfinite);
        for (std::size_t i = whole; i-- > 0;) {
            const graph::NodeSet& after = chain_.cone_[i];
            std::int64_t across = chain_.types_[i].across, certain = 0;
            std::size_t replicas = 1;  // fewest that the certain work leaves
            for (std::size_t j = i + 1; j <= whole; ++j) {
                const std::size_t p = j - 1;
                const bool within = after.contains(p);
                if (within) certain += chain_.work_[p];
                while (replicas <= limits_.size() && certain > limits_[replicas - 1]) ++replicas;
                if (replicas > limits_.size()) break;
                for (std::uint32_t t : chain_.reads_[p]) {
                    if (after.contains(chain_.made_at_[t])) continue;  // never in a downset of type i
                    const bool once = seen_[t] == i;
                    if (chain_.read_at_[t].back() == p) {
                        across -= once ? chain_.transfer_[t] : 2 * chain_.transfer_[t];
                    } else if (within && !once) {
                        seen_[t] = static_cast<std::uint32_t>(i);
                        across -= chain_.transfer_[t];
                    }
                }
                for (std::size_t r = replicas; r <= limits_.size(); ++r) take(need_row(i), sum_row(j), across, r);
            }
            close(i);
        }
    }

    /// Last position inside. What may lie across into type j shrinks as the first end i moves away: a tensor counts once when a reader is
    /// certainly within (in j's cone, beyond i), not at all when it is made beyond i.
    void push() {
        const std::size_t last = types_ - 1;
        // Straight to the whole.
        std::int64_t rest = 0;
        const std::vector<std::int64_t> whole(width_, chain_.total_);
        for (std::size_t i = types_; i-- > 0;) {
            for (std::size_t r = 1; r <= limits_.size(); ++r)
                if (rest <= limits_[r - 1]) take(need_row(i), whole.data(), 0, r);
            if (i > 0) rest += chain_.work_[i - 1];
        }
        for (std::size_t j = last; j > 0; --j) {
            close(j);
            const graph::NodeSet& before = chain_.cone_[j - 1];
            const auto counts = [&](std::uint32_t t) {
                return chain_.read_at_[t].back() >= j ||
                       !std::ranges::all_of(chain_.read_at_[t], [&](std::uint32_t reader) { return before.contains(reader); });
            };
            std::int64_t across = chain_.types_[j].across, certain = 0;
            std::size_t replicas = 1;
            for (std::size_t i = j; i-- > 0;) {
                const bool within = before.contains(i);
                if (within) certain += chain_.work_[i];
                while (replicas <= limits_.size() && certain > limits_[replicas - 1]) ++replicas;
                if (replicas > limits_.size()) break;
                if (within)
                    for (std::uint32_t t : chain_.reads_[i])
                        if (seen_[t] != j && counts(t)) {
                            seen_[t] = static_cast<std::uint32_t>(j);
                            across -= chain_.transfer_[t];
                        }
                for (std::uint32_t t : chain_.makes_[i])
                    if (counts(t)) across -= seen_[t] == j ? chain_.transfer_[t] : 2 * chain_.transfer_[t];
                for (std::size_t r = replicas; r <= limits_.size(); ++r) take(need_row(i), sum_row(j), across, r);
            }
        }
        close(0);
    }

    const ChainOfCuts& chain_;
    std::size_t width_, types_;
    std::vector<std::int64_t> limits_;      // per replicas, from 1
    std::vector<std::int64_t> need_, sum_;  // least sum: least work + cut of a downset that completes
    std::vector<std::uint32_t> seen_;       // per tensor: the type for which a reader is known to be within
};

bool ChainOfCuts::refutes(std::int64_t threshold, CompletionTable* table) const {
    assert(threshold >= 0);
    const std::size_t types = order_.size() + 1;
    if (table) *table = CompletionTable(order_.size(), devices_);
    if (!usable_ || devices_ < 1) return false;
    Recursion recursion(*this, threshold);
    recursion.run();
    if (recursion.need(0, static_cast<std::size_t>(devices_)) > 0) return true;
    if (!table) return false;
    for (std::int64_t d = 0; d <= devices_; ++d)
        for (std::size_t i = 0; i < types; ++i) {
            const std::int64_t need = recursion.need(i, static_cast<std::size_t>(d));
            // The whole is of the last type, whatever the order: never excluded.
            table->need_at(d, i) = i + 1 == types ? std::min(need, total_) : need;
        }
    table->take_suffix_minima();
    return false;
}

}  // namespace sluice::search
