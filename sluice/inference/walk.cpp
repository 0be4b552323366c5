#include "sluice/inference/walk.hpp"

#include <algorithm>
#include <bit>

#include "sluice/search/poll.hpp"

namespace sluice::inference {

namespace {

__extension__ typedef unsigned __int128 UnsignedWide;

constexpr int kFraction = 32;       // bits of an energy behind the point
constexpr int kSquarings = 5;       // (time / T)^32
constexpr std::size_t kGroup = 64;  // nodes of a group at most
constexpr std::int64_t kProposalsBetweenPolls = 256;

/// About -log2 of a uniform number, 16 bits behind the point: how much heat a step may take.
std::int64_t exponential(RandomStream& random) {
    const std::uint64_t bits = random() | 1;
    const int zeros = std::countl_zero(bits);
    const std::uint64_t mantissa = (bits << zeros) << 1 >> 48;
    return (std::int64_t{zeros} << 16) + (65536 - static_cast<std::int64_t>(mantissa));
}

}  // namespace

Walker::Walker(const cost::StageProblem& problem) : problem_(&problem), moves_(problem), slicer_(problem), seen_(problem.node_count()) {
    for (const auto& device : problem.classes) hard_ = hard_ || device.overflow == cost::Overflow::hard;
}

std::int64_t Walker::energy_of(std::int64_t time) const {
    // Beyond 7/4 T all are equally bad: 26 more bits hold its 32nd power.
    constexpr std::uint64_t kMost = std::uint64_t{7} << (kFraction - 2);
    auto ratio = static_cast<std::uint64_t>(std::min<UnsignedWide>((UnsignedWide(time) << kFraction) / UnsignedWide(scale_), kMost));
    for (int i = 0; i < kSquarings; ++i) ratio = static_cast<std::uint64_t>((UnsignedWide(ratio) * ratio) >> kFraction);
    return static_cast<std::int64_t>(ratio);
}

bool Walker::propose_one(NodeId node, bool up, RandomStream& random) {
    const std::size_t from = moves_.stage_of(node);
    std::size_t to = up ? from + 1 : from - 1;
    if (random.below(4) == 0) {
        const auto range = moves_.range_of(node);
        to = up ? from + 1 + random.below(range.high - from) : from - 1 - random.below(from - range.low);
    }
    if (!moves_.supported(node, to)) return false;
    moves_.move(node, to);
    return true;
}

/// A node some steps inside its stage, with all between it and the border, to the next stage.
bool Walker::propose_group(NodeId node, bool up, RandomStream& random) {
    const std::size_t from = moves_.stage_of(node), to = up ? from + 1 : from - 1;
    const auto& inward = up ? problem_->predecessors : problem_->successors;
    const auto& outward = up ? problem_->successors : problem_->predecessors;
    for (std::size_t steps = 1 + random.below(std::uint64_t{2} << random.below(5)); steps-- > 0;) {
        const auto row = inward[node.index()];
        if (row.empty()) break;
        const NodeId next = row[random.below(row.size())];
        if (moves_.stage_of(next) != from) break;
        node = next;
    }
    if (++group_number_ == 0) std::ranges::fill(seen_, 0), ++group_number_;
    group_.assign(1, node);
    seen_[node.index()] = group_number_;
    for (std::size_t i = 0; i < group_.size(); ++i) {
        if (!moves_.supported(group_[i], to)) return false;
        for (NodeId next : outward[group_[i].index()]) {
            if (moves_.stage_of(next) != from || seen_[next.index()] == group_number_) continue;
            if (group_.size() == kGroup) return false;
            seen_[next.index()] = group_number_;
            group_.push_back(next);
        }
    }
    // Those nearest to the border first, so that every move is within its range: numbers are topological.
    std::ranges::sort(group_, [&](NodeId a, NodeId b) { return up ? a > b : a < b; });
    for (NodeId member : group_) moves_.move(member, to);
    return true;
}

/// Some other node the other way, where there is one.
void Walker::propose_return(NodeId moved, std::size_t stage, std::size_t to, RandomStream& random) {
    const auto border = moves_.border(stage);
    for (int tries = 0; tries < 4 && !border.empty(); ++tries) {
        const NodeId node = border[random.below(border.size())];
        if (node == moved || moves_.stage_of(node) != stage || !moves_.supported(node, to)) continue;
        const auto range = moves_.range_of(node);
        if (to < range.low || to > range.high) continue;
        moves_.move(node, to);
        return;
    }
}

bool Walker::propose(RandomStream& random) {
    const std::size_t stage = random.below(2) == 0 ? hottest_ : random.below(moves_.stage_count());
    const auto border = moves_.border(stage);
    if (border.empty()) return false;
    const NodeId node = border[random.below(border.size())];
    const bool can_up = moves_.can_go_up(node), can_down = moves_.can_go_down(node);
    const bool up = can_up && can_down ? random.below(2) == 0 : can_up;
    const std::uint64_t kind = random.below(16);
    if (kind < 6) return propose_group(node, up, random);
    if (!propose_one(node, up, random)) return false;
    if (kind < 9) propose_return(node, moves_.stage_of(node), stage, random);
    return true;
}

Walked Walker::walk(const cost::Partition& start, const WalkOptions& options, RandomStream& random, const Limits& limits) {
    moves_.assign(start, options.devices);
    time_.resize(moves_.stage_count());
    energy_.resize(moves_.stage_count());
    for (std::size_t s = 0; s < time_.size(); ++s) time_[s] = moves_.time(s).count();
    hottest_ = static_cast<std::size_t>(std::ranges::max_element(time_) - time_.begin());
    std::int64_t best = time_[hottest_];
    Walked walked{start, Duration{best}, 0};
    if (best == 0) return walked;
    scale_ = best;
    for (std::size_t s = 0; s < time_.size(); ++s) energy_[s] = energy_of(time_[s]);
    bool improved = false;
    const std::int64_t first_heat = (std::int64_t{1} << kFraction) >> options.coolness;
    std::int64_t heat = first_heat;
    for (std::int64_t attempts = 8 * options.proposals; walked.proposals < options.proposals && attempts > 0; --attempts) {
        if (!propose(random)) {
            if (!moves_.changed().empty()) moves_.take_back();
            continue;
        }
        if (++walked.proposals % kProposalsBetweenPolls == 0) {
            if (search::must_stop(limits)) break;
            heat = static_cast<std::int64_t>(UnsignedWide(first_heat) * UnsignedWide(options.proposals - walked.proposals) /
                                             UnsignedWide(options.proposals));
        }
        std::int64_t change = 0;
        bool cooler = false;  // the hottest stage may have changed
        for (std::size_t s : moves_.changed()) {
            change += energy_of(moves_.time(s).count()) - energy_[s];
            cooler = cooler || s == hottest_;
        }
        if ((change > 0 && change > static_cast<std::int64_t>((UnsignedWide(heat) * UnsignedWide(exponential(random))) >> 16)) ||
            (hard_ && !moves_.holds())) {
            moves_.take_back();
            continue;
        }
        for (std::size_t s : moves_.changed()) {
            time_[s] = moves_.time(s).count();
            energy_[s] = energy_of(time_[s]);
            if (time_[s] > time_[hottest_]) hottest_ = s;
        }
        moves_.keep();
        if (cooler) hottest_ = static_cast<std::size_t>(std::ranges::max_element(time_) - time_.begin());
        if (time_[hottest_] < best) {
            best = time_[hottest_];
            best_.assign(moves_.stages_of_nodes().begin(), moves_.stages_of_nodes().end());
            improved = true;
        }
    }
    if (improved) {
        walked.partition = moves_.partition(best_);
        walked.bottleneck = Duration{best};
    }
    walked.last.assign(moves_.stages_of_nodes().begin(), moves_.stages_of_nodes().end());
    return walked;
}

cost::Partition Walker::kick(const cost::Partition& start, std::int64_t devices, std::size_t moves, RandomStream& random) {
    moves_.assign(start, devices);
    for (std::size_t i = 0; i < moves; ++i) {
        hottest_ = random.below(moves_.stage_count());
        if (propose(random) && (!hard_ || moves_.holds()))
            moves_.keep();
        else
            moves_.take_back();
    }
    return moves_.partition();
}

std::optional<cost::Partition> Walker::slice_by(std::span<const NodeId> base, std::span<const std::uint32_t> keys,
                                                const search::SliceOptions& slicing) {
    std::uint32_t largest = 0;
    for (std::uint32_t key : keys) largest = std::max(largest, key);
    starts_.assign(std::size_t{largest} + 2, 0);
    for (NodeId node : base) ++starts_[keys[node.index()] + 1];
    for (std::size_t key = 1; key < starts_.size(); ++key) starts_[key] += starts_[key - 1];
    sorted_.resize(base.size());
    for (NodeId node : base) sorted_[starts_[keys[node.index()]]++] = node;
    return slicer_.slice(sorted_, slicing);
}

}  // namespace sluice::inference
