// Sets of chips as words: bit c is chip c.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace sluice::mcm {

[[nodiscard]] constexpr std::uint64_t bit(std::size_t chip) { return std::uint64_t{1} << chip; }
/// Needs a chip.
[[nodiscard]] constexpr std::size_t lowest(std::uint64_t mask) { return static_cast<std::size_t>(std::countr_zero(mask)); }

/// f(std::uint32_t chip) for every chip, ascending.
template <typename F>
void for_each_chip(std::uint64_t mask, F&& f) {
    for (; mask != 0; mask &= mask - 1) f(static_cast<std::uint32_t>(std::countr_zero(mask)));
}

}  // namespace sluice::mcm
