// Private to this layer. What the three passes of an operator take at any number of samples (cost/training_problem.hpp).
#pragma once

#include <optional>

#include "sluice/cost/measured.hpp"
#include "sluice/cost/training_problem.hpp"

namespace sluice::cost {

/// Which gradients an operator computes.
struct Trained {
    bool input = false;    // something upstream is trained
    bool weights = false;  // it has a parameter that is
};

/// By the roofline:
///   forward          reads inputs and parameters, writes outputs
///   input gradient   reads the outputs' gradients, the parameters and (beside matrix products) what was kept, writes the inputs' gradients
///   weight gradient  reads the outputs' gradients and what was kept, writes the parameters' gradients
/// each with its own arithmetic and a launch of its own. `batch` samples are what the features are for. nullopt: more than kLargestTotal
/// for one sample, or arithmetic without any rate.
[[nodiscard]] std::optional<OperatorPasses> analytic_passes(const graph::Graph& graph, OperatorId id, const platform::Platform& platform,
                                                            const platform::DeviceClass& device, std::int64_t batch, Trained trained);

/// `forward` and `backward` (none: as long as forward, for each gradient) of what the profile calls a batch, here one sample.
[[nodiscard]] OperatorPasses given_passes(Duration forward, std::optional<Duration> backward, Trained trained);

/// The passes of an entry of measured costs, `modelled` without them; `batch` samples are what entry.time is for.
/// - Of one number of samples: the modelled pass, slowed down (or sped up) to what was measured; proportional where the model has none.
/// - Of several: the greater of two straight lines, neither of which gains on the samples, that meet at one of these; chosen so that the
///   largest relative deviation from what was measured is least.
/// - Of a gradient nothing: the modelled one, slowed down as the forward pass is; as long as that where the model has none.
struct MeasuredFit {
    OperatorPasses passes;
    std::int64_t deviation = 0;  // the largest, in thousandths of what was measured
};
/// nullopt: longer than can be counted.
[[nodiscard]] std::optional<MeasuredFit> measured_passes(const MeasuredEntry& entry, const OperatorPasses& modelled, Trained trained,
                                                         std::int64_t batch);

[[nodiscard]] bool is_floating(graph::DataType type);
/// Per operator of the graph.
[[nodiscard]] std::vector<Trained> trained_operators(const graph::Graph& graph);
/// Per tensor: whether it has a gradient.
[[nodiscard]] std::vector<char> tensors_with_gradient(const graph::Graph& graph);

}  // namespace sluice::cost
