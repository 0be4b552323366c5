// The model zoo: generators of ONNX models by name and size (`zoo:mmt:branches=2,layers=8`).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/diagnostic.hpp"

namespace sluice::onnx {

struct ZooParameter {
    std::string_view name;
    std::int64_t value;  // default
    std::string_view meaning;
};

struct ZooEntry {
    std::string_view name;
    std::string_view description;  // one line
    std::vector<ZooParameter> parameters;
};

enum class ZooWeights { none, random };

[[nodiscard]] std::span<const ZooEntry> zoo_entries();

/// A serialised ModelProto for `specification` = NAME[:key=value,…] (with or without "zoo:"). With no weights, initializers over 1 KiB are
/// external and absent ("weights.bin", page-aligned); with random weights they are seeded, near-normal, of a scale that keeps activations
/// finite, and embedded. Smaller ones always have their values. The same specification and seed give the same bytes on every machine.
/// Diagnostics: unknown name or key (nearest match), a size that makes no model, a result beyond 2 GiB (zoo_write has no such limit).
[[nodiscard]] Result<std::string> zoo_bytes(std::string_view specification, ZooWeights weights = ZooWeights::none, std::uint64_t seed = 0);

/// Writes the model to `path`; random weights go to `path`.weights as external data when they exceed 64 MiB, through a buffer of 1 MiB.
/// Both files appear whole or not at all. Diagnostics as above, and: no room on the disk (said first), a path that is no file, a stop.
[[nodiscard]] Result<void> zoo_write(std::string_view specification, ZooWeights weights, std::uint64_t seed,
                                     const std::filesystem::path& path, const std::stop_token& stop = {});

/// With random weights, always beside the model in `path`.weights, where zoo_bytes without weights says that they are.
[[nodiscard]] Result<void> zoo_write_external(std::string_view specification, std::uint64_t seed, const std::filesystem::path& path,
                                              const std::stop_token& stop = {});

}  // namespace sluice::onnx
