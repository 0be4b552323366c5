// Inputs for a model nobody gave inputs for: valid for its operators, the same on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "sluice/runtime/element_type.hpp"

namespace sluice::runtime {

/// Fills a tensor called `name`, of the made-up input `index`. Floating point: uniform in [-1, 1). Integers: 0 and 1 at random, which are
/// token ids, positions and class numbers in any table. Booleans, and whatever is called a mask: 1. Deterministic.
void make_up(const ElementType& type, std::string_view name, std::uint64_t seed, std::int64_t index, std::span<std::byte> data);

}  // namespace sluice::runtime
