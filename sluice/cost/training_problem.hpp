// The frozen problem of a training plan (design §3.3): the structure of a StageProblem, and for every node what its forward pass, the
// gradient of its input and the gradient of its weights take at any micro-batch size, what it keeps in between, what its weights need.
//
// A sample is one entry of the model's batch dimension. An operator's pass over s samples takes
//     max(arithmetic fixed + s per sample, memory fixed + s per sample) + launch,
// which is the roofline with the efficiency curve of cost/analytic.hpp: with R rows a sample, s / (rows / (rows + half_rows)) = s +
// half_rows / R. Each of the numbers is rounded up to picoseconds once; everything downstream is integer.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/csr.hpp"
#include "sluice/base/diagnostic.hpp"
#include "sluice/base/ids.hpp"
#include "sluice/base/units.hpp"
#include "sluice/cost/stage_problem.hpp"
#include "sluice/graph/graph.hpp"
#include "sluice/platform/platform.hpp"

namespace sluice::cost {

/// Most samples of a mini-batch.
inline constexpr std::int64_t kLargestMiniBatch = std::int64_t{1} << 24;

/// What is kept for each parameter beside the parameter and its gradient.
enum class Optimizer : std::uint8_t {
    sgd,        // nothing
    momentum,   // a moment in the parameter's type
    adam,       // two moments in the parameter's type
    adam_mixed  // a copy of the parameter and two moments in f32, the parameter and its gradient in bf16 (Micikevicius et al., ICLR 2018)
};
inline constexpr std::array kOptimizers{Optimizer::sgd, Optimizer::momentum, Optimizer::adam, Optimizer::adam_mixed};
[[nodiscard]] std::string_view to_text(Optimizer optimizer);
[[nodiscard]] std::optional<Optimizer> optimizer_of(std::string_view text);

struct TrainingOptions {
    std::int64_t mini_batch = 0;  // samples; 1 to kLargestMiniBatch
    Optimizer optimizer = Optimizer::adam;
    friend bool operator==(const TrainingOptions&, const TrainingOptions&) = default;
};

/// Picoseconds of one pass of one operator over s samples; all zero: there is none.
struct PassCost {
    std::int64_t arithmetic_fixed = 0, arithmetic_per_sample = 0;
    std::int64_t memory_fixed = 0, memory_per_sample = 0;
    std::int64_t launch = 0;
    [[nodiscard]] Duration at(std::int64_t samples) const {
        const std::int64_t arithmetic = arithmetic_fixed + samples * arithmetic_per_sample;
        const std::int64_t memory = memory_fixed + samples * memory_per_sample;
        return Duration{(arithmetic > memory ? arithmetic : memory) + launch};
    }
    PassCost& operator+=(const PassCost& other) {
        arithmetic_fixed += other.arithmetic_fixed;
        arithmetic_per_sample += other.arithmetic_per_sample;
        memory_fixed += other.memory_fixed;
        memory_per_sample += other.memory_per_sample;
        launch += other.launch;
        return *this;
    }
    friend bool operator==(const PassCost&, const PassCost&) = default;
};

/// The three passes; also sums of them.
struct PassTimes {
    Duration forward{0}, input_gradient{0}, weight_gradient{0};
    PassTimes& operator+=(const PassTimes& other) {
        forward += other.forward;
        input_gradient += other.input_gradient;
        weight_gradient += other.weight_gradient;
        return *this;
    }
    [[nodiscard]] Duration total() const { return forward + input_gradient + weight_gradient; }
    friend bool operator==(const PassTimes&, const PassTimes&) = default;
};

struct OperatorPasses {
    PassCost forward, input_gradient, weight_gradient;
    [[nodiscard]] PassTimes at(std::int64_t samples) const {
        return {forward.at(samples), input_gradient.at(samples), weight_gradient.at(samples)};
    }
    OperatorPasses& operator+=(const OperatorPasses& other) {
        forward += other.forward;
        input_gradient += other.input_gradient;
        weight_gradient += other.weight_gradient;
        return *this;
    }
    friend bool operator==(const OperatorPasses&, const OperatorPasses&) = default;
};

/// How devices of a platform reach each other: those of one node by `inside`, others by `between`.
struct Interconnect {
    std::int64_t devices_per_node = 0;  // 0: all devices are in one node
    platform::Link inside, between;
    friend bool operator==(const Interconnect&, const Interconnect&) = default;
};

struct TrainingDevice {
    Rows<OperatorPasses> passes;  // per node, one for each of its operators
    bool limited = false;         // memory is a hard limit
    Bytes memory;
    ByteRate memory_rate{0};  // 0: unknown, the optimiser's step is free
};

struct TrainingProblem {
    StageProblem structure;  // its work, transfer and bytes are those of the forward pass over the whole batch that the model file holds
    TrainingOptions options;
    std::int64_t file_batch = 1;  // samples of the model file
    std::vector<TrainingDevice> classes;
    Interconnect interconnect;
    // Per node, bytes for one sample: from the forward pass to the gradient of the input, and from there to the gradient of the weights
    std::vector<Bytes> kept, kept_for_weights;
    // Per edge: whether a gradient comes back (1: something upstream is trained), bytes for one sample of the tensor and of its gradient
    std::vector<char> has_gradient;
    std::vector<Bytes> activation, gradient;
    // Per weight: the parameter, its gradient and the optimiser's state; and the gradient alone. A parameter that is not trained has the
    // first alone.
    std::vector<Bytes> state, weight_gradient;
    std::string fingerprint;  // of everything above that times and memory depend on

    [[nodiscard]] std::size_t node_count() const { return structure.node_count(); }
};

struct FrozenTraining {
    TrainingProblem problem;
    ProblemReport report;
    std::optional<MeasuredCosts> costs;  // those that apply: what a plan must hold to be verified
};

/// Times of every node on a device class for `samples` at a time on one device; O(operators). Zero where the class does not support a node.
[[nodiscard]] std::vector<PassTimes> pass_times(const TrainingProblem& problem, ClassId device, std::int64_t samples);

/// How many samples the model file holds: the leading dimension of its first input of two dimensions or more, else of its first input,
/// else 1.
[[nodiscard]] std::int64_t batch_of(const graph::Graph& graph);

/// With given costs a sample is what the profile timed: times are proportional, and where the file has no backward times each gradient
/// takes what the forward pass takes. A parameter is trained when it is of a floating-point type. Diagnostics: those of freeze(); a
/// platform whose links have no rate; a mini-batch out of range, or times and bytes of a whole one beyond kLargestTotal. Measured costs
/// replace the passes of the operators they name (cost/training_times.hpp: measured_passes), on the class that they are for.
[[nodiscard]] Result<FrozenTraining> freeze_training(const graph::Graph& graph, const platform::Platform& platform,
                                                     const TrainingOptions& options, const MeasuredCosts* measured = nullptr);

}  // namespace sluice::cost
