// A policy: the shape of its network, its weights, and where they came from. One flat array of floats with named parts, so that training,
// file and forward pass agree by construction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/diagnostic.hpp"

namespace sluice::mcm::policy {

/// What the network says of a node. categorical: one number a chip, for one number of chips (Xie et al.). ordinal: a place in the pipeline
/// and a spread around it, for any number of chips.
enum class Head : std::uint8_t { categorical, ordinal };
[[nodiscard]] std::string_view to_text(Head head);

inline constexpr float kNarrow = 0.37F, kWide = 1.33F;  // spreads, in chips

struct Architecture {
    Head head = Head::ordinal;
    std::uint32_t layers = 4;
    std::uint32_t width = 64;
    std::uint32_t passes = 1;  // over the whole graph, each seeing what the one before made of it
    std::uint32_t chips = 0;   // categorical: how many. ordinal: 0
    float spread = kNarrow;    // ordinal: before anything is learned
    friend bool operator==(const Architecture&, const Architecture&) = default;
};

/// Diagnostic when a size is out of range: what a reader checks before it makes room.
[[nodiscard]] Result<void> check(const Architecture& architecture);

/// A matrix, rows x columns, stored by rows from `offset` on; a vector has one row.
struct Part {
    std::string name;
    std::size_t offset = 0, rows = 0, columns = 0;
};
[[nodiscard]] std::vector<Part> parts_of(const Architecture& architecture);
[[nodiscard]] std::size_t weight_count(const Architecture& architecture);
[[nodiscard]] std::size_t outputs_of(const Architecture& architecture);

struct Provenance {
    std::string corpus;   // what it was trained on
    std::string command;  // what makes it again
    std::uint64_t seed = 0;
    std::uint64_t updates = 0;
    std::string note;  // anything else: figures on held-out graphs
    friend bool operator==(const Provenance&, const Provenance&) = default;
};

struct Policy {
    Architecture architecture;
    std::vector<float> weights;
    Provenance provenance;
    friend bool operator==(const Policy&, const Policy&) = default;
};

/// Untrained: He-uniform weights, the last layer 0, so that it starts as its prior (ordinal: positions by work; categorical: even).
/// The same for a seed everywhere. The architecture is one that check() accepts.
[[nodiscard]] Policy fresh_policy(const Architecture& architecture, std::uint64_t seed);

/// With an ordinal head: positions by work again, as untrained, and the spreads as learnt. A position is an integral over all that comes
/// before it, so what was learnt of it elsewhere is mostly wrong here; how sure equal work is, is not (notes/mcm-policy.md §5).
[[nodiscard]] Policy without_places(Policy policy);

/// The one that comes with sluice: zero-shot on any problem. Made by the command in its provenance (docs/how-to/policy.md).
[[nodiscard]] const Policy& shipped_policy();

}  // namespace sluice::mcm::policy
