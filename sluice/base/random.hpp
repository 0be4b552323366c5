// Random streams that give the same numbers on every machine: the standard distributions do not promise that.
// Source: xoshiro256** 1.0 (Blackman and Vigna 2018), seeded by splitmix64. Deterministic.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

namespace sluice {

class RandomStream {
public:
    using result_type = std::uint64_t;

    /// Streams of one seed with different numbers are independent: one per individual, order or worker.
    explicit RandomStream(std::uint64_t seed, std::uint64_t stream = 0);

    std::uint64_t operator()();
    static constexpr std::uint64_t min() { return 0; }
    static constexpr std::uint64_t max() { return std::numeric_limits<std::uint64_t>::max(); }

    /// Uniform in [0, count); count > 0. Lemire's method, no bias.
    std::uint64_t below(std::uint64_t count);
    /// Uniform in [low, high], both included.
    std::int64_t between(std::int64_t low, std::int64_t high);
    /// Uniform in [0, 1) with 53 bits.
    double unit();
    bool chance(double probability) { return unit() < probability; }

    template <typename T>
    void shuffle(std::span<T> items) {
        for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
    }

private:
    std::array<std::uint64_t, 4> state_{};
};

}  // namespace sluice
