// Measured costs of a model on this machine: what `profile` and `demo` share. MODEL's weights, then the worker's profiler, then operators.
#pragma once

#include <stop_token>
#include <string_view>

#include "sluice/cost/measured.hpp"
#include "sluice/graph/graph.hpp"
#include "sluice/onnx/load_model.hpp"
#include "sluice/onnx/weights.hpp"
#include "sluice/runtime/map_kernels.hpp"
#include "sluice/runtime/profile.hpp"

namespace sluice::cli {

struct ProfilingOptions {
    onnx::WeightSource weights = onnx::WeightSource::file;
    std::uint64_t seed = 0;
    runtime::ProfileOptions run;  // shapes are filled in from the graph
    double patience = 30;  // seconds: on a busy machine the measurement is repeated, five times at most, for up to so long; minima are kept
};

struct Profiled {
    runtime::RawProfile raw;
    runtime::MappedKernels mapped;
    cost::MeasuredCosts costs;
};

/// `graph`: the import of `model`, an ONNX file or zoo:NAME. Temporary files under $TMPDIR, gone at the end.
[[nodiscard]] Result<Profiled> profile_model(std::string_view model, const graph::Graph& graph, ProfilingOptions options);

/// Median over minimum, less 1, beyond which a time is called noisy.
inline constexpr double kNoisySpread = 0.25;

/// What a user must know before trusting the times: cores that were not free, spread, a run far from the sum of its kernels.
[[nodiscard]] std::vector<std::string> doubts_about(const Profiled& profiled);

}  // namespace sluice::cli
