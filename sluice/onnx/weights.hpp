// A model that can run: its own weights when they are there, else made-up ones, so that a structure can be measured before it is trained.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string_view>

#include "sluice/base/diagnostic.hpp"

namespace sluice::onnx {

enum class WeightSource { file, random, zero };

/// A runnable ONNX file for MODEL (a path or zoo:NAME, which has random weights unless `zero`): `model` itself when its weights are to be
/// used and are all there; else NAME.onnx and its weight file in `folder` (made when absent; a packed .onnx.gz is unpacked there, with
/// links to its weights). Made up is what is not in the model file itself; small constants that are keep their values. Random: seeded by
/// `seed` and each initializer's name, near-normal, scaled by fan-in so that activations stay finite; integers are 0, booleans true at and
/// below the diagonal of their last two axes; the same bytes on every machine. Zero: a sparse file. A buffer of 1 MiB, never all the
/// weights. Diagnostics: weights asked from files that are absent or too short (file, tensor, what to do: --weights random); no room.
[[nodiscard]] Result<std::filesystem::path> materialise(std::string_view model, WeightSource weights, std::uint64_t seed,
                                                        const std::filesystem::path& folder, const std::stop_token& stop = {});

}  // namespace sluice::onnx
