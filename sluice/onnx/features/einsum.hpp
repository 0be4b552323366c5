// The equation of Einsum as a sequence of pairwise steps, operands left to right (as most runtimes evaluate it): a label is summed in the
// first step after which neither the output nor a later operand names it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace sluice::onnx::features {

struct EinsumStep {
    double volume = 0;       // product of the sizes of all labels in the step
    double rows = 0;         // of the matrix product: product of the sizes that the left operand gives to the result
    bool binary = false;     // two operands; false: one operand summed or permuted
    bool contracts = false;  // some label is summed away
};

/// nullopt when the equation does not parse or does not fit the shapes.
[[nodiscard]] std::optional<std::vector<EinsumStep>> einsum_steps(std::string_view equation,
                                                                  std::span<const std::span<const std::int64_t>> shapes);

}  // namespace sluice::onnx::features
