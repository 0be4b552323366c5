#include "sluice/search/downset_search.hpp"
#include "sluice/search/counting.hpp"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <memory>
#include <unordered_set>

#include "sluice/search/dominance.hpp"
#include "sluice/search/poll.hpp"
#include "sluice/search/stage_search.hpp"

namespace sluice::search {

namespace {

using Index = SerialProblem::Index;
using Word = std::uint64_t;

constexpr std::size_t kLevelBatch = 16;     // fixed: results must not depend on the number of threads
constexpr std::size_t kSortedPerKept = 20;  // a beam looks at so many candidates for each state it keeps
constexpr std::size_t kFewStates = 8;       // levels too small to be worth a dominance test
constexpr std::size_t kBytesPerState = 64;  // beside its bits

/// One way to have covered a downset.
struct State {
    std::int64_t value;     // work - cut
    std::uint32_t parent;   // index of the state it extends
    std::int32_t devices;   // used so far
    std::int32_t replicas;  // of the stage that led here
    ClassId device{0};      // of that stage, with a judge
};

/// Every downset reached, each once, in one block of memory.
class StateTable {
public:
    explicit StateTable(std::size_t words) : words_(words), known_(64, Hash{this}, Equal{this}) {}

    /// Index of the state, or nothing when this downset was reached before with as many devices or fewer.
    std::optional<std::uint32_t> add(std::span<const Word> set, const State& state) {
        bits_.insert(bits_.end(), set.begin(), set.end());
        states_.push_back(state);
        const auto [known, fresh] = known_.insert(static_cast<std::uint32_t>(states_.size() - 1));
        if (fresh) return *known;
        bits_.resize(bits_.size() - words_);
        states_.pop_back();
        if (states_[*known].devices <= state.devices) return std::nullopt;
        states_[*known] = state;  // not yet expanded: levels ascend in devices
        return *known;
    }
    [[nodiscard]] std::span<const Word> set(std::uint32_t state) const { return {bits_.data() + state * words_, words_}; }
    [[nodiscard]] const State& operator[](std::uint32_t state) const { return states_[state]; }
    [[nodiscard]] std::size_t bytes() const { return states_.size() * (words_ * sizeof(Word) + kBytesPerState); }

private:
    struct Hash {
        const StateTable* table;
        std::size_t operator()(std::uint32_t state) const {
            std::uint64_t hash = 0x9e3779b97f4a7c15;
            for (Word word : table->set(state)) hash = (hash ^ word) * 0xff51afd7ed558ccd, hash ^= hash >> 32;
            return hash;
        }
    };
    struct Equal {
        const StateTable* table;
        bool operator()(std::uint32_t a, std::uint32_t b) const { return std::ranges::equal(table->set(a), table->set(b)); }
    };
    std::size_t words_;
    std::vector<Word> bits_;
    std::vector<State> states_;
    std::unordered_set<std::uint32_t, Hash, Equal> known_;
};

class Search {
public:
    Search(const SerialProblem& problem, const DownsetOptions& options, const Limits& limits)
        : problem_(problem),
          options_(options),
          limits_(limits),
          words_((problem.group_count() + 63) / 64),
          classes_(options.judge ? options.judge->classes.size() : 0),
          table_(words_ + classes_),
          arena_(std::max(options.threads, 1)) {}

    DownsetResult run();

private:
    bool prepare();
    void thin_out(std::vector<std::uint32_t>& level);
    std::vector<std::uint32_t> undominated(const std::vector<std::uint32_t>& level);
    bool expand(const std::vector<std::uint32_t>& level, std::int64_t devices);
    void trace(std::uint32_t last, const StageSearchResult& completed);
    [[nodiscard]] bool stopped() {
        if (must_stop(limits_)) result_.outcome = DownsetOutcome::stopped, ended_ = true;
        return ended_;
    }

    const SerialProblem& problem_;
    const DownsetOptions& options_;
    const Limits& limits_;
    [[nodiscard]] std::span<const Word> set(std::uint32_t state) const { return table_.set(state).first(words_); }

    std::size_t words_;    // of a set of groups
    std::size_t classes_;  // with a judge each state has, behind its set, a word for the devices used of each class
    StageSearchTables tables_;
    StateTable table_;
    std::vector<std::vector<std::uint32_t>> pending_;  // per devices used
    tbb::task_arena arena_;
    std::vector<std::unique_ptr<StageSearch>> workers_;
    bool complete_ = true;  // nothing was left out for the sake of a beam
    bool ended_ = false;
    DownsetResult result_;
};

/// False: the outcome is known.
bool Search::prepare() {
    assert(options_.chains.size() <= kMostChains);
    tables_.problem = &problem_;
    tables_.threshold = options_.threshold;
    tables_.chains = options_.chains;
    tables_.judge = options_.judge;
    for (const ChainOfCuts& chain : options_.chains) {
        if (stopped()) return false;
        tables_.completion.emplace_back();
        if (chain.refutes(options_.threshold, &tables_.completion.back())) {
            result_.outcome = DownsetOutcome::refuted;
            return false;
        }
    }
    if (options_.counting) {
        auto weights = counting_weights(problem_, options_.threshold, options_.threads, limits_);
        if (!weights) {
            result_.outcome = DownsetOutcome::stopped;
            return false;
        }
        if (weights->refuted) {
            result_.outcome = DownsetOutcome::refuted;
            return false;
        }
        tables_.counting = std::move(weights->weight);
    }
    finish(tables_);
    return true;
}

/// Drops what another state of the level dominates; largest values first, since only those can dominate.
std::vector<std::uint32_t> Search::undominated(const std::vector<std::uint32_t>& level) {
    Dominance dominance(problem_);
    std::vector<std::uint32_t> kept;
    for (std::uint32_t state : level) {
        if (kept.size() % 64 == 0 && stopped()) return kept;
        int tries = 0;
        bool dominated = false;
        for (std::size_t i = 0; i < kept.size() && !dominated && tries < kDominanceTries; ++i) {
            if (!contains(set(kept[i]), set(state))) continue;
            ++tries;
            dominated = dominance.dominates(set(kept[i]), set(state));
        }
        if (!dominated) kept.push_back(state);
    }
    return kept;
}

void Search::thin_out(std::vector<std::uint32_t>& level) {
    std::ranges::stable_sort(level, std::ranges::greater{}, [&](std::uint32_t s) { return table_[s].value; });
    const std::size_t beam = options_.states_per_level;
    if (beam > 0 && level.size() > kSortedPerKept * beam) {
        level.resize(kSortedPerKept * beam);
        complete_ = false;
    }
    if (level.size() > kFewStates && !options_.judge) level = undominated(level);
    if (beam > 0 && level.size() > beam) {
        level.resize(beam);
        complete_ = false;
    }
}

/// The partition that ends with `completed` behind `last`.
void Search::trace(std::uint32_t last, const StageSearchResult& completed) {
    std::vector<std::uint32_t> path;
    for (std::uint32_t state = last; state != 0; state = table_[state].parent) path.push_back(state);
    path.push_back(0);
    std::ranges::reverse(path);
    for (std::size_t i = 0; i < path.size(); ++i) {
        const bool is_last = i + 1 == path.size();
        const std::span<const Word> before = set(path[i]), after = is_last ? std::span(completed.all) : set(path[i + 1]);
        std::vector<Index> stage;
        for (std::size_t g = 0; g < problem_.group_count(); ++g)
            if ((after[g / 64] & ~before[g / 64]) >> (g % 64) & 1) stage.push_back(static_cast<Index>(g));
        result_.stages.push_back(std::move(stage));
        result_.replicas.push_back(is_last ? completed.last.replicas : table_[path[i + 1]].replicas);
        result_.device.push_back(is_last ? completed.last.device : table_[path[i + 1]].device);
    }
    if (!options_.judge) result_.device.clear();
}

/// Extends every state of a level; true: the search has ended.
bool Search::expand(const std::vector<std::uint32_t>& level, std::int64_t devices) {
    const std::int64_t replicas = std::min(problem_.replicas, problem_.devices - devices);
    std::vector<Word> row;
    for (std::size_t begin = 0; begin < level.size(); begin += kLevelBatch) {
        const std::size_t size = std::min(kLevelBatch, level.size() - begin);
        std::vector<StageSearchResult> found(size);
        const std::int64_t nodes_left = options_.nodes > 0 ? options_.nodes - result_.nodes : 0;
        const std::size_t used = table_.bytes(), budget = static_cast<std::size_t>(options_.memory.count);
        if (stopped()) return true;
        if ((options_.nodes > 0 && nodes_left <= 0) || used >= budget) {
            result_.outcome = DownsetOutcome::too_large;
            return ended_ = true;
        }
        StageSearchLimits limits{.nodes = options_.nodes_per_state, .bytes = budget - used, .limits = &limits_};
        if (options_.nodes > 0 && (limits.nodes == 0 || nodes_left < limits.nodes)) limits.nodes = nodes_left;
        const auto one = [&](std::size_t i, StageSearch& worker) {
            std::vector<std::int64_t> used_of;
            for (Word count : table_.set(level[begin + i]).subspan(words_)) used_of.push_back(static_cast<std::int64_t>(count));
            for (std::int64_t r = 1; r <= replicas; ++r) worker.extend(set(level[begin + i]), devices, r, limits, found[i], used_of);
        };
        if (workers_.size() == 1 || size == 1) {
            for (std::size_t i = 0; i < size; ++i) one(i, *workers_[0]);
        } else {
            arena_.execute([&] {
                tbb::parallel_for(
                    std::size_t{0}, size,
                    [&](std::size_t i) { one(i, *workers_[static_cast<std::size_t>(tbb::this_task_arena::current_thread_index())]); },
                    tbb::simple_partitioner{});
            });
        }
        for (std::size_t i = 0; i < size; ++i) {
            result_.nodes += found[i].nodes;
            const std::uint32_t parent = level[begin + i];
            if (found[i].completed) {
                trace(parent, found[i]);
                result_.outcome = DownsetOutcome::found;
                return ended_ = true;
            }
            if (found[i].stopped) {
                result_.outcome = DownsetOutcome::stopped;
                return ended_ = true;
            }
            if (found[i].too_large || (found[i].cut_short && options_.nodes_per_state == 0)) {
                result_.outcome = DownsetOutcome::too_large;
                return ended_ = true;
            }
            complete_ = complete_ && !found[i].cut_short;
            for (std::size_t l = 0; l < found[i].leaves.size(); ++l) {
                const auto& leaf = found[i].leaves[l];
                const std::int64_t now = devices + leaf.replicas;
                row.assign(found[i].bits.begin() + static_cast<std::ptrdiff_t>(l * words_),
                           found[i].bits.begin() + static_cast<std::ptrdiff_t>((l + 1) * words_));
                for (Word count : table_.set(parent).subspan(words_)) row.push_back(count);
                if (options_.judge) row[words_ + leaf.device.index()] += static_cast<Word>(leaf.replicas);
                const auto added = table_.add(
                    row, {leaf.value, parent, static_cast<std::int32_t>(now), static_cast<std::int32_t>(leaf.replicas), leaf.device});
                if (added) pending_[static_cast<std::size_t>(now)].push_back(*added);
            }
            found[i] = {};
        }
    }
    return false;
}

DownsetResult Search::run() {
    if (problem_.group_count() == 0 || options_.threshold < 0) {
        result_.outcome = problem_.group_count() == 0 ? DownsetOutcome::found : DownsetOutcome::refuted;
        return std::move(result_);
    }
    const bool open = prepare();
    if (options_.witness) result_.kept.resize(static_cast<std::size_t>(std::max<std::int64_t>(problem_.devices - 1, 0)));
    if (!open) return std::move(result_);
    for (int i = 0; i < arena_.max_concurrency(); ++i) workers_.push_back(std::make_unique<StageSearch>(tables_));
    pending_.resize(static_cast<std::size_t>(problem_.devices) + 1);
    pending_[0].push_back(*table_.add(std::vector<Word>(words_ + classes_, 0), {0, 0, 0, 0}));
    for (std::int64_t devices = 0; devices < problem_.devices && !ended_; ++devices) {
        auto& level = pending_[static_cast<std::size_t>(devices)];
        std::erase_if(level, [&](std::uint32_t s) { return table_[s].devices != devices; });  // since reached with fewer
        thin_out(level);
        if (ended_) break;
        result_.states += static_cast<std::int64_t>(level.size());
        if (options_.witness && devices > 0)
            for (std::uint32_t state : level) {
                graph::NodeSet set(problem_.group_count());
                for (std::size_t g = 0; g < problem_.group_count(); ++g)
                    if (this->set(state)[g / 64] >> (g % 64) & 1) set.insert(g);
                result_.kept[static_cast<std::size_t>(devices - 1)].push_back(std::move(set));
            }
        (void)expand(level, devices);
    }
    if (!ended_) result_.outcome = complete_ ? DownsetOutcome::refuted : DownsetOutcome::missed;
    return std::move(result_);
}

}  // namespace

DownsetResult search_downsets(const SerialProblem& problem, const DownsetOptions& options, const Limits& limits) {
    return Search(problem, options, limits).run();
}

}  // namespace sluice::search
