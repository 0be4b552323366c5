#include "sluice/search/stage_search.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <limits>

#include "sluice/base/wide.hpp"
#include "sluice/search/counting.hpp"
#include "sluice/search/poll.hpp"
#include "sluice/search/spill_share.hpp"

namespace sluice::search {

namespace {

constexpr std::int64_t kNodesBetweenPolls = 4096;
constexpr std::size_t kMostCandidates = 16'384;  // decided one inside the other: bounds the depth of recursion
constexpr std::int64_t kBelowAll = std::numeric_limits<std::int64_t>::min() / 2;

}  // namespace

void finish(StageSearchTables& tables) {
    const SerialProblem& problem = *tables.problem;
    const std::size_t groups = problem.group_count();
    if (tables.chains.empty())
        tables.order = heavy_cone_order(problem);
    else
        tables.order.assign(tables.chains[0].order().begin(), tables.chains[0].order().end());
    tables.made.assign(groups, 0);
    tables.moved_spill.assign(groups, 0);
    for (std::size_t g = 0; g < groups; ++g) {
        for (auto t : problem.outputs[g]) tables.made[g] += problem.transfer[t];
        if (!problem.spills) continue;
        std::int64_t bytes = 0;
        for (auto weight : problem.weights[g]) bytes += problem.weight_bytes[weight];
        tables.moved_spill[g] = spill_time(problem, problem.memory + bytes);
    }
    tables.total_work = problem.total_work();
    tables.allowance.clear();
    for (const ChainOfCuts& chain : tables.chains) tables.allowance.push_back(spill_share(problem, chain.theta_halves()).allowance);
}

StageSearch::StageSearch(const StageSearchTables& tables)
    : tables_(tables),
      problem_(*tables.problem),
      chain_value_(tables.chains.size()),
      candidate_of_(problem_.group_count(), -1),
      local_of_(problem_.tensor_count(), -1),
      weight_uses_(problem_.weight_bytes.size(), 0),
      leaf_bits_((problem_.group_count() + 63) / 64) {}

/// The groups that some stage here can hold: all they stand on outside the downset fits with them. False: there are none.
bool StageSearch::lay_out(std::span<const std::uint64_t> downset) {
    for (Index g : candidates_) candidate_of_[g] = -1;
    candidates_.clear();
    work_.clear(), made_.clear(), most_.clear(), counting_.clear();
    downset_ = downset;
    downset_work_ = 0;
    groups_left_ = 0;
    std::int64_t counting_outside = 0;
    for (std::size_t g = 0; g < problem_.group_count(); ++g) {
        if (has(downset, g))
            downset_work_ += problem_.work[g];
        else
            ++groups_left_;
    }
    // Ancestors among the candidates as bit rows, in the order of the candidates. Rows get their final width once all are known.
    std::vector<std::vector<std::uint64_t>> rows;
    for (Index g : tables_.order) {
        if (has(downset, g)) continue;
        if (!tables_.counting.empty()) counting_outside += tables_.counting[g];
        if (problem_.work[g] > limit_) continue;
        bool fits = true;
        std::vector<std::uint64_t> row;
        for (Index p : problem_.predecessors[g]) {
            if (has(downset, p)) continue;
            const std::int32_t c = candidate_of_[p];
            if (c < 0) {
                fits = false;
                break;
            }
            const auto& other = rows[static_cast<std::size_t>(c)];
            const std::size_t word = static_cast<std::size_t>(c) / 64;
            if (row.size() < std::max(other.size(), word + 1)) row.resize(std::max(other.size(), word + 1), 0);
            for (std::size_t w = 0; w < other.size(); ++w) row[w] |= other[w];
            row[word] |= std::uint64_t{1} << (c % 64);
        }
        if (!fits) continue;
        std::int64_t cone = problem_.work[g];
        for (std::size_t w = 0; w < row.size() && cone <= limit_; ++w)
            for (std::uint64_t bits = row[w]; bits != 0; bits &= bits - 1)
                cone += work_[w * 64 + static_cast<std::size_t>(std::countr_zero(bits))];
        if (cone > limit_) continue;
        candidate_of_[g] = static_cast<std::int32_t>(candidates_.size());
        candidates_.push_back(g);
        work_.push_back(problem_.work[g]);
        made_.push_back(tables_.made[g]);
        counting_.push_back(tables_.counting.empty() ? 0 : tables_.counting[g]);
        rows.push_back(std::move(row));
    }
    const std::size_t count = candidates_.size();
    candidate_work_ = 0;
    std::int64_t counting_inside = 0;
    for (std::size_t j = 0; j < count; ++j) candidate_work_ += work_[j], counting_inside += counting_[j];
    counting_most_ = tables_.counting.empty() ? std::numeric_limits<std::int64_t>::max()
                                              : (devices_left_ << kCountingShift) - (counting_outside - counting_inside);
    words_ = (count + 63) / 64;
    descendants_.assign(count * words_, 0);
    for (std::size_t j = 0; j < count; ++j)
        for (std::size_t w = 0; w < rows[j].size(); ++w)
            for (std::uint64_t bits = rows[j][w]; bits != 0; bits &= bits - 1) {
                const std::size_t up = w * 64 + static_cast<std::size_t>(std::countr_zero(bits));
                descendants_[up * words_ + j / 64] |= std::uint64_t{1} << (j % 64);
            }
    dead_.assign(words_, 0);
    included_.assign(count, 0);
    return count > 0 && counting_most_ >= 0;
}

void StageSearch::lay_out_tensors(std::span<const std::uint64_t> downset) {
    for (std::uint32_t t : listed_) local_of_[t] = -1;
    listed_.clear();
    tensors_.clear();
    const std::size_t count = candidates_.size();
    const auto local = [&](Index t) {
        if (local_of_[t] >= 0) return static_cast<std::uint32_t>(local_of_[t]);
        local_of_[t] = static_cast<std::int32_t>(tensors_.size());
        listed_.push_back(t);
        LocalTensor tensor;
        tensor.transfer = problem_.transfer[t];
        tensor.producer = has(downset, problem_.producer[t]) ? -1 : candidate_of_[problem_.producer[t]];
        for (Index consumer : problem_.consumers[t]) {
            if (has(downset, consumer)) continue;
            if (candidate_of_[consumer] >= 0)
                ++tensor.consumers;
            else
                tensor.beyond = true;
        }
        tensors_.push_back(tensor);
        return static_cast<std::uint32_t>(tensors_.size() - 1);
    };
    input_start_.assign(1, 0), output_start_.assign(1, 0), border_start_.assign(1, 0);
    inputs_.clear(), outputs_.clear(), border_.clear();
    most_.assign(count, 0);
    std::int64_t parameter_bytes = 0;
    std::vector<Index> weights;
    for (std::size_t j = 0; j < count; ++j) {
        const Index g = candidates_[j];
        for (Index t : problem_.inputs[g]) inputs_.push_back(local(t));
        for (Index t : problem_.outputs[g]) outputs_.push_back(local(t));
        input_start_.push_back(static_cast<std::uint32_t>(inputs_.size()));
        output_start_.push_back(static_cast<std::uint32_t>(outputs_.size()));
        most_[j] = work_[j] + made_[j];
        for (std::uint32_t i = input_start_[j]; i < input_start_[j + 1]; ++i)
            if (tensors_[inputs_[i]].producer < 0) most_[j] += tensors_[inputs_[i]].transfer;
        if (problem_.spills) weights.insert(weights.end(), problem_.weights[g].begin(), problem_.weights[g].end());
    }
    std::ranges::sort(weights);
    weights.erase(std::ranges::unique(weights).begin(), weights.end());
    for (Index weight : weights) parameter_bytes += problem_.weight_bytes[weight];
    parameter_spill_ = spill_time(problem_, parameter_bytes);

    // Tensors that leave the stage, or are read behind it, once j is excluded and with it all that stands on j.
    mark_.assign(tensors_.size(), 0);
    for (std::size_t j = 0; j < count; ++j) {
        const auto row = std::span(descendants_).subspan(j * words_, words_);
        const auto goes = [&](std::size_t c) { return c == j || (row[c / 64] >> (c % 64) & 1) != 0; };
        const auto visit = [&](std::size_t c) {
            for (std::uint32_t i = input_start_[c]; i < input_start_[c + 1]; ++i) {
                const std::uint32_t t = inputs_[i];
                if (mark_[t] == j + 1) continue;
                mark_[t] = static_cast<std::uint32_t>(j + 1);
                const std::int32_t producer = tensors_[t].producer;
                if (producer < 0 || !goes(static_cast<std::size_t>(producer))) border_.push_back(t);
            }
        };
        visit(j);
        for (std::size_t w = 0; w < words_; ++w)
            for (std::uint64_t bits = row[w]; bits != 0; bits &= bits - 1) visit(w * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
        border_start_.push_back(static_cast<std::uint32_t>(border_.size()));
    }
}

void StageSearch::extend(std::span<const std::uint64_t> downset, std::int64_t devices, std::int64_t replicas,
                         const StageSearchLimits& limits, StageSearchResult& result, std::span<const std::int64_t> used) {
    used_ = used;
    result_ = &result;
    limits_ = &limits;
    if (ended()) return;
    nodes_before_ = result.nodes;
    replicas_ = replicas;
    devices_left_ = problem_.devices - devices - replicas;
    const Wide wide = static_cast<Wide>(tables_.threshold) * replicas;
    limit_ = static_cast<std::int64_t>(std::min<Wide>(wide, 4 * static_cast<Wide>(kLargestTotal.count())));
    floor_ = static_cast<std::int64_t>(std::min<Wide>(wide - tables_.threshold, 4 * static_cast<Wide>(kLargestTotal.count())));
    if (!lay_out(downset)) return;
    if (candidates_.size() > kMostCandidates) {
        result.too_large = true;
        return;
    }
    lay_out_tensors(downset);

    Partial root;
    root.required = replicas > 1 && !tables_.judge ? floor_ : kBelowAll;  // with fewer devices such a stage was found already
    for (std::int64_t most : most_) root.undecided_most += most;
    for (std::size_t t = 0; t < problem_.tensor_count(); ++t) {
        if (!has(downset, problem_.producer[t])) continue;
        const std::int32_t l = local_of_[t];
        const bool passes = l >= 0 ? tensors_[static_cast<std::size_t>(l)].beyond
                                   : std::ranges::any_of(problem_.consumers[t], [&](Index c) { return !has(downset, c); });
        if (passes) root.pass += problem_.transfer[t];
    }
    least_value_ = kBelowAll;
    for (std::size_t z = 0; z < tables_.chains.size(); ++z) {
        const ChainOfCuts& chain = tables_.chains[z];
        std::size_t type = 0;
        if (chain.mirrored()) {
            for (std::size_t i = chain.order().size(); i-- > 0 && type == 0;)
                if (has(downset, chain.order()[i])) type = i + 1;
        } else {
            while (type < chain.order().size() && has(downset, chain.order()[type])) ++type;
        }
        root.type[z] = static_cast<std::uint32_t>(type);
        chain_value_[z] = 0;
        if (chain.theta_halves() == 0) continue;
        for (std::size_t g = 0; g < problem_.group_count(); ++g)
            if (has(downset, g)) chain_value_[z] += chain.factor() * problem_.work[g] + chain.share()[g];
    }
    const Wide takes = static_cast<Wide>(devices_left_) * tables_.threshold;  // by the stages behind this one
    if (takes < tables_.total_work) least_value_ = std::max(least_value_, static_cast<std::int64_t>(tables_.total_work - takes));
    decide(0, root);
}

/// No way to decide the rest gives a stage below the limit that is worth having.
bool StageSearch::hopeless(const Partial& partial) const {
    const std::int64_t spill = problem_.spills ? spill_time(problem_, partial.parameters) : 0;
    const std::int64_t cost = partial.work + partial.in + partial.out + spill;
    if (cost > limit_ || partial.excluded_counting > counting_most_) return true;
    if (partial.work + partial.in + partial.out_most + partial.undecided_most + parameter_spill_ <= partial.required) return true;
    const std::int64_t room = limit_ - partial.in - partial.out - spill;  // for work
    const std::int64_t possible = std::min(candidate_work_ - partial.excluded_work, room);
    const std::int64_t reached = downset_work_ + possible - partial.out - partial.pass;
    if (reached < least_value_) return true;
    for (std::size_t z = 0; z < tables_.chains.size(); ++z) {
        const ChainOfCuts& chain = tables_.chains[z];
        const std::int64_t need = least_need(z, partial.type[z]);
        if (chain.theta_halves() == 0) {
            if (reached < need) return true;
            continue;
        }
        const std::int64_t most = chain_value_[z] + chain.factor() * (limit_ - partial.in - partial.out) + tables_.allowance[z];
        if (most - chain.factor() * (partial.out + partial.pass) < need) return true;
    }
    return false;
}

/// Of all downsets that a stage now at `type` can yet reach: the type is final once the group missing first is excluded.
std::int64_t StageSearch::least_need(std::size_t z, std::size_t type) const {
    const ChainOfCuts& chain = tables_.chains[z];
    const CompletionTable& table = tables_.completion[z];
    if (chain.mirrored() || type == chain.order().size()) return table.need_from(devices_left_, type);
    const std::int32_t c = candidate_of_[chain.order()[type]];
    const bool final = c < 0 || (dead_[static_cast<std::size_t>(c) / 64] >> (c % 64) & 1) != 0;
    return final ? table.need(devices_left_, type) : table.need_from(devices_left_, type);
}

void StageSearch::decide(std::size_t j, const Partial& partial) {
    if (ended() || hopeless(partial)) return;
    const std::int64_t nodes = ++result_->nodes;
    if (limits_->nodes > 0 && nodes - nodes_before_ > limits_->nodes) {
        result_->cut_short = true;
        return;
    }
    if (nodes % kNodesBetweenPolls == 0 && limits_->limits && must_stop(*limits_->limits)) {
        result_->stopped = true;
        return;
    }
    const std::size_t count = candidates_.size();
    for (std::size_t w = j / 64; j < count; w = j / 64) {  // the next one that is not dead
        const std::uint64_t alive = ~dead_[w] >> (j % 64);
        if (alive != 0) {
            j += static_cast<std::size_t>(std::countr_zero(alive));
            break;
        }
        j = (w + 1) * 64;
    }
    if (j >= count) {
        leaf(partial);
        return;
    }
    include(j, partial);
    if (!ended()) exclude(j, partial);
}

/// Candidate j has just been included.
void StageSearch::advance_types(std::size_t j, Partial& partial) const {
    for (std::size_t z = 0; z < tables_.chains.size(); ++z) {
        const ChainOfCuts& chain = tables_.chains[z];
        std::uint32_t& type = partial.type[z];
        if (chain.mirrored()) {
            type = std::max(type, chain.position()[candidates_[j]] + 1);
            continue;
        }
        const auto inside = [&](Index g) {
            return has(downset_, g) || (candidate_of_[g] >= 0 && included_[static_cast<std::size_t>(candidate_of_[g])]);
        };
        while (type < chain.order().size() && inside(chain.order()[type])) ++type;
    }
}

void StageSearch::include(std::size_t j, const Partial& partial) {
    Partial next = partial;
    next.work += work_[j];
    next.out_most += made_[j];
    next.undecided_most -= most_[j];
    for (std::uint32_t i = input_start_[j]; i < input_start_[j + 1]; ++i) {
        LocalTensor& tensor = tensors_[inputs_[i]];
        if (tensor.included++ == 0 && tensor.producer < 0) next.in += tensor.transfer;
        if (tensor.producer >= 0 && !tensor.beyond && tensor.included == tensor.consumers) next.out_most -= tensor.transfer;
    }
    for (std::uint32_t i = output_start_[j]; i < output_start_[j + 1]; ++i) {
        const LocalTensor& tensor = tensors_[outputs_[i]];
        if (tensor.beyond || tensor.excluded > 0) next.out += tensor.transfer;
    }
    if (problem_.spills)
        for (Index weight : problem_.weights[candidates_[j]])
            if (weight_uses_[weight]++ == 0) next.parameters += problem_.weight_bytes[weight];
    if (next.work + next.in + next.out <= limit_) {
        included_[j] = 1;
        chosen_.push_back(static_cast<std::uint32_t>(j));
        advance_types(j, next);
        decide(j + 1, next);
        chosen_.pop_back();
        included_[j] = 0;
    }
    if (problem_.spills)
        for (Index weight : problem_.weights[candidates_[j]]) --weight_uses_[weight];
    for (std::uint32_t i = input_start_[j]; i < input_start_[j + 1]; ++i) --tensors_[inputs_[i]].included;
}

/// What adding candidate j to what is included now would cost, and what later stages would be spared.
StageSearch::OneMore StageSearch::one_more(std::size_t j) const {
    OneMore result{work_[j], work_[j]};
    for (std::uint32_t i = input_start_[j]; i < input_start_[j + 1]; ++i) {
        const LocalTensor& tensor = tensors_[inputs_[i]];
        const bool last = !tensor.beyond && tensor.included + 1 == tensor.consumers;  // nobody else would still need it
        if (last) result.gain += tensor.transfer;
        if (tensor.producer < 0) {
            if (tensor.included == 0) result.added += tensor.transfer;
        } else if (last) {
            result.added -= tensor.transfer;
        }
    }
    return result;
}

void StageSearch::exclude(std::size_t j, const Partial& partial) {
    Partial next = partial;
    // Later decisions only make j cheaper to add and its gain larger.
    if (const OneMore more = one_more(j); !tables_.judge && more.gain >= made_[j])
        next.required = std::max(next.required, limit_ - more.added - made_[j] - tables_.moved_spill[candidates_[j]]);
    const std::size_t died = died_.size();
    const auto bury = [&](std::size_t c) {
        died_.push_back(static_cast<std::uint32_t>(c));
        dead_[c / 64] |= std::uint64_t{1} << (c % 64);
        next.excluded_work += work_[c];
        next.excluded_counting += counting_[c];
        next.undecided_most -= most_[c];
    };
    bury(j);
    for (std::size_t w = j / 64; w < words_; ++w)
        for (std::uint64_t bits = descendants_[j * words_ + w] & ~dead_[w]; bits != 0; bits &= bits - 1)
            bury(w * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
    for (std::uint32_t i = border_start_[j]; i < border_start_[j + 1]; ++i) {
        LocalTensor& tensor = tensors_[border_[i]];
        if (tensor.excluded++ > 0 || tensor.beyond) continue;
        if (tensor.producer < 0)
            next.pass += tensor.transfer;
        else if (included_[static_cast<std::size_t>(tensor.producer)])
            next.out += tensor.transfer;
    }
    refused_.push_back(static_cast<std::uint32_t>(j));
    decide(j + 1, next);
    refused_.pop_back();
    for (std::uint32_t i = border_start_[j]; i < border_start_[j + 1]; ++i) --tensors_[border_[i]].excluded;
    for (; died_.size() > died; died_.pop_back()) dead_[died_.back() / 64] &= ~(std::uint64_t{1} << (died_.back() % 64));
}

void StageSearch::leaf(const Partial& partial) {
    if (chosen_.empty()) return;
    std::ranges::copy(downset_, leaf_bits_.begin());
    for (std::uint32_t c : chosen_) leaf_bits_[candidates_[c] / 64] |= std::uint64_t{1} << (candidates_[c] % 64);
    if (tables_.judge) return judge(partial);

    const std::int64_t cost = partial.work + partial.in + partial.out + (problem_.spills ? spill_time(problem_, partial.parameters) : 0);
    if (replicas_ > 1 && cost <= floor_) return;
    if (chosen_.size() == groups_left_) return keep({0, replicas_});
    if (devices_left_ == 0) return;
    for (std::uint32_t j : refused_) {
        const OneMore more = one_more(j);
        if (more.gain < made_[j]) continue;
        std::int64_t spill = 0;
        if (problem_.spills) {
            std::int64_t parameters = partial.parameters;
            for (Index weight : problem_.weights[candidates_[j]])
                if (weight_uses_[weight] == 0) parameters += problem_.weight_bytes[weight];
            spill = spill_time(problem_, parameters);
        }
        if (partial.work + partial.in + partial.out + more.added + made_[j] + spill <= limit_) return;
    }
    if (completable(partial)) keep({downset_work_ + partial.work - partial.out - partial.pass, replicas_});
}

/// Exactly, with the type and value of the downset reached.
bool StageSearch::completable(const Partial& partial) const {
    const std::int64_t value = downset_work_ + partial.work - partial.out - partial.pass;
    for (std::size_t z = 0; z < tables_.chains.size(); ++z) {
        const ChainOfCuts& chain = tables_.chains[z];
        const std::size_t type = partial.type[z];
        std::int64_t reached = value;
        if (chain.theta_halves() != 0) {
            reached = chain_value_[z] - chain.factor() * (partial.out + partial.pass);
            for (std::uint32_t c : chosen_) reached += chain.factor() * work_[c] + chain.share()[candidates_[c]];
        }
        if (reached < tables_.completion[z].need(devices_left_, type)) return false;
    }
    return true;
}

/// The stage on every class that can hold it and has devices left.
void StageSearch::judge(const Partial& partial) {
    const cost::StageProblem& original = *tables_.judge;
    const bool completes = chosen_.size() == groups_left_;
    if (!completes && (devices_left_ == 0 || !completable(partial))) return;
    std::vector<NodeId> nodes;
    for (std::uint32_t c : chosen_) {
        const auto members = problem_.members[candidates_[c]];
        nodes.insert(nodes.end(), members.begin(), members.end());
    }
    std::ranges::sort(nodes);
    const Wide limit = static_cast<Wide>(tables_.threshold) / problem_.charge.scale * replicas_;
    for (std::size_t c = 0; c < original.classes.size() && !ended(); ++c) {
        const cost::DeviceCosts& device = original.classes[c];
        if (used_[c] + replicas_ > device.count) continue;
        if (!std::ranges::all_of(nodes, [&](NodeId v) { return device.supported.contains(v.index()); })) continue;
        const cost::StageTerms terms = cost::stage_terms(original, nodes, ClassId(c));
        if (!cost::fits(device, terms) || cost::stage_time(original.model, terms).count() > limit) continue;
        keep({completes ? 0 : downset_work_ + partial.work - partial.out - partial.pass, replicas_, ClassId(c)});
    }
}

/// `leaf_bits_` is what the stage reaches.
void StageSearch::keep(StageSearchResult::Leaf leaf) {
    if (chosen_.size() == groups_left_) {
        result_->completed = true;
        result_->all = leaf_bits_;
        result_->last = leaf;
        return;
    }
    result_->leaves.push_back(leaf);
    result_->bits.insert(result_->bits.end(), leaf_bits_.begin(), leaf_bits_.end());
    if ((result_->leaves.size() + 1) * (leaf_bits_.size() * sizeof(std::uint64_t) + sizeof(StageSearchResult::Leaf)) > limits_->bytes)
        result_->too_large = true;
}

}  // namespace sluice::search
