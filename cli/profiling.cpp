#include "cli/profiling.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <format>

#include "cli/machine.hpp"
#include "sluice/report/text.hpp"
#include "sluice/runtime/child.hpp"
#include "sluice/runtime/scratch.hpp"

namespace sluice::cli {

namespace {

constexpr double kFreeCores = 0.8;  // CPU over wall time of one thread; several wait for each other too, and are not judged by it
constexpr int kMostRounds = 5;
constexpr double kShortKernel = 20;   // microseconds, on average
constexpr double kNoisyShare = 0.01;  // of the time
constexpr double kUsualScale = 1.2;   // whole run over kernels: 1.04 to 1.06 on a quiet machine

/// Load average over the last minute; below zero: unknown.
double load() {
    double average = -1;
    return ::getloadavg(&average, 1) == 1 ? average : -1;
}

double free_share(const runtime::RawProfile& raw) { return raw.threads == 1 ? raw.whole_cpu_us / raw.whole_min_us : 1; }

/// Other work on the machine makes times longer, never shorter: of two measurements of the same kernels the lesser time is nearer.
void keep_least(runtime::RawProfile& best, const runtime::RawProfile& other) {
    const auto same = [](const runtime::RawKernel& a, const runtime::RawKernel& b) { return a.name == b.name && a.outputs == b.outputs; };
    if (!std::ranges::equal(best.kernels, other.kernels, same)) return;
    const auto keep = [](double& a, double b) { a = std::min(a, b); };
    for (std::size_t k = 0; k < best.kernels.size(); ++k) {
        keep(best.kernels[k].min_us, other.kernels[k].min_us);
        keep(best.kernels[k].median_us, other.kernels[k].median_us);
        best.kernels[k].runs += other.kernels[k].runs;
    }
    for (double runtime::RawProfile::* time :
         {&runtime::RawProfile::whole_min_us, &runtime::RawProfile::whole_median_us, &runtime::RawProfile::whole_cpu_us,
          &runtime::RawProfile::profiled_min_us, &runtime::RawProfile::profiled_median_us})
        keep(best.*time, other.*time);
    best.runs += other.runs;
}

bool short_kernels(const runtime::RawProfile& raw, const runtime::MappedKernels& mapped) {
    return mapped.kernels_us < kShortKernel * static_cast<double>(raw.kernels.size());
}

/// Kernels were slowed down by something else on the machine.
bool disturbed(const runtime::RawProfile& raw, const runtime::MappedKernels& mapped) {
    return free_share(raw) < kFreeCores || runtime::share_above(mapped, kNoisySpread) > kNoisyShare ||
           (mapped.scale < 1 / kUsualScale && !short_kernels(raw, mapped));
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
    const auto start = std::chrono::steady_clock::now();
    auto raw = runtime::profile(*file, options.run);
    if (!raw) return fail(std::move(raw.error()));
    auto mapped = runtime::map_kernels(graph, *raw);
    for (int rounds = 1; mapped && rounds < kMostRounds && disturbed(*raw, *mapped); ++rounds) {
        const double spent = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (spent + spent / rounds > options.patience) break;
        auto again = runtime::profile(*file, options.run);
        if (!again) return fail(std::move(again.error()));
        keep_least(*raw, *again);
        mapped = runtime::map_kernels(graph, *raw);
    }
    if (!mapped) return fail(std::move(mapped.error()));
    cost::MeasuredCosts costs = runtime::to_costs(graph, *raw, *mapped);
    costs.machine.emplace_back("cores", std::to_string(default_threads()));
    if (before >= 0) costs.machine.emplace_back("load", std::format("{:.2f}", before));
    return Profiled{std::move(*raw), std::move(*mapped), std::move(costs)};
}

std::vector<std::string> doubts_about(const Profiled& profiled) {
    std::vector<std::string> doubts;
    const runtime::RawProfile& raw = profiled.raw;
    if (const double free = free_share(raw); free < kFreeCores)
        doubts.push_back(std::format("the core was not free: the best run was on it for {} of its time", report::percent(free)));
    if (const double noisy = runtime::share_above(profiled.mapped, kNoisySpread); noisy > kNoisyShare)
        doubts.push_back(
            std::format("{} of the time is of operators whose median is more than {} above their minimum: measure again on a "
                        "quiet machine if that matters",
                        report::percent(noisy), report::percent(kNoisySpread)));
    const double scale = profiled.mapped.scale;
    if (scale <= kUsualScale && scale >= 1 / kUsualScale) return doubts;
    if (short_kernels(raw, profiled.mapped))
        doubts.emplace_back("its kernels are short for a profiler that counts whole microseconds: the total is right, shares are rough");
    else if (scale > 1)
        doubts.push_back(std::format("a whole run takes {:.2f} times the sum of its kernels; 1.03 to 1.06 is usual", scale));
    else
        doubts.push_back(
            std::format("the kernels take {:.2f} times a whole run: something else ran while they were timed; the total is right, "
                        "shares are rough",
                        1 / scale));
    return doubts;
}

}  // namespace sluice::cli
