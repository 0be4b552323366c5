#include "sluice/mcm/judge/allocation.hpp"

#include <algorithm>
#include <format>
#include <numeric>

namespace sluice::mcm {

namespace {

struct Hole {
    std::int64_t begin = 0, size = 0;
};

/// Free space below `end`, by address; above it everything is free.
class Arena {
public:
    std::int64_t take(std::int64_t size) {
        auto best = holes_.end();
        for (auto hole = holes_.begin(); hole != holes_.end(); ++hole)
            if (hole->size >= size && (best == holes_.end() || hole->size < best->size)) best = hole;
        if (best == holes_.end()) {
            // The last hole may reach the end: then only what is missing is new.
            if (!holes_.empty() && holes_.back().begin + holes_.back().size == end_) {
                const std::int64_t begin = holes_.back().begin;
                holes_.pop_back();
                end_ = begin + size;
                return begin;
            }
            end_ += size;
            return end_ - size;
        }
        const std::int64_t begin = best->begin;
        best->begin += size;
        best->size -= size;
        if (best->size == 0) holes_.erase(best);
        return begin;
    }
    void give_back(std::int64_t begin, std::int64_t size) {
        auto next = std::ranges::lower_bound(holes_, begin, {}, &Hole::begin);
        const bool joins_next = next != holes_.end() && begin + size == next->begin;
        if (next != holes_.begin() && std::prev(next)->begin + std::prev(next)->size == begin) {
            std::prev(next)->size += size + (joins_next ? next->size : 0);
            if (joins_next) holes_.erase(next);
        } else if (joins_next) {
            next->begin = begin;
            next->size += size;
        } else {
            holes_.insert(next, {begin, size});
        }
    }

private:
    std::vector<Hole> holes_;
    std::int64_t end_ = 0;
};

template <typename Key>
std::vector<std::uint32_t> sorted_by(std::span<const LiveTensor> tensors, Key key) {
    std::vector<std::uint32_t> order(tensors.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::stable_sort(order, {}, [&](std::uint32_t i) { return tensors[i].*key; });
    return order;
}

}  // namespace

Placement place_best_fit(std::span<const LiveTensor> tensors) {
    Placement placement{.offset = std::vector<Bytes>(tensors.size()), .end = {}};
    const auto starts = sorted_by(tensors, &LiveTensor::first), ends = sorted_by(tensors, &LiveTensor::last);
    Arena arena;
    std::size_t dropped = 0;
    for (const std::uint32_t i : starts) {
        for (; tensors[ends[dropped]].last < tensors[i].first; ++dropped)
            if (tensors[ends[dropped]].size.count > 0)
                arena.give_back(placement.offset[ends[dropped]].count, tensors[ends[dropped]].size.count);
        if (tensors[i].size.count > 0) placement.offset[i].count = arena.take(tensors[i].size.count);
        placement.end = std::max(placement.end, placement.offset[i] + tensors[i].size);
    }
    return placement;
}

Bytes live_peak(std::span<const LiveTensor> tensors) {
    std::uint32_t steps = 0;
    for (const LiveTensor& tensor : tensors) steps = std::max(steps, tensor.last + 1);
    std::vector<std::int64_t> change(steps + 1);
    for (const LiveTensor& tensor : tensors) {
        change[tensor.first] += tensor.size.count;
        change[tensor.last + 1] -= tensor.size.count;
    }
    std::int64_t alive = 0, most = 0;
    for (const std::int64_t difference : change) most = std::max(most, alive += difference);
    return {most};
}

std::optional<std::string> placement_fault(std::span<const LiveTensor> tensors, const Placement& placement, Bytes limit,
                                           std::int64_t alignment) {
    if (placement.offset.size() != tensors.size()) return "not every tensor has an offset";
    Bytes end;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        const std::int64_t begin = placement.offset[i].count, size = tensors[i].size.count;
        end = std::max(end, Bytes{begin + size});
        if (begin < 0 || begin + size > limit.count)
            return std::format("tensor {} lies at {} to {}, the memory ends at {}", i, begin, begin + size, limit.count);
        if (begin % alignment != 0) return std::format("tensor {} lies at {}, no multiple of {}", i, begin, alignment);
        for (std::size_t j = 0; j < i; ++j) {
            const bool together = tensors[i].first <= tensors[j].last && tensors[j].first <= tensors[i].last;
            const std::int64_t other = placement.offset[j].count;
            if (together && begin < other + tensors[j].size.count && other < begin + size)
                return std::format("tensors {} and {} are alive at once and share bytes from {}", j, i, std::max(begin, other));
        }
    }
    if (end > placement.end) return std::format("the highest tensor ends at {}, said was {}", end.count, placement.end.count);
    return std::nullopt;
}

}  // namespace sluice::mcm
