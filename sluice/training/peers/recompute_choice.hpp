// Which nodes of a stage recompute, or use less memory in another way: a multiple-choice knapsack (Piper, NeurIPS 2021, section 4.2).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sluice/base/units.hpp"

namespace sluice::training {

/// One way to run a node on the devices of one tensor-parallel group, for one sample.
struct PiperChoice {
    Duration time{0};  // forward plus backward
    Bytes parameters;
    Bytes each, fixed;  // memory: A for every sample in flight, B beside
    friend bool operator==(const PiperChoice&, const PiperChoice&) = default;
};

/// Per node, what it may choose from; none of them empty.
using ChoiceLists = std::vector<std::span<const PiperChoice>>;

struct Choices {
    std::vector<std::size_t> chosen;  // per node
    Duration time{0};
    Bytes parameters;
};

/// The fastest; of equals that with the least memory for one sample.
[[nodiscard]] std::size_t fastest_choice(std::span<const PiperChoice> list);

/// The least time whose memory for so many samples in flight is within `memory`; nullopt: nothing fits. Exact up to twelve nodes that have
/// a choice; beyond, by time for a byte as far as needed, the last step the cheapest that suffices, what turned out needless undone.
/// Deterministic.
[[nodiscard]] std::optional<Choices> cheapest_choices(const ChoiceLists& lists, std::int64_t in_flight, Bytes memory);

}  // namespace sluice::training
