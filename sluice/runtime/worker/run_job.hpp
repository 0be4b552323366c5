// One rank of a job from its start to its end, whatever carries its messages.
#pragma once

#include <functional>

#include "sluice/onnx/manifest.hpp"
#include "sluice/runtime/job.hpp"
#include "sluice/runtime/messages.hpp"
#include "sluice/runtime/transport.hpp"
#include "sluice/runtime/worker/clock.hpp"

namespace sluice::runtime {

struct RankOptions {
    StopWatch since_main;
    std::function<void(const WorkerMessage&)> say;  // from any thread; whole lines
    std::stop_token drain;                          // rank 0: feed no further input, deliver what is under way
};

/// Makes the session or opens the files; warms up; measures each stage alone, ranks in turn; says Ready; runs; says Finished. A failure is
/// returned, with the input that was under way, not said; the other ranks then wait for this one until their process is ended.
[[nodiscard]] std::expected<void, Failed> run_rank(const Job& job, const onnx::Manifest& manifest, Transport& transport,
                                                   const RankOptions& options);

}  // namespace sluice::runtime
