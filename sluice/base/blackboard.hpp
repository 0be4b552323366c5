// What planner and bound tell each other while both run: the best bottleneck found, the best bound proven. Lock-free; only ever improves.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <optional>

#include "sluice/base/units.hpp"

namespace sluice {

class Blackboard {
public:
    void found(Duration objective) { lower(best_, objective.count()); }
    void proved(Duration bound) { raise(bound_, bound.count()); }
    [[nodiscard]] std::optional<Duration> best() const {
        const std::int64_t best = best_.load(std::memory_order_relaxed);
        return best == kNone ? std::nullopt : std::optional(Duration{best});
    }
    [[nodiscard]] Duration bound() const { return Duration{bound_.load(std::memory_order_relaxed)}; }

private:
    static constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
    static void lower(std::atomic<std::int64_t>& to, std::int64_t value) {
        for (std::int64_t known = to.load(); value < known && !to.compare_exchange_weak(known, value);) {}
    }
    static void raise(std::atomic<std::int64_t>& to, std::int64_t value) {
        for (std::int64_t known = to.load(); value > known && !to.compare_exchange_weak(known, value);) {}
    }
    std::atomic<std::int64_t> best_{kNone}, bound_{0};
};

}  // namespace sluice
