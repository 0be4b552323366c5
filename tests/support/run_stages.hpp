// Exported stages run one after the other in ONNX Runtime and compared with the model they were cut from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/graph/graph.hpp"
#include "sluice/onnx/manifest.hpp"

namespace sluice::test {

/// Every operator in exactly one of `stages` convex stages, or fewer: a random topological order of the whole graph, cut at random places,
/// so that branches interleave and the stage graph is no chain. Operators that are replicated for free are in none.
[[nodiscard]] std::vector<std::vector<OperatorId>> random_stages(const graph::Graph& graph, std::size_t stages, RandomStream& random);

/// What the manifest lists as a stage's inputs is what its operators read from outside, no more and no less: these are what a program
/// sends. Throws std::runtime_error.
void check_borders(const graph::Graph& graph, const std::vector<std::vector<OperatorId>>& stages, const onnx::Manifest& manifest);

struct Comparison {
    std::size_t tensors = 0;     // model outputs that stages make
    std::size_t values = 0;      // in them
    std::size_t not_finite = 0;  // of the unsplit model's
    bool bitwise = true;
    double worst = 0;  // largest |difference| of a tensor, relative to the largest magnitude in it
    std::string worst_tensor;
    double spread = 2;  // least (largest value - smallest) / largest magnitude of a tensor: 0 where equality would say nothing
};

/// The unsplit model's outputs on made-up inputs: kept, so that several partitions can be held against them.
class Reference {
public:
    Reference(const std::filesystem::path& model, int level, std::uint64_t seed);
    ~Reference();
    Reference(Reference&&) noexcept;
    Reference& operator=(Reference&&) = delete;

    /// Throws what ONNX Runtime throws, and std::runtime_error where a stage's files do not say what its manifest says.
    [[nodiscard]] Comparison compare(const std::filesystem::path& folder, const onnx::Manifest& manifest) const;

private:
    struct State;
    State* state_;
};

}  // namespace sluice::test
