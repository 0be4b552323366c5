#include "sluice/bound/check_stages.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <format>
#include <limits>
#include <unordered_map>

namespace sluice::bound {

namespace {

using graph::NodeSet;
using Index = CheckedGroups::Index;
using Wide = CheckedWide;

constexpr std::size_t kMostTables = 8;
constexpr std::int64_t kDone = -1;  // as a local tensor's producer: in the downset
constexpr std::int64_t kNodesBetweenPolls = 4096;

std::uint64_t mixed(std::uint64_t x) {  // splitmix64
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

std::uint64_t hash_of(const NodeSet& set) {
    std::uint64_t hash = 0;
    set.for_each([&](std::size_t g) { hash ^= mixed(g); });
    return hash;
}

class StageCheck {
public:
    StageCheck(const CheckedSearch& search, const Limits& limits)
        : search_(search),
          groups_(*search.groups),
          limits_(limits),
          dominance_(groups_),
          local_(groups_.size(), kAbsent),
          local_tensor_(groups_.tensors(), kAbsent),
          weight_uses_(groups_.weight_bytes.size(), 0) {
        for (std::size_t i = 0; i < search.kept.size(); ++i) by_hash_.emplace(hash_of(search.kept[i].set), i);
        for (std::size_t g = 0; g < groups_.size(); ++g) {
            total_work_ += groups_.work[g];
            std::int64_t made = 0, bytes = 0;
            for (Index t : groups_.outputs[g]) made += groups_.transfer[t];
            for (Index w : groups_.weights[g]) bytes += groups_.weight_bytes[w];
            made_.push_back(made);
            moved_spill_.push_back(groups_.stream_time(bytes));
        }
    }

    std::optional<std::string> run() {
        for (const CheckedDownset& downset : search_.kept) {
            if (ruled_out(downset)) continue;
            for (std::int64_t r = 1; r <= std::min(search_.replicas, search_.devices - downset.used); ++r)
                if (!expand(downset, r)) return objection_;
        }
        return std::nullopt;
    }

private:
    static constexpr std::uint32_t kAbsent = std::numeric_limits<std::uint32_t>::max();

    struct Tensor {
        std::int64_t transfer = 0;
        std::int64_t producer = kDone;  // candidate
        std::uint32_t readers = 0;      // candidates
        bool beyond = false;            // read by a group that is in no stage here
        std::uint32_t included = 0, excluded = 0;
    };
    struct State {
        std::int64_t work = 0, in = 0, out = 0;  // of the included; out: certain
        std::int64_t pass = 0;                   // made before the stage and certainly read behind it
        std::int64_t out_most = 0;               // of the included
        std::int64_t open_most = 0;              // cost that the undecided can add
        std::int64_t open_work = 0;
        std::int64_t outside = 0;  // counting weight certainly outside
        std::int64_t above = 0;    // only a cost above this is not covered elsewhere
        std::int64_t parameters = 0;
        std::uint64_t hash = 0;
        std::array<std::uint32_t, kMostTables> type;
        std::array<std::int64_t, kMostTables> share, open_share;
    };
    struct Step {
        std::int64_t cost;  // that a stage gains with one more group
        bool worth;         // the larger downset dominates
    };

    bool expand(const CheckedDownset& from, std::int64_t replicas) {
        done_ = &from.set;
        left_ = search_.devices - from.used - replicas;
        used_ = from.used + replicas;
        limit_ = at_most(replicas);
        State state;
        if (!lay_out(state)) return true;
        state.above = replicas == 1 ? -1 : at_most(replicas - 1);
        state.hash = hash_of(from.set);
        done_work_ = 0;
        from.set.for_each([&](std::size_t g) { done_work_ += groups_.work[g]; });
        for (std::size_t z = 0; z < search_.tables.size(); ++z) {
            const CheckedTable& table = search_.tables[z];
            state.share[z] = state.open_share[z] = 0;
            if (!table.share.empty()) {
                from.set.for_each([&](std::size_t g) { state.share[z] += table.share[g]; });
                for (Index g : candidates_) state.open_share[z] += table.share[g];
            }
            done_share_[z] = state.share[z];
            state.type[z] = 0;
            if (table.mirrored)
                from.set.for_each([&](std::size_t g) { state.type[z] = std::max(state.type[z], table.position[g] + 1); });
            else
                while (from.set.contains(table.order[state.type[z]])) ++state.type[z];  // the downset is not everything
        }
        larger_.clear();
        for (std::size_t i = 0; i < search_.kept.size(); ++i)
            if (search_.kept[i].used <= used_ && search_.kept[i].set.contains(from.set) && search_.kept[i].set != from.set)
                larger_.push_back(i);
        reached_ = from.set;
        size_ = from.set.count();
        return decide(0, state);
    }

    /// By what must hold of everything that completes on the devices left.
    [[nodiscard]] bool ruled_out(const CheckedDownset& downset) const {
        const std::int64_t left = search_.devices - downset.used;
        Wide outside = 0;
        for (std::size_t g = 0; g < search_.counting.size(); ++g) outside += downset.set.contains(g) ? 0 : search_.counting[g];
        if (beyond(downset.value, left) || outside > (static_cast<Wide>(left) << kCheckedShift)) return true;
        return std::ranges::any_of(search_.tables, [&](const CheckedTable& table) {
            std::size_t type = 0;
            Wide value = static_cast<Wide>(table.factor) * downset.value;
            if (!table.share.empty()) downset.set.for_each([&](std::size_t g) { value += table.share[g]; });
            if (table.mirrored)
                downset.set.for_each([&](std::size_t g) { type = std::max<std::size_t>(type, table.position[g] + 1); });
            else
                while (downset.set.contains(table.order[type])) ++type;
            return value < table.need[static_cast<std::size_t>(left) * table.width + type];
        });
    }

    /// What lies outside a downset of that value takes more than the devices left: its work, and each tensor that leaves the downset enters
    /// some stage outside.
    [[nodiscard]] bool beyond(std::int64_t value, std::int64_t left) const {
        return static_cast<Wide>(total_work_) - value > static_cast<Wide>(left) * search_.threshold;
    }

    /// Cost of a stage on so many devices.
    [[nodiscard]] std::int64_t at_most(std::int64_t replicas) const {
        return static_cast<std::int64_t>(std::min<Wide>(static_cast<Wide>(search_.threshold) * replicas, kAnyCost));
    }

    /// Candidates, those that fit with all they stand on, and the tensors at them. False: there are none.
    bool lay_out(State& state) {
        for (Index g : candidates_) local_[g] = kAbsent;
        for (std::uint32_t t : global_tensor_) local_tensor_[t] = kAbsent;
        candidates_.clear(), tensors_.clear(), global_tensor_.clear(), inputs_.clear(), outputs_.clear();
        above_.clear();  // ancestors among the candidates, as rows of words
        std::int64_t outside = 0;
        for (Index g = 0; g < groups_.size(); ++g) {
            if (done_->contains(g)) continue;
            if (!search_.counting.empty()) outside += search_.counting[g];
            std::vector<std::uint64_t> row;
            bool fits = groups_.work[g] <= limit_;
            for (Index before : groups_.predecessors[g]) {
                if (!fits) break;
                if (done_->contains(before)) continue;
                const std::uint32_t c = local_[before];
                fits = c != kAbsent;
                if (!fits) break;
                row.resize(std::max<std::size_t>({row.size(), above_[c].size(), c / 64 + 1}), 0);
                for (std::size_t w = 0; w < above_[c].size(); ++w) row[w] |= above_[c][w];
                row[c / 64] |= std::uint64_t{1} << (c % 64);
            }
            std::int64_t work = groups_.work[g];
            for_each_bit(row, [&](std::size_t c) { work += groups_.work[candidates_[c]]; });
            if (!fits || work > limit_) continue;
            local_[g] = static_cast<std::uint32_t>(candidates_.size());
            candidates_.push_back(g);
            above_.push_back(std::move(row));
            state.open_work += groups_.work[g];
            if (!search_.counting.empty()) outside -= search_.counting[g];
        }
        if (candidates_.empty()) return false;
        state.outside = outside;
        const std::size_t count = candidates_.size();
        words_ = (count + 63) / 64;
        below_.assign(count * words_, 0);
        for (std::size_t j = 0; j < count; ++j)
            for_each_bit(above_[j], [&](std::size_t up) { below_[up * words_ + j / 64] |= std::uint64_t{1} << (j % 64); });
        dead_.assign(words_, 0);

        inputs_.resize(count);
        outputs_.resize(count);
        most_.assign(count, 0);
        std::int64_t bytes = 0;
        std::vector<Index> weights;
        for (std::size_t j = 0; j < count; ++j) {
            const Index g = candidates_[j];
            most_[j] = groups_.work[g] + made_[g];
            for (Index t : groups_.inputs[g]) {
                inputs_[j].push_back(local_of(t));
                if (tensors_[inputs_[j].back()].producer == kDone) most_[j] += groups_.transfer[t];
            }
            for (Index t : groups_.outputs[g]) outputs_[j].push_back(local_of(t));
            state.open_most += most_[j];
            const auto uses = groups_.weights[g];
            weights.insert(weights.end(), uses.begin(), uses.end());
        }
        std::ranges::sort(weights);
        weights.erase(std::ranges::unique(weights).begin(), weights.end());
        for (Index w : weights) bytes += groups_.weight_bytes[w];
        spill_most_ = groups_.spill_time(bytes);
        for (Index t = 0; t < groups_.tensors(); ++t) {
            if (!done_->contains(groups_.producer[t])) continue;
            const auto readers = groups_.consumers[t];
            const bool passes = local_tensor_[t] != kAbsent
                                    ? tensors_[local_tensor_[t]].beyond
                                    : std::ranges::any_of(readers, [&](Index reader) { return !done_->contains(reader); });
            if (passes) state.pass += groups_.transfer[t];
        }
        lay_out_borders();
        return true;
    }

    /// Per candidate the tensors that get an excluded reader with it and all that stands on it, their producer staying.
    void lay_out_borders() {
        border_.assign(candidates_.size(), {});
        mark_.assign(tensors_.size(), 0);
        for (std::uint32_t j = 0; j < candidates_.size(); ++j) {
            const auto row = std::span(below_).subspan(j * words_, words_);
            const auto visit = [&](std::size_t c) {
                for (std::uint32_t t : inputs_[c]) {
                    if (std::exchange(mark_[t], j + 1) == j + 1) continue;
                    const std::int64_t from = tensors_[t].producer;
                    const auto p = static_cast<std::size_t>(from);
                    if (from == kDone || (p != j && (row[p / 64] >> (p % 64) & 1) == 0)) border_[j].push_back(t);
                }
            };
            visit(j);
            for_each_bit(row, visit);
        }
    }

    std::uint32_t local_of(Index t) {
        if (local_tensor_[t] != kAbsent) return local_tensor_[t];
        Tensor tensor{.transfer = groups_.transfer[t]};
        if (const Index from = groups_.producer[t]; !done_->contains(from)) tensor.producer = local_[from];
        for (Index reader : groups_.consumers[t]) {
            if (done_->contains(reader)) continue;
            if (local_[reader] != kAbsent)
                ++tensor.readers;
            else
                tensor.beyond = true;
        }
        tensors_.push_back(tensor);
        global_tensor_.push_back(t);
        return local_tensor_[t] = static_cast<std::uint32_t>(tensors_.size() - 1);
    }

    template <typename Words, typename F>
    static void for_each_bit(const Words& words, F&& f) {
        for (std::size_t w = 0; w < words.size(); ++w)
            for (std::uint64_t bits = words[w]; bits != 0; bits &= bits - 1) f(w * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
    }

    /// No leaf below is left to justify.
    [[nodiscard]] bool covered(const State& state) const {
        const std::int64_t spill = groups_.spill_time(state.parameters);
        const std::int64_t fixed = state.in + state.out + spill;
        if (state.work + fixed > limit_) return true;
        if (state.work + state.in + state.out_most + state.open_most + spill_most_ <= state.above) return true;
        if (!search_.counting.empty() && static_cast<Wide>(state.outside) > (static_cast<Wide>(left_) << kCheckedShift)) return true;
        const std::int64_t work = std::min(state.work + state.open_work, limit_ - fixed);
        if (beyond(done_work_ + work - state.pass - state.out, left_)) return true;
        if (left_ == 0) return false;
        for (std::size_t z = 0; z < search_.tables.size(); ++z)
            if (most_value(z, state, spill) < least_need(z, state)) return true;
        return false;
    }

    /// Of any downset reached from here, in a table's units.
    [[nodiscard]] Wide most_value(std::size_t z, const State& state, std::int64_t spill) const {
        const CheckedTable& table = search_.tables[z];
        const std::int64_t room = limit_ - state.in - state.out;
        const std::int64_t more = state.share[z] - done_share_[z] + state.open_share[z];
        Wide own = static_cast<Wide>(table.factor) * std::min(state.work + state.open_work, room - spill) + more;
        if (!table.share.empty()) own = std::min(own, static_cast<Wide>(table.factor) * room + table.allowance);
        return static_cast<Wide>(table.factor) * (done_work_ - state.pass - state.out) + done_share_[z] + own;
    }

    [[nodiscard]] std::int64_t least_need(std::size_t z, const State& state) const {
        const CheckedTable& table = search_.tables[z];
        const std::size_t type = state.type[z], row = static_cast<std::size_t>(left_) * table.width;
        if (table.mirrored) return table.need_from[row + type];
        if (type + 1 == table.width) return std::numeric_limits<std::int64_t>::min();  // everything
        const std::uint32_t c = local_[table.order[type]];
        const bool missing = c == kAbsent || (dead_[c / 64] >> (c % 64) & 1) != 0;
        return missing ? table.need[row + type] : table.need_from[row + type];
    }

    bool decide(std::size_t j, const State& state) {
        if (++nodes_ % kNodesBetweenPolls == 0 && (limits_.interrupted() || limits_.out_of_time())) {
            objection_ = "the check was stopped before its end";
            return false;
        }
        if (covered(state)) return true;
        for (std::size_t w = j / 64; j < candidates_.size(); w = j / 64) {
            if (const std::uint64_t alive = ~dead_[w] >> (j % 64); alive != 0) {
                j += static_cast<std::size_t>(std::countr_zero(alive));
                break;
            }
            j = (w + 1) * 64;
        }
        if (j >= candidates_.size()) return leaf(state);
        return include(static_cast<std::uint32_t>(j), state) && exclude(static_cast<std::uint32_t>(j), state);
    }

    bool include(std::uint32_t j, const State& state) {
        const Index g = candidates_[j];
        State next = state;
        next.work += groups_.work[g];
        next.open_work -= groups_.work[g];
        next.open_most -= most_[j];
        next.out_most += made_[g];
        next.hash ^= mixed(g);
        for (std::uint32_t t : inputs_[j]) {
            Tensor& tensor = tensors_[t];
            ++tensor.included;
            if (tensor.producer == kDone)
                next.in += tensor.included == 1 ? tensor.transfer : 0;
            else if (!tensor.beyond && tensor.included == tensor.readers)
                next.out_most -= tensor.transfer;
        }
        for (std::uint32_t t : outputs_[j])
            if (tensors_[t].beyond || tensors_[t].excluded > 0) next.out += tensors_[t].transfer;
        for (Index w : groups_.weights[g])
            if (weight_uses_[w]++ == 0) next.parameters += groups_.weight_bytes[w];
        reached_.insert(g);
        ++size_;
        for (std::size_t z = 0; z < search_.tables.size(); ++z) {
            const CheckedTable& table = search_.tables[z];
            if (!table.share.empty()) next.share[z] += table.share[g], next.open_share[z] -= table.share[g];
            if (table.mirrored)
                next.type[z] = std::max(next.type[z], table.position[g] + 1);
            else
                while (next.type[z] + 1 < table.width && reached_.contains(table.order[next.type[z]])) ++next.type[z];
        }
        chosen_.push_back(j);
        const bool fine = decide(j + 1, next);
        chosen_.pop_back();
        --size_;
        reached_.erase(g);
        for (Index w : groups_.weights[g]) --weight_uses_[w];
        for (std::uint32_t t : inputs_[j]) --tensors_[t].included;
        return fine;
    }

    bool exclude(std::uint32_t j, const State& state) {
        State next = state;
        if (const Step step = one_more(j); step.worth) next.above = std::max(next.above, limit_ - step.cost - moved_spill_[candidates_[j]]);
        const std::size_t trail = trail_.size();
        for (std::size_t w = j / 64; w < words_; ++w) {
            std::uint64_t gone = below_[j * words_ + w] & ~dead_[w];
            if (w == j / 64) gone |= std::uint64_t{1} << (j % 64);
            if (gone == 0) continue;
            trail_.emplace_back(w, dead_[w]);
            dead_[w] |= gone;
            for (std::uint64_t bits = gone; bits != 0; bits &= bits - 1) {
                const std::size_t c = w * 64 + static_cast<std::size_t>(std::countr_zero(bits));
                const Index g = candidates_[c];
                next.open_work -= groups_.work[g];
                next.open_most -= most_[c];
                if (!search_.counting.empty()) next.outside += search_.counting[g];
                for (std::size_t z = 0; z < search_.tables.size(); ++z)
                    if (!search_.tables[z].share.empty()) next.open_share[z] -= search_.tables[z].share[g];
            }
        }
        for (std::uint32_t t : border_[j]) {
            Tensor& tensor = tensors_[t];
            if (tensor.excluded++ > 0 || tensor.beyond) continue;
            if (tensor.producer == kDone)
                next.pass += tensor.transfer;
            else if (reached_.contains(candidates_[static_cast<std::size_t>(tensor.producer)]))
                next.out += tensor.transfer;
        }
        refused_.push_back(j);
        const bool fine = decide(j + 1, next);
        refused_.pop_back();
        for (std::uint32_t t : border_[j]) --tensors_[t].excluded;
        for (; trail_.size() > trail; trail_.pop_back()) dead_[trail_.back().first] = trail_.back().second;
        return fine;
    }

    /// Candidate j added to what is included now, all it stands on is there. The cost is without the spill of its parameters.
    [[nodiscard]] Step one_more(std::uint32_t j) const {
        const Index g = candidates_[j];
        std::int64_t cost = groups_.work[g] + made_[g], spared = groups_.work[g];
        for (std::uint32_t t : inputs_[j]) {
            const Tensor& tensor = tensors_[t];
            const bool last = !tensor.beyond && tensor.included + 1 == tensor.readers;
            if (last) spared += tensor.transfer;
            if (tensor.producer == kDone)
                cost += tensor.included == 0 ? tensor.transfer : 0;
            else if (last)
                cost -= tensor.transfer;
        }
        return {cost, spared >= made_[g]};
    }

    /// All is decided: out and pass are exact.
    bool leaf(const State& state) {
        if (chosen_.empty()) return true;  // no stage
        const std::int64_t spill = groups_.spill_time(state.parameters);
        const std::int64_t cost = state.work + state.in + state.out + spill;
        if (cost > limit_ || cost <= state.above) return true;  // no stage; or of fewer devices, or a leaf rule has it
        if (size_ == groups_.size()) {
            objection_ = "a partition at or below the threshold exists";
            return false;
        }
        if (left_ == 0) return true;
        const std::int64_t value = done_work_ + state.work - state.pass - state.out;
        if (beyond(value, left_)) return true;
        for (std::size_t z = 0; z < search_.tables.size(); ++z) {
            const CheckedTable& table = search_.tables[z];
            const std::size_t type = state.type[z];
            if (type + 1 < table.width || table.mirrored)
                if (static_cast<Wide>(table.factor) * value + state.share[z] <
                    table.need[static_cast<std::size_t>(left_) * table.width + type])
                    return true;
        }
        for (std::uint32_t v : refused_) {
            const Step step = one_more(v);
            if (!step.worth) continue;
            std::int64_t more = 0;
            for (Index w : groups_.weights[candidates_[v]])
                if (weight_uses_[w] == 0) more += groups_.weight_bytes[w];
            if (cost - spill + step.cost + groups_.spill_time(state.parameters + more) <= limit_) return true;
        }
        if (kept(state.hash) || dominated(value)) return true;
        objection_ =
            std::format("a downset of {} groups behind a kept one of {}, with {} devices, is neither ruled out nor dominated by a kept one",
                        size_, done_->count(), used_);
        return false;
    }

    [[nodiscard]] bool kept(std::uint64_t hash) const {
        const auto [begin, end] = by_hash_.equal_range(hash);
        return std::any_of(begin, end, [&](const auto& entry) {
            const CheckedDownset& other = search_.kept[entry.second];
            return other.used <= used_ && other.set == reached_;
        });
    }

    bool dominated(std::int64_t value) {
        for (std::size_t i = 0; i < larger_.size(); ++i) {
            const CheckedDownset& other = search_.kept[larger_[i]];
            if (other.value < value || !other.set.contains(reached_) || !dominance_.shown(other.set, reached_)) continue;
            // Neighbouring leaves often fall to the same one.
            std::rotate(larger_.begin(), larger_.begin() + static_cast<std::ptrdiff_t>(i),
                        larger_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
            return true;
        }
        return false;
    }

    const CheckedSearch& search_;
    const CheckedGroups& groups_;
    const Limits& limits_;
    CheckedDominance dominance_;
    std::unordered_multimap<std::uint64_t, std::size_t> by_hash_;
    std::int64_t total_work_ = 0;
    std::vector<std::int64_t> made_, moved_spill_;  // per group
    std::optional<std::string> objection_;
    std::int64_t nodes_ = 0;
    // Of one expansion
    const NodeSet* done_ = nullptr;
    std::int64_t left_ = 0, used_ = 0, limit_ = 0, done_work_ = 0, spill_most_ = 0;
    std::array<std::int64_t, kMostTables> done_share_{};
    std::vector<std::size_t> larger_;  // kept supersets, by number
    NodeSet reached_;
    std::size_t size_ = 0;
    std::size_t words_ = 0;
    std::vector<Index> candidates_;
    std::vector<std::uint32_t> local_;         // per group
    std::vector<std::uint32_t> local_tensor_;  // per tensor
    std::vector<std::vector<std::uint64_t>> above_;
    std::vector<std::uint64_t> below_, dead_;
    std::vector<Tensor> tensors_;
    std::vector<std::uint32_t> global_tensor_;
    std::vector<std::vector<std::uint32_t>> inputs_, outputs_, border_;
    std::vector<std::uint32_t> mark_;
    std::vector<std::int64_t> most_;          // per candidate: cost it can add
    std::vector<std::uint32_t> weight_uses_;  // by included groups
    std::vector<std::uint32_t> chosen_, refused_;
    std::vector<std::pair<std::size_t, std::uint64_t>> trail_;  // words of dead_ as they were
};

}  // namespace

void CheckedTable::settle() {
    const std::size_t rows = need.size() / width;
    for (std::size_t r = rows - 1; r-- > 0;)
        for (std::size_t i = 0; i < width; ++i) need[r * width + i] = std::max(need[r * width + i], need[(r + 1) * width + i]);
    need_from = need;
    for (std::size_t r = 0; r < rows; ++r) {
        std::int64_t least = everything;
        for (std::size_t i = width; i-- > 0;) need_from[r * width + i] = least = std::min(least, need[r * width + i]);
    }
}

std::optional<std::string> objection_to(const CheckedSearch& search, const Limits& limits) {
    if (search.tables.size() > kMostTables) return std::format("{} completion tables: at most {}", search.tables.size(), kMostTables);
    return StageCheck(search, limits).run();
}

}  // namespace sluice::bound
