#include "sluice/training/graphpipe/search.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

namespace sluice::training::graphpipe {

namespace {
constexpr double kPicoseconds = 1e12;
}

const std::vector<std::vector<double>>& WorkTables::at(std::int64_t samples) {
    const auto [found, fresh] = tables_.try_emplace(samples);
    if (!fresh) return found->second;
    const auto times = cost::pass_times(problem_, device_, samples);
    for (std::size_t c = 0; c < model_.chains.size(); ++c) {
        std::vector<double>& sums = found->second.emplace_back(1, 0.0);
        for (const Element& element : model_.chains[c].elements) {
            double sum = sums.back();
            for (std::uint32_t at = element.first; at < element.last; ++at) {
                const cost::PassTimes& one = times[model_.order[model_.starts[c] + at].index()];
                sum += static_cast<double>(one.total().count() + (recompute_ ? one.forward.count() : 0));
            }
            sums.push_back(sum);
        }
    }
    return found->second;
}

Search::Search(const cost::TrainingProblem& problem, const Model& model, WorkTables& work, const SearchOptions& options,
               const Limits& limits)
    : problem_(problem), model_(model), work_(work), options_(options), limits_(limits) {
    const cost::TrainingDevice& device = problem.classes[options.device.index()];
    if (device.memory_rate.bytes_per_second > 0) optimizer_ = 2 * kPicoseconds / static_cast<double>(device.memory_rate.bytes_per_second);
    serial_ = problem.structure.model == cost::StageModel::serial;
    add_demands();
    add_sizes();
    const std::int64_t largest = std::ranges::max(options.micro_batches);
    cheapest_ = &work_.at(largest);
    cheapest_rounds_ = static_cast<double>(problem.options.mini_batch / largest);
    total_ = cheapest_->back().back() * cheapest_rounds_;
    add_groups();
}

/// All that stages can ask for, from the sink on: cost::set_in_flight's rule with k = 1.
void Search::add_demands() {
    const std::int64_t mini = problem_.options.mini_batch;
    batches_.resize(options_.micro_batches.size());
    for (std::size_t b = 0; b < batches_.size(); ++b) {
        batches_[b].samples = options_.micro_batches[b];
        batches_[b].rounds = static_cast<double>(mini / options_.micro_batches[b]);
    }
    const std::int64_t most = std::min(mini, std::ranges::max(options_.micro_batches) * options_.devices);
    std::map<std::pair<std::int64_t, std::int64_t>, std::uint32_t> known{{{0, 0}, 0}};
    demands_.push_back({});
    for (std::size_t d = 0; d < demands_.size(); ++d)
        for (Batch& batch : batches_) {
            const std::int64_t own = batch.samples, need = demands_[d].in_flight + std::max(own, demands_[d].micro_batch);
            const std::int64_t in_flight = std::min(mini, (need + own - 1) / own * own);
            if (in_flight > most) {
                batch.next.push_back(0);  // more stages in a row than devices
                continue;
            }
            const auto [found, fresh] = known.try_emplace({in_flight, own}, static_cast<std::uint32_t>(demands_.size()));
            if (fresh) demands_.push_back({in_flight, own});
            batch.next.push_back(found->second);
        }
}

void Search::add_sizes() {
    const cost::Interconnect& wires = problem_.interconnect;
    const bool nodes = wires.devices_per_node > 0 && options_.devices > wires.devices_per_node;
    const platform::Link& transfers = nodes ? wires.between : wires.inside;
    const auto per_byte = [](const platform::Link& link) { return kPicoseconds / static_cast<double>(link.rate.bytes_per_second); };
    latency_ = static_cast<double>(transfers.latency.count());
    for (Batch& batch : batches_) {
        std::int64_t last = 0;
        for (std::int64_t r = 1; r <= std::min(options_.devices, batch.samples); ++r) {
            const std::int64_t share = (batch.samples + r - 1) / r;
            if (share == last) continue;
            if (stopped()) return;
            last = share;
            const std::int64_t per_node = wires.devices_per_node;
            const bool inside = per_node == 0 || (options_.cautious ? per_node % r == 0 : r <= per_node);
            const platform::Link& ring = inside ? wires.inside : wires.between;
            const auto steps = static_cast<double>(2 * (r - 1));
            const std::int64_t wires_used = options_.cautious ? 1 : nodes ? (r + per_node - 1) / per_node : r;
            batch.sizes.push_back(
                {.replicas = r,
                 .samples = share,
                 .work = &work_.at(share),
                 .rate = static_cast<double>(problem_.options.mini_batch) / static_cast<double>(wires_used) * per_byte(transfers),
                 .reduce = steps / static_cast<double>(r) * per_byte(ring),
                 .reduce_latency = steps * static_cast<double>(ring.latency.count())});
        }
        for (std::size_t s = 0; s < batch.sizes.size(); ++s)
            while (static_cast<std::int64_t>(batch.from.size()) <= batch.sizes[s].replicas) batch.from.push_back(s);
        for (std::size_t s = batch.sizes.size(); s-- > 0;) {
            Size& size = batch.sizes[s];
            size.least_reduce = size.replicas > 1 ? size.reduce : 0;
            size.least_reduce_latency = size.replicas > 1 ? size.reduce_latency : 0;
            if (s + 1 == batch.sizes.size()) continue;
            size.least_reduce = std::min(size.least_reduce, batch.sizes[s + 1].least_reduce);
            size.least_reduce_latency = std::min(size.least_reduce_latency, batch.sizes[s + 1].least_reduce_latency);
        }
    }
}

/// Devices that a part may have at most when the rest of the model, of which `own_work` is not, meets the target too.
std::int64_t Search::room(double own_work) const {
    const double rest = (total_ - own_work) / target_;
    return options_.devices - static_cast<std::int64_t>(std::ceil(rest - 1e-6));
}

double Search::into(const Bill& bill, const Batch& batch, const Size& size) const {
    return size.rate * (bill.activations_in + bill.gradients_out) +
           latency_ * batch.rounds * (bill.edges_in + (bill.gradients_out > 0 ? bill.edges_out : 0));
}

double Search::out_of(const Bill& bill, const Batch& batch, const Size& size) const {
    return size.rate * (bill.activations_out + bill.gradients_in) +
           latency_ * batch.rounds * (bill.edges_out + (bill.gradients_in > 0 ? bill.edges_in : 0));
}

double Search::time_of(const Bill& bill, double work, const Batch& batch, const Size& size) const {
    const double in = into(bill, batch, size);
    const double reduce = size.replicas > 1 && bill.parameters > 0 ? size.reduce * bill.parameters + size.reduce_latency : 0;
    const double out = out_of(bill, batch, size) + reduce;
    const double busy = work * batch.rounds + optimizer_ * bill.state;
    return serial_ ? busy + in + out : std::max({busy, in, out});
}

/// use(choice): sizes of a stage that meet the target; of each micro-batch the smallest, and larger ones that may keep more in flight, as
/// long as it returns true.
template <typename Work, typename Use>
void Search::choices(const Bill& bill, std::int64_t room, Work&& work, Use&& use) const {
    if (room < 1) return;
    for (std::size_t b = 0; b < batches_.size(); ++b) {
        const Batch& batch = batches_[b];
        const double least = work(b, 0) * batch.rounds / target_;
        if (least > static_cast<double>(room)) continue;
        const auto replicas = std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(least - 1e-9)));
        if (replicas >= batch.from.size()) continue;
        // The more replicas, the faster the wires are.
        if (const Size& fastest = batch.sizes[batch.last_of(room)];
            std::max(into(bill, batch, fastest), out_of(bill, batch, fastest)) > target_)
            continue;
        std::int64_t reached = 0;
        for (std::size_t s = batch.from[replicas]; s < batch.sizes.size() && batch.sizes[s].replicas <= room; ++s) {
            const Size& size = batch.sizes[s];
            if (size.least_reduce * bill.parameters + size.least_reduce_latency > target_ && bill.parameters > 0) break;
            const double own = work(b, s);
            if (own * batch.rounds > target_) continue;
            const double time = time_of(bill, own, batch, size);
            if (time > target_) continue;
            std::int64_t most = in_flight_;
            if (memory_) {
                const auto samples = static_cast<double>(size.samples);
                const double kept = (options_.recompute ? bill.entering : bill.kept) * samples;
                const double left = static_cast<double>(*memory_) - bill.state - (options_.recompute ? bill.kept * samples : 0);
                if (left < kept) continue;
                if (kept * batch.rounds > left) most = std::min(most, static_cast<std::int64_t>(left / kept) * batch.samples);
            }
            if (most <= reached) continue;
            reached = most;
            if (!use(Choice{b, s, most, time}) || most == in_flight_) break;
        }
    }
}

Search::GroupSums Search::sums_of(const Block& block, const Block::Group& group) const {
    GroupSums sums;
    for (const Batch& batch : batches_) sums.work.emplace_back(batch.sizes.size(), 0.0);
    for (std::size_t i = 0; i < group.kinds.size(); ++i) {
        const std::size_t branch = block.kinds[group.kinds[i]].chain;
        const auto count = static_cast<double>(group.counts[i]);
        sums.alone.add(model_.chains[branch].whole(), count);
        sums.joined.add(model_.chains[branch].joined[0], count);
        sums.cheapest += count * (*cheapest_)[branch].back() * cheapest_rounds_;
        for (std::size_t b = 0; b < batches_.size(); ++b)
            for (std::size_t s = 0; s < batches_[b].sizes.size(); ++s)
                sums.work[b][s] += count * (*batches_[b].sizes[s].work)[branch].back();
    }
    sums.alone.edges_in = std::min(sums.alone.edges_in, 1.0);
    sums.alone.edges_out = std::min(sums.alone.edges_out, 1.0);
    return sums;
}

void Search::add_groups() {
    for (const Chain& chain : model_.chains) {
        first_block_.push_back(groups_.size());
        for (const Block& block : chain.blocks) {
            std::vector<GroupSums>& groups = groups_.emplace_back();
            for (const Block::Group& group : block.groups) {
                if (stopped()) return;
                groups.push_back(sums_of(block, group));
            }
        }
    }
    tables_.resize(model_.chains.size() * (demand_count() + 1));
    block_tables_.resize(groups_.size() * (demand_count() + 1));
}

template <typename Use>
void Search::group_choices(const GroupSums& group, Use&& use) const {
    choices(group.alone, room(group.cheapest), [&](std::size_t b, std::size_t s) { return group.work[b][s]; }, use);
}

/// Stages of elements [block_at + 1, count) with something of the block before them.
template <typename Use>
void Search::fused_endings(std::size_t chain_id, std::size_t limit, std::size_t block_at, std::size_t count, Use&& use) {
    const Chain& chain = model_.chains[chain_id];
    const std::size_t block_id = *chain.elements[block_at].block;
    const Block& block = chain.blocks[block_id];
    const std::vector<GroupSums>& groups = groups_[first_block_[chain_id] + block_id];
    const std::size_t all = block.alone.size() - 1, from = block_at + 1;
    const auto& cheapest = *cheapest_;
    const double least = (cheapest[chain_id][count] - cheapest[chain_id][from]) * cheapest_rounds_;
    const std::int64_t most = room(cheapest[chain_id][count] * cheapest_rounds_);
    const auto try_fused = [&](std::size_t group, std::size_t kind, std::size_t cut, std::size_t state) {
        const std::size_t branch = kind != kNone ? block.kinds[kind].chain : 0;
        double whole = least;
        if (group != kNone) whole += groups[group].cheapest;
        if (kind != kNone) whole += (cheapest[branch].back() - cheapest[branch][cut]) * cheapest_rounds_;
        if (whole > target_ * static_cast<double>(most)) return false;
        const std::int64_t own_most = room(whole);
        if (whole > target_ * (static_cast<double>(own_most) + 1e-6)) return true;  // with more inside there may be devices enough
        Bill bill = chain.bill(from, count);
        if (group != kNone) bill.add(groups[group].joined, 1);
        if (kind != kNone) bill.add(model_.chains[branch].joined[cut], 1);
        for (double* part : {&bill.activations_in, &bill.gradients_in, &bill.entering, &bill.edges_in}) *part = std::max(*part, 0.0);
        const auto work = [&](std::size_t b, std::size_t s) {
            const auto& sums = *batches_[b].sizes[s].work;
            double sum = sums[chain_id][count] - sums[chain_id][from];
            if (group != kNone) sum += groups[group].work[b][s];
            if (kind != kNone) sum += sums[branch].back() - sums[branch][cut];
            return sum;
        };
        bool fits = false;  // or would with more inside: what is outside then needs fewer devices
        choices(bill, most, work, [&](const Choice& choice) {
            fits = true;
            if (batches_[choice.batch].sizes[choice.size].replicas > own_most) return false;
            Ending ending{.choice = choice, .from = from, .block = block_at, .group = group, .kind = kind, .cut = cut, .state = state};
            if (block_at == 0) {
                ending.limit = limit;
                use(ending);
                return true;
            }
            for (ending.limit = 1; ending.limit < demand_count(); ++ending.limit) use(ending);
            return true;
        });
        return fits;
    };
    const auto try_ends = [&](std::size_t group, std::size_t state) {
        for (const Block::Move& alone : block.alone[state]) {
            const Chain& branch = model_.chains[block.kinds[alone.what].chain];
            // Work and state grow with the end that is taken: once it does not fit, no longer one does.
            for (std::size_t cut = branch.count(); cut-- > 1;)
                if (!try_fused(group, alone.what, cut, alone.next)) break;
        }
    };
    try_ends(kNone, all);
    for (const Block::Move& move : block.together[all])
        if (try_fused(move.what, kNone, 0, move.next)) try_ends(move.what, move.next);
}

template <typename Use>
void Search::endings(std::size_t chain_id, std::size_t limit, std::size_t count, Use&& use) {
    const Chain& chain = model_.chains[chain_id];
    const std::int64_t most = room((*cheapest_)[chain_id][count] * cheapest_rounds_);
    if (most < 0) return;
    if (chain.elements[count - 1].block) {
        Ending ending{.choice = {},
                      .from = count,
                      .block = count - 1,
                      .state = chain.blocks[*chain.elements[count - 1].block].alone.size() - 1,
                      .staged = false};
        if (count == 1) {
            ending.limit = limit;
            use(ending);
        } else {
            for (ending.limit = 1; ending.limit < demand_count(); ++ending.limit) use(ending);
        }
    }
    const auto& cheapest = (*cheapest_)[chain_id];
    for (std::size_t from = count; from-- > 0 && !stopped_;) {
        const double whole = (cheapest[count] - cheapest[from]) * cheapest_rounds_;
        if (whole > target_ * static_cast<double>(most)) break;
        const auto work = [&](std::size_t b, std::size_t s) {
            const std::vector<double>& sums = (*batches_[b].sizes[s].work)[chain_id];
            return sums[count] - sums[from];
        };
        choices(chain.bill(from, count), room(whole), work, [&](const Choice& choice) {
            use(Ending{.choice = choice, .from = from});
            return true;
        });
        if (from > 0 && chain.elements[from - 1].block) fused_endings(chain_id, limit, from - 1, count, use);
    }
}

Search::Sum Search::sum_of(std::size_t chain_id, std::size_t limit, const Ending& ending) {
    Sum sum;
    if (ending.staged) {
        sum.batch = &batches_[ending.choice.batch];
        sum.most_in_flight = ending.choice.most_in_flight;
        sum.own = static_cast<std::size_t>(sum.batch->sizes[ending.choice.size].replicas);
    }
    if (ending.block == kNone) {
        sum.first = &solve(chain_id, limit).devices[ending.from * demand_count()];
        return sum;
    }
    const Chain& chain = model_.chains[chain_id];
    const std::size_t block = *chain.elements[ending.block].block;
    if (ending.block > 0) sum.own += solve(chain_id, limit).devices[ending.block * demand_count() + ending.limit];
    if (sum.own >= kNever) return sum;
    // A whole branch inside the last stage reads what is before the block.
    if (ending.group != kNone) sum.limit = ending.limit;
    sum.first = &solve_block(chain_id, block, ending.limit).devices[ending.state * demand_count()];
    if (ending.kind != kNone)
        sum.second = &solve(chain.blocks[block].kinds[ending.kind].chain, ending.limit).devices[ending.cut * demand_count()];
    return sum;
}

Search::Count Search::devices_of(const Sum& sum, std::size_t demand) const {
    if (sum.first == nullptr) return kNever;
    if (sum.batch != nullptr) {
        demand = sum.batch->next[demand];
        if (demand == 0 || demands_[demand].in_flight > sum.most_in_flight || !allowed(demand, sum.limit)) return kNever;
    }
    const std::size_t devices = sum.own + sum.first[demand] + (sum.second != nullptr ? sum.second[demand] : 0);
    return static_cast<Count>(std::min<std::size_t>(devices, kNever));
}

const Search::Table& Search::solve(std::size_t chain_id, std::size_t limit) {
    Table& table = tables_[table_index(chain_id, limit)];
    if (table.solved) return table;
    table.solved = true;  // rows are read as soon as they are filled
    const Chain& chain = model_.chains[chain_id];
    const std::size_t demands = demand_count();
    table.devices.assign((chain.count() + 1) * demands, kNever);
    for (std::size_t d = 0; d < demands; ++d)
        if (allowed(d, limit)) table.devices[d] = 0;
    for (std::size_t count = 1; count <= chain.count() && !stopped(); ++count) {
        Count* row = &table.devices[count * demands];
        endings(chain_id, limit, count, [&](const Ending& ending) {
            if (stopped_) return;
            const Sum sum = sum_of(chain_id, limit, ending);
            for (std::size_t d = 0; d < demands; ++d) row[d] = std::min(row[d], devices_of(sum, d));
        });
        const std::int64_t most = room((*cheapest_)[chain_id][count] * cheapest_rounds_);
        for (std::size_t d = 0; d < demands; ++d)
            if (std::int64_t{row[d]} > most) row[d] = kNever;
    }
    return table;
}

const Search::Table& Search::solve_block(std::size_t chain_id, std::size_t block_id, std::size_t limit) {
    Table& table = block_tables_[table_index(first_block_[chain_id] + block_id, limit)];
    if (table.solved) return table;
    table.solved = true;
    const Chain& chain = model_.chains[chain_id];
    const Block& block = chain.blocks[block_id];
    const std::size_t demands = demand_count(), states = block.alone.size();
    table.devices.assign(states * demands, kNever);
    std::fill_n(table.devices.begin(), demands, Count{0});
    std::vector<std::vector<Choice>> choices_of(block.groups.size());
    const std::vector<GroupSums>& groups = groups_[first_block_[chain_id] + block_id];
    for (std::size_t g = 0; g < groups.size(); ++g)
        group_choices(groups[g], [&](const Choice& choice) {
            choices_of[g].push_back(choice);
            return true;
        });
    for (std::size_t state = 1; state < states && !stopped(); ++state) {
        Count* row = &table.devices[state * demands];
        for (const Block::Move& move : block.alone[state]) {
            const std::size_t branch = block.kinds[move.what].chain;
            const Count* own = &solve(branch, limit).devices[model_.chains[branch].count() * demands];
            const Count* rest = &table.devices[move.next * demands];
            for (std::size_t d = 0; d < demands; ++d) row[d] = std::min(row[d], static_cast<Count>(own[d] + rest[d]));
        }
        for (const Block::Move& move : block.together[state])
            for (const Choice& choice : choices_of[move.what]) {
                const Batch& batch = batches_[choice.batch];
                const auto own = static_cast<Count>(batch.sizes[choice.size].replicas);
                const Count* rest = &table.devices[move.next * demands];
                for (std::size_t d = 0; d < demands; ++d) {
                    const std::size_t asked = batch.next[d];
                    if (asked != 0 && demands_[asked].in_flight <= choice.most_in_flight && allowed(asked, limit))
                        row[d] = std::min(row[d], static_cast<Count>(own + rest[d]));
                }
            }
        for (std::size_t d = 0; d < demands; ++d)
            if (row[d] > options_.devices) row[d] = kNever;
    }
    return table;
}

void Search::add_nodes(std::size_t chain_id, std::uint32_t start, std::size_t from, std::size_t to, PlannedStage& stage) const {
    const Chain& chain = model_.chains[chain_id];
    for (std::uint32_t at = chain.elements[from].first; at < chain.elements[to - 1].last; ++at)
        stage.nodes.push_back(model_.order[start + at]);
}

void Search::trace(std::size_t chain_id, std::size_t limit, std::uint32_t start, std::size_t count, std::size_t demand, Split& split) {
    if (count == 0) return;
    const Chain& chain = model_.chains[chain_id];
    const Count devices = solve(chain_id, limit).devices[count * demand_count() + demand];
    std::optional<Ending> found;
    endings(chain_id, limit, count, [&](const Ending& ending) {
        if (!found && devices_of(sum_of(chain_id, limit, ending), demand) == devices) found = ending;
    });
    const Ending& ending = *found;
    PlannedStage stage;
    std::size_t asked = demand;
    if (ending.staged) {
        const Batch& batch = batches_[ending.choice.batch];
        asked = batch.next[demand];
        stage.replicas = batch.sizes[ending.choice.size].replicas;
        stage.micro_batch = batch.samples;
        split.time = std::max(split.time, ending.choice.time);
    }
    if (ending.block == kNone) {
        trace(chain_id, limit, start, ending.from, asked, split);
    } else {
        const std::size_t block_id = *chain.elements[ending.block].block;
        const Block& block = chain.blocks[block_id];
        Left left;
        for (const Block::Kind& kind : block.kinds) left.push_back(kind.offsets.size());
        const auto take = [&](std::size_t kind) { return start + block.kinds[kind].offsets[--left[kind]]; };
        trace(chain_id, limit, start, ending.block, ending.limit, split);
        if (ending.group != kNone) {
            const Block::Group& group = block.groups[ending.group];
            for (std::size_t i = 0; i < group.kinds.size(); ++i)
                for (std::size_t n = 0; n < group.counts[i]; ++n) {
                    const std::size_t branch = block.kinds[group.kinds[i]].chain;
                    add_nodes(branch, take(group.kinds[i]), 0, model_.chains[branch].count(), stage);
                }
        }
        std::optional<std::uint32_t> cut_branch;
        if (ending.kind != kNone) cut_branch = take(ending.kind);
        trace_block(chain_id, block_id, ending.limit, start, ending.state, left, asked, split);
        if (cut_branch) {
            const std::size_t branch = block.kinds[ending.kind].chain;
            trace(branch, ending.limit, *cut_branch, ending.cut, asked, split);
            add_nodes(branch, *cut_branch, ending.cut, model_.chains[branch].count(), stage);
        }
    }
    if (!ending.staged) return;
    add_nodes(chain_id, start, ending.from, count, stage);
    split.stages.push_back(std::move(stage));
}

void Search::trace_block(std::size_t chain_id, std::size_t block_id, std::size_t limit, std::uint32_t start, std::size_t state, Left left,
                         std::size_t demand, Split& split) {
    const Chain& chain = model_.chains[chain_id];
    const Block& block = chain.blocks[block_id];
    const std::vector<Count> devices = solve_block(chain_id, block_id, limit).devices;
    const auto at = [&](std::size_t of) { return devices[of * demand_count() + demand]; };
    while (state != 0) {
        bool moved = false;
        for (const Block::Move& move : block.alone[state]) {
            const std::size_t branch = block.kinds[move.what].chain, count = model_.chains[branch].count();
            if (solve(branch, limit).devices[count * demand_count() + demand] + at(move.next) != at(state)) continue;
            trace(branch, limit, start + block.kinds[move.what].offsets[--left[move.what]], count, demand, split);
            state = move.next;
            moved = true;
            break;
        }
        for (std::size_t m = 0; !moved && m < block.together[state].size(); ++m) {
            const Block::Move move = block.together[state][m];
            const Block::Group& group = block.groups[move.what];
            group_choices(groups_[first_block_[chain_id] + block_id][move.what], [&](const Choice& choice) {
                const Batch& batch = batches_[choice.batch];
                const std::size_t asked = batch.next[demand];
                const std::int64_t replicas = batch.sizes[choice.size].replicas;
                if (moved) return false;
                if (asked == 0 || demands_[asked].in_flight > choice.most_in_flight || !allowed(asked, limit) ||
                    replicas + at(move.next) != at(state))
                    return true;
                PlannedStage stage{.nodes = {}, .replicas = replicas, .micro_batch = batch.samples};
                for (std::size_t i = 0; i < group.kinds.size(); ++i)
                    for (std::size_t n = 0; n < group.counts[i]; ++n) {
                        const Block::Kind& kind = block.kinds[group.kinds[i]];
                        add_nodes(kind.chain, start + kind.offsets[--left[group.kinds[i]]], 0, model_.chains[kind.chain].count(), stage);
                    }
                split.stages.push_back(std::move(stage));
                split.time = std::max(split.time, choice.time);
                moved = true;
                return false;
            });
            if (moved) state = move.next;
        }
    }
}

std::optional<Split> Search::within(double time, std::optional<std::int64_t> memory, std::optional<std::int64_t> in_flight) {
    if (stopped()) return std::nullopt;
    target_ = time;
    const cost::TrainingDevice& device = problem_.classes[options_.device.index()];
    in_flight_ = in_flight.value_or(problem_.options.mini_batch);
    memory_ = memory ? memory : device.limited ? std::optional(device.memory.count) : std::nullopt;
    for (auto* tables : {&tables_, &block_tables_})
        for (Table& table : *tables) table.solved = false;
    const std::size_t root = model_.chains.size() - 1, count = model_.chains[root].count();
    const Count devices = solve(root, kNone).devices[count * demand_count()];
    if (stopped_ || devices > options_.devices) return std::nullopt;
    Split split;
    trace(root, kNone, 0, count, 0, split);
    return split;
}

}  // namespace sluice::training::graphpipe
