#include "cli/profiling.hpp"

#include <cstdlib>
#include <format>

#include "cli/machine.hpp"
#include "sluice/report/text.hpp"
#include "sluice/runtime/child.hpp"
#include "sluice/runtime/scratch.hpp"

namespace sluice::cli {

namespace {

constexpr double kFreeCores = 0.8;   // CPU time over wall time, a thread
constexpr double kNoisyShare = 0.01;  // of the time
constexpr double kUsualScale = 1.2;  // whole run over kernels: 1.04 to 1.06 on a quiet machine

/// Load average over the last minute; below zero: unknown.
double load() {
    double average = -1;
    return ::getloadavg(&average, 1) == 1 ? average : -1;
}

}  // namespace

Result<Profiled> profile_model(std::string_view model, const graph::Graph& graph, ProfilingOptions options) {
    auto worker = runtime::find_worker(options.run.worker);
    if (!worker) return fail(std::move(worker.error()));
    options.run.worker = std::move(*worker);
    auto folder = runtime::Scratch::make({}, "sluice-profile");
    if (!folder) return fail(std::move(folder.error()));
    auto file = onnx::materialise(model, options.weights, options.seed, folder->path(), options.run.stop);
    if (!file) return fail(std::move(file.error()));
    for (std::size_t t = 0; t < graph.tensor_count(); ++t)
        if (const graph::Tensor& tensor = graph[TensorId(t)]; !graph.producer(TensorId(t)).valid() && tensor.shape_known)
            options.run.shapes.emplace_back(tensor.name, tensor.shape);
    const double before = load();
    auto raw = runtime::profile(*file, options.run);
    if (!raw) return fail(std::move(raw.error()));
    auto mapped = runtime::map_kernels(graph, *raw);
    if (!mapped) return fail(std::move(mapped.error()));
    cost::MeasuredCosts costs = runtime::to_costs(graph, *raw, *mapped);
    costs.machine.emplace_back("cores", std::to_string(default_threads()));
    if (before >= 0) costs.machine.emplace_back("load", std::format("{:.2f}", before));
    return Profiled{std::move(*raw), std::move(*mapped), std::move(costs)};
}

std::vector<std::string> doubts_about(const Profiled& profiled) {
    std::vector<std::string> doubts;
    const runtime::RawProfile& raw = profiled.raw;
    const double free = raw.whole_cpu_us / (raw.whole_median_us * static_cast<double>(raw.threads));
    if (free < kFreeCores)
        doubts.push_back(std::format("the cores were not free: a run had {} of the time of its {}; minima are less sure then",
                                     report::percent(free), report::counted(static_cast<std::size_t>(raw.threads), "thread")));
    if (const double noisy = runtime::share_above(profiled.mapped, kNoisySpread); noisy > kNoisyShare)
        doubts.push_back(
            std::format("{} of the time is of operators whose median is more than {} above their minimum: measure again on a "
                        "quiet machine if that matters",
                        report::percent(noisy), report::percent(kNoisySpread)));
    if (profiled.mapped.scale > kUsualScale)
        doubts.push_back(
            std::format("a whole run takes {:.2f} times the sum of its kernels; 1.03 to 1.06 is usual", profiled.mapped.scale));
    if (profiled.mapped.scale < 1 / kUsualScale)
        doubts.push_back("its kernels are short for a profiler that counts whole microseconds: the total is right, shares are rough");
    return doubts;
}

}  // namespace sluice::cli
