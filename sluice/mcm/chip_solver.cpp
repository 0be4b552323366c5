#include "sluice/mcm/chip_solver.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <deque>
#include <format>
#include <utility>

#include "sluice/mcm/chip_mask.hpp"

namespace sluice::mcm {

namespace {

constexpr std::size_t highest(std::uint64_t mask) { return 63 - static_cast<std::size_t>(std::countl_zero(mask)); }
constexpr std::uint64_t up_to(std::size_t chip) { return chip >= 63 ? ~std::uint64_t{0} : bit(chip + 1) - 1; }

constexpr std::size_t kLargestReach = std::size_t{64} << 20;

bool one_component(const cost::StageProblem& costs) {
    std::vector<char> seen(costs.node_count());
    std::vector<NodeId> open{NodeId(0)};
    seen[0] = 1;
    std::size_t count = 0;
    while (!open.empty()) {
        const std::size_t v = open.back().index();
        open.pop_back();
        ++count;
        for (const auto& row : {costs.predecessors[v], costs.successors[v]})
            for (const NodeId next : row)
                if (!std::exchange(seen[next.index()], 1)) open.push_back(next);
    }
    return count == costs.node_count();
}

bool each_feeds_the_next(const cost::StageProblem& costs) {
    for (std::size_t v = 0; v + 1 < costs.node_count(); ++v)
        if (!std::ranges::contains(costs.successors[v], NodeId(v + 1))) return false;
    return true;
}

Bytes parameters_in_use(const cost::StageProblem& costs) {
    Bytes sum;
    for (std::size_t w = 0; w < costs.weight_count(); ++w)
        if (!costs.weight_users[w].empty()) sum += costs.weight_bytes[w];
    return sum;
}

}  // namespace

ChipSolver::ChipSolver(const ChipProblem& problem)
    : problem_(&problem),
      nodes_(problem.node_count()),
      chips_(problem.chips),
      acyclic_(problem.rules.acyclic),
      adjacent_(problem.rules.adjacent),
      triangle_(problem.rules.triangle && !problem.rules.relay),
      prefix_(problem.rules.no_skip),
      nogoods_(problem.node_count()) {
    assert(nodes_ > 0 && chips_ >= 1 && chips_ <= kMostChips);
    choose_form();
    domain_.assign(nodes_, everything());
    chip_.assign(nodes_, kOpen);
    queue_.assign(nodes_, 0);
    queued_.assign(nodes_, 0);
    holders_.assign(chips_, static_cast<std::uint32_t>(nodes_));
    used_.assign(chips_, 0);
    if (triangle_) {
        transfers_.assign(chips_ * chips_, 0);
        hops_.assign(chips_, 0);
        no_target_.assign(chips_, 0);
        no_source_.assign(chips_, 0);
    }
    const cost::StageProblem& costs = *problem.costs;
    const Bytes total = parameters_in_use(costs);
    if (problem.rules.memory && problem.sram && *problem.sram < total) {
        memory_ = true;
        sram_ = *problem.sram;
        unplaced_ = total;
        own_.assign(nodes_, {});
        load_.assign(chips_, {});
        for (std::size_t v = 0; v < nodes_; ++v) {
            for (const WeightId weight : costs.weights[v]) own_[v] += costs.weight_bytes[weight.index()];
            if (own_[v] > Bytes{}) heavy_.push_back(static_cast<std::uint32_t>(v));
        }
        std::ranges::stable_sort(heavy_, [&](std::uint32_t a, std::uint32_t b) { return own_[a] > own_[b]; });
        weight_chips_.assign(costs.weight_count(), 0);
        weight_uses_.assign(costs.weight_count() * chips_, 0);
    }
    for (const auto& nogood : problem.nogoods) learn(nogood);
    if (problem.nogoods.empty()) start();
}

void ChipSolver::choose_form() {
    const cost::StageProblem& costs = *problem_->costs;
    const bool total = acyclic_ && triangle_ && prefix_ && each_feeds_the_next(costs);
    if (acyclic_ && (chips_ <= 2 || total)) adjacent_ = true;
    if (!acyclic_ || !adjacent_) return;
    triangle_ = false;
    if (!prefix_ || !one_component(costs)) return;
    prefix_ = false;
    anchor_ = true;
    measure_anchors();
}

/// The difference constraints say: forward along an edge one chip more at most, backward none. So a walk's forward edges bound how far on
/// its end can be.
void ChipSolver::measure_anchors() {
    const cost::StageProblem& costs = *problem_->costs;
    for (std::size_t v = 0; v < nodes_; ++v)
        if (costs.predecessors[v].empty()) sources_.push_back(static_cast<std::uint32_t>(v));
    if (sources_.size() * nodes_ > kLargestReach) return;
    constexpr std::uint8_t kFar = 255;
    reach_.assign(sources_.size() * nodes_, 0);
    least_reach_.assign(nodes_, kFar);
    std::vector<std::uint8_t> distance;
    std::deque<std::uint32_t> open;
    for (std::size_t s = 0; s < sources_.size(); ++s) {
        distance.assign(nodes_, kFar);
        distance[sources_[s]] = 0;
        open.push_back(sources_[s]);
        while (!open.empty()) {
            const std::uint32_t v = open.front();
            open.pop_front();
            for (const NodeId before : costs.predecessors[v])
                if (distance[before.index()] > distance[v]) {
                    distance[before.index()] = distance[v];
                    open.push_front(static_cast<std::uint32_t>(before.index()));
                }
            const auto further = static_cast<std::uint8_t>(std::min<std::size_t>(distance[v] + 1U, kMostChips - 1));
            for (const NodeId after : costs.successors[v])
                if (distance[after.index()] > further) {
                    distance[after.index()] = further;
                    open.push_back(static_cast<std::uint32_t>(after.index()));
                }
        }
        for (std::size_t v = 0; v < nodes_; ++v) {
            reach_[v * sources_.size() + s] = distance[v];
            least_reach_[v] = std::min(least_reach_[v], distance[v]);
        }
    }
}

void ChipSolver::start() {
    undo(0, 0);
    levels_.clear();
    for (std::size_t v = 0; v < nodes_; ++v) {
        queue_[v] = static_cast<std::uint32_t>(v);
        queued_[v] = 1;
    }
    queue_head_ = 0;
    queue_size_ = nodes_;
    if (memory_) memory_due_ = everything();
    consistent_ = propagate() && (!alone_.valid() || fail("nogood", alone_));
    first_change_ = changes_.size();
    first_placed_ = placed_.size();
}

std::uint64_t ChipSolver::domain(NodeId node) const {
    const std::size_t v = node.index();
    const std::uint64_t mask = domain_[v];
    if (reach_.empty() || mask == 0 || highest(mask) <= least_reach_[v] || domain_[sources_[on_chip_0_]] == 1) return mask;
    std::size_t furthest = 0;
    for (std::size_t s = 0; s < sources_.size(); ++s) {
        const std::uint64_t source = domain_[sources_[s]];
        if (source == 1) return mask;
        if ((source & 1) != 0) furthest = std::max<std::size_t>(furthest, reach_[v * sources_.size() + s]);
    }
    return mask & up_to(furthest);
}

std::optional<std::size_t> ChipSolver::restrict(NodeId node, std::uint64_t mask) {
    if (!consistent_) return std::nullopt;
    const std::size_t v = node.index();
    if ((domain_[v] & mask) == 0) return depth();
    ++counts_.decisions;
    levels_.push_back({static_cast<std::uint32_t>(v), mask, changes_.size(), placed_.size()});
    if (narrow(v, mask, "decision") && propagate()) return depth();
    for (;;) {
        const Level failed = levels_.back();
        levels_.pop_back();
        ++counts_.backtracks;
        undo(failed.changes, failed.placed);
        if (narrow(failed.node, ~failed.mask, conflict_.rule, conflict_.other) && propagate()) return depth();
        if (levels_.empty()) {
            consistent_ = false;
            return std::nullopt;
        }
    }
}

void ChipSolver::reset() {
    if (!consistent_) return start();
    undo(first_change_, first_placed_);
    levels_.clear();
}

void ChipSolver::learn(std::vector<NodeId> nogood) {
    undo(0, 0);  // the members to watch must be open
    std::ranges::sort(nogood);
    nogood.erase(std::ranges::unique(nogood).begin(), nogood.end());
    assert(!nogood.empty());
    if (nogood.size() > 1)
        nogoods_.add(nogood);
    else
        alone_ = nogood.front();
    start();
}

void ChipSolver::undo(std::size_t changes, std::size_t placed) {
    while (placed_.size() > placed) {
        unplace(placed_.back());
        placed_.pop_back();
    }
    while (changes_.size() > changes) {
        const auto [node, before] = changes_.back();
        changes_.pop_back();
        if (prefix_)
            for (std::uint64_t back = before & ~domain_[node]; back != 0; back &= back - 1) ++holders_[lowest(back)];
        domain_[node] = before;
    }
    // What stands was propagated to its end.
    triangle_due_ = false;
    memory_due_ = 0;
}

bool ChipSolver::fail(std::string_view rule, NodeId node, NodeId other) {
    conflict_ = {rule, node, other};
    return false;
}

bool ChipSolver::narrow(std::size_t node, std::uint64_t mask, std::string_view rule, NodeId other) {
    const std::uint64_t before = domain_[node], after = before & mask;
    if (after == before) return true;
    if (after == 0) return fail(rule, NodeId(node), other);
    ++counts_.propagations;
    changes_.push_back({static_cast<std::uint32_t>(node), before});
    domain_[node] = after;
    if (prefix_)
        for (std::uint64_t gone = before & ~after; gone != 0; gone &= gone - 1) --holders_[lowest(gone)];
    if (!queued_[node]) {
        queued_[node] = 1;
        std::size_t end = queue_head_ + queue_size_++;
        if (end >= nodes_) end -= nodes_;
        queue_[end] = static_cast<std::uint32_t>(node);
    }
    return true;
}

bool ChipSolver::propagate() {
    const bool consistent = settle();
    for (; queue_size_ > 0; --queue_size_) {
        queued_[queue_[queue_head_]] = 0;
        if (++queue_head_ == nodes_) queue_head_ = 0;
    }
    return consistent;
}

bool ChipSolver::settle() {
    do {
        while (queue_size_ > 0) {
            const std::size_t v = queue_[queue_head_];
            if (++queue_head_ == nodes_) queue_head_ = 0;
            --queue_size_;
            queued_[v] = 0;
            if (std::has_single_bit(domain_[v]) && chip_[v] == kOpen && !place(v)) return false;
            if ((acyclic_ || adjacent_) && !bounds(v)) return false;
        }
        if (triangle_due_ && !triangle_everywhere()) return false;
        if (queue_size_ == 0 && prefix_ && !prefix()) return false;
        if (queue_size_ == 0 && memory_due_ != 0 && !memory()) return false;
    } while (queue_size_ > 0);
    return !anchor_ || anchored();
}

bool ChipSolver::bounds(std::size_t v) {
    const std::uint64_t mask = domain_[v];
    const std::size_t low = lowest(mask), high = highest(mask);
    std::uint64_t after = ~std::uint64_t{0}, before = ~std::uint64_t{0};
    if (acyclic_) after &= ~below(low), before &= up_to(high);
    if (adjacent_) after &= up_to(high + 1), before &= ~below(low == 0 ? 0 : low - 1);
    for (const NodeId next : problem_->costs->successors[v])
        if (!narrow(next.index(), after, "order", NodeId(v))) return false;
    for (const NodeId previous : problem_->costs->predecessors[v])
        if (!narrow(previous.index(), before, "order", NodeId(v))) return false;
    return true;
}

/// All books are kept before anything can fail, so that unplace() finds them whole.
bool ChipSolver::place(std::size_t v) {
    const cost::StageProblem& costs = *problem_->costs;
    const std::size_t chip = lowest(domain_[v]);
    chip_[v] = static_cast<std::uint8_t>(chip);
    placed_.push_back(static_cast<std::uint32_t>(v));
    ++used_[chip];
    if (anchor_ && chip == 0 && costs.predecessors[v].empty())
        on_chip_0_ = static_cast<std::size_t>(std::ranges::lower_bound(sources_, v) - sources_.begin());
    if (triangle_) {
        const auto connect = [&](std::size_t from, std::size_t to) {
            if (from == to || transfers_[from * chips_ + to]++ != 0) return;
            hops_[from] |= bit(to);
            chip_graph_changed_ = triangle_due_ = true;
        };
        for (const NodeId next : costs.successors[v])
            if (decided(next)) connect(chip, chip_[next.index()]);
        for (const NodeId previous : costs.predecessors[v])
            if (decided(previous)) connect(chip_[previous.index()], chip);
    }
    if (memory_)
        for (const WeightId weight : costs.weights[v]) {
            const std::size_t w = weight.index();
            if (weight_uses_[w * chips_ + chip]++ != 0) continue;
            load_[chip] += costs.weight_bytes[w];
            memory_due_ |= bit(chip);
            if (weight_chips_[w]++ == 0) unplaced_ -= costs.weight_bytes[w];
        }

    if (memory_ && load_[chip] > sram_) return fail("memory", NodeId(v));
    return near_nogoods(v) && (!triangle_ || triangle_around(v));
}

void ChipSolver::unplace(std::size_t v) {
    const cost::StageProblem& costs = *problem_->costs;
    const std::size_t chip = chip_[v];
    chip_[v] = kOpen;
    --used_[chip];
    if (triangle_) {
        const auto disconnect = [&](std::size_t from, std::size_t to) {
            if (from == to || --transfers_[from * chips_ + to] != 0) return;
            hops_[from] &= ~bit(to);
            chip_graph_changed_ = true;
        };
        for (const NodeId next : costs.successors[v])
            if (decided(next)) disconnect(chip, chip_[next.index()]);
        for (const NodeId previous : costs.predecessors[v])
            if (decided(previous)) disconnect(chip_[previous.index()], chip);
    }
    if (memory_)
        for (const WeightId weight : costs.weights[v]) {
            const std::size_t w = weight.index();
            if (--weight_uses_[w * chips_ + chip] != 0) continue;
            load_[chip] -= costs.weight_bytes[w];
            if (--weight_chips_[w] == 0) unplaced_ += costs.weight_bytes[w];
        }
}

bool ChipSolver::near_nogoods(std::size_t v) {
    return std::ranges::all_of(nogoods_.place(NodeId(v), chip_),
                               [&](const Nogoods::Last& last) { return narrow(last.node.index(), ~bit(chip_[v]), "nogood", NodeId(v)); });
}

/// A transfer a -> b that is new closes a triangle if a longer way leads from a to b, or it lies on a way x ~> a -> b ~> y beside a
/// transfer x -> y. That holds, too, if b leads back to a: for x = b, and y any chip that b feeds.
void ChipSolver::close_chip_graph() {
    chip_graph_changed_ = false;
    chip_graph_wrong_ = false;
    std::array<std::uint64_t, kMostChips> reached{};  // in one hop or more
    std::ranges::copy(hops_, reached.begin());
    for (std::size_t via = 0; via < chips_; ++via) {
        if (reached[via] == 0) continue;
        for (std::size_t from = 0; from < chips_; ++from)
            if ((reached[from] >> via & 1) != 0) reached[from] |= reached[via];
    }
    std::ranges::fill(no_source_, 0);
    for (std::size_t a = 0; a < chips_; ++a) {
        std::uint64_t longer = 0, beside = hops_[a];  // targets in two hops or more; targets of a and of those that lead to it
        for (std::uint64_t targets = hops_[a]; targets != 0; targets &= targets - 1) longer |= reached[lowest(targets)];
        for (std::size_t x = 0; x < chips_; ++x)
            if ((reached[x] >> a & 1) != 0) beside |= hops_[x];
        chip_graph_wrong_ = chip_graph_wrong_ || (hops_[a] & longer) != 0;
        std::uint64_t refused = longer;
        for (std::size_t b = 0; b < chips_; ++b)
            if (((reached[b] | bit(b)) & beside) != 0) refused |= bit(b);
        no_target_[a] = refused & ~hops_[a] & ~bit(a);
        for (std::uint64_t targets = no_target_[a]; targets != 0; targets &= targets - 1) no_source_[lowest(targets)] |= bit(a);
    }
}

bool ChipSolver::triangle_around(std::size_t v) {
    if (chip_graph_changed_) close_chip_graph();
    if (chip_graph_wrong_) return fail("triangle", NodeId(v));
    for (const NodeId next : problem_->costs->successors[v])
        if (!decided(next) && !narrow(next.index(), ~no_target_[chip_[v]], "triangle", NodeId(v))) return false;
    for (const NodeId previous : problem_->costs->predecessors[v])
        if (!decided(previous) && !narrow(previous.index(), ~no_source_[chip_[v]], "triangle", NodeId(v))) return false;
    return true;
}

bool ChipSolver::triangle_everywhere() {
    triangle_due_ = false;
    return std::ranges::all_of(placed_, [&](std::uint32_t v) { return triangle_around(v); });
}

bool ChipSolver::prefix() {
    const std::size_t open = nodes_ - placed_.size();
    std::uint64_t used = 0;
    for (std::size_t d = 0; d < chips_; ++d)
        if (used_[d] != 0) used |= bit(d);
    const std::uint64_t wanted = used == 0 ? 0 : below(highest(used)) & ~used;
    if (static_cast<std::size_t>(std::popcount(wanted)) > open) return fail("no_skip", NodeId(placed_.back()));
    for (std::uint64_t rest = wanted; rest != 0; rest &= rest - 1) {
        const std::size_t chip = lowest(rest);
        if (holders_[chip] == 0) return fail("no_skip", NodeId(placed_.back()));
        if (holders_[chip] > 1) continue;
        const auto holder = std::ranges::find_if(domain_, [&](std::uint64_t mask) { return (mask & bit(chip)) != 0; });
        if (!narrow(static_cast<std::size_t>(holder - domain_.begin()), bit(chip), "no_skip")) return false;
    }
    // Whoever goes to a chip leaves it to the others to fill those before.
    std::size_t end = 0;
    for (std::size_t missing = 0; end < chips_; ++end) {
        if (used_[end] != 0) continue;
        if (holders_[end] == 0 || missing + 1 > open) break;
        ++missing;
    }
    const bool reaches_further =
        std::any_of(holders_.begin() + static_cast<std::ptrdiff_t>(end), holders_.end(), [](std::uint32_t count) { return count != 0; });
    for (std::size_t v = 0; reaches_further && v < nodes_; ++v)
        if (!narrow(v, below(end), "no_skip")) return false;
    return true;
}

Bytes ChipSolver::missing_bytes(std::size_t v, std::size_t chip) const {
    Bytes sum;
    for (const WeightId weight : problem_->costs->weights[v])
        if (weight_uses_[weight.index() * chips_ + chip] == 0) sum += problem_->costs->weight_bytes[weight.index()];
    return sum;
}

bool ChipSolver::memory() {
    Bytes free;
    for (const Bytes load : load_) free += sram_ - load;
    if (unplaced_ > free) return fail("memory");
    for (std::uint64_t due = std::exchange(memory_due_, 0); due != 0; due &= due - 1) {
        const std::size_t chip = lowest(due);
        const Bytes left = sram_ - load_[chip];
        for (const std::uint32_t v : heavy_) {
            if (own_[v] <= left) break;
            if (chip_[v] == kOpen && (domain_[v] & bit(chip)) != 0 && missing_bytes(v, chip) > left && !narrow(v, ~bit(chip), "memory"))
                return false;
        }
    }
    return true;
}

bool ChipSolver::anchored() {
    const auto can = [&](std::size_t s) { return (domain_[sources_[s]] & 1) != 0; };
    if (can(maybe_on_chip_0_)) return true;
    for (std::size_t s = 0; s < sources_.size(); ++s)
        if (can(s)) {
            maybe_on_chip_0_ = s;
            return true;
        }
    return fail("no_skip", NodeId(sources_.front()));
}

Diagnostic ChipSolver::why() const {
    const auto name = [&](NodeId node) { return std::format("'{}'", problem_->names[node.index()]); };
    Diagnostic diagnostic{DiagnosticKind::infeasible, {}, {}, {}, {}};
    if (memory_ && !heavy_.empty() && own_[heavy_.front()] > sram_) {
        diagnostic.message = std::format("{} needs {} of parameters, a chip has {}", name(NodeId(heavy_.front())),
                                         to_text(own_[heavy_.front()]), to_text(sram_));
        diagnostic.help = "chips with more memory, or split the operator";
        return diagnostic;
    }
    const Bytes total = parameters_in_use(*problem_->costs);
    if (memory_ && total.count > sram_.count * static_cast<std::int64_t>(chips_)) {
        diagnostic.message = std::format("{} of parameters do not fit {} chips of {}", to_text(total), chips_, to_text(sram_));
        diagnostic.help = "more chips, or chips with more memory";
        return diagnostic;
    }
    diagnostic.message =
        std::format("{} operators cannot lie on {} {} as the rules want it", nodes_, chips_, chips_ == 1 ? "chip" : "chips");
    std::string note = std::format("rule {} was the last to fail", conflict_.rule);
    if (conflict_.node.valid()) note += std::format(", at {}", name(conflict_.node));
    if (conflict_.other.valid()) note += std::format(" beside {}", name(conflict_.other));
    diagnostic.notes.push_back(std::move(note));
    return diagnostic;
}

}  // namespace sluice::mcm
