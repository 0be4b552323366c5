// Models of about 2,000 operators: what each polynomial bound, and covering with its first effort, takes to
// prove, unaided, and its certificate to check. One thread.
#include <benchmark/benchmark.h>

#include <format>
#include <string>

#include "sluice/bound/check_certificate.hpp"
#include "sluice/bound/registry.hpp"
#include "sluice/onnx/load_model.hpp"

namespace sluice {
namespace {

constexpr std::int64_t kBoundStages = 16;

cost::StageProblem problem_of_model(const std::string& model) {
    return cost::freeze(onnx::load_model(model)->graph, *platform::load_platform("asic-16"), kBoundStages)->problem;
}

void prove(benchmark::State& state, const std::string& kind, const std::string& model) {
    const auto problem = problem_of_model(model);
    const auto& bound = *bound::find_bound(kind).value();
    SilentObserver observer;
    for (auto _ : state) benchmark::DoNotOptimize(bound.prove(problem, {.stages = kBoundStages}, observer, {}));
}

void check(benchmark::State& state, const std::string& kind, const std::string& model) {
    const auto problem = problem_of_model(model);
    SilentObserver observer;
    const auto result = bound::find_bound(kind).value()->prove(problem, {.stages = kBoundStages}, observer, {});
    for (auto _ : state)
        if (!bound::check_certificate(problem, result->certificate).empty()) state.SkipWithError("refused");
}

[[maybe_unused]] const bool bounds_registered = [] {
    for (const std::string model : {"moe:layers=16", "bert-large:layers=56", "random-sp:operators=2000", "random-er:operators=2000"})
        for (const std::string kind : {"combinatorial", "cut", "chain", "counting", "covering"}) {
            const std::string zoo = "zoo:" + model;
            benchmark::RegisterBenchmark(std::format("bound/{}/{}", kind, model), prove, kind, zoo)->Unit(benchmark::kMillisecond);
            benchmark::RegisterBenchmark(std::format("check/{}/{}", kind, model), check, kind, zoo)->Unit(benchmark::kMillisecond);
        }
    return true;
}();

}  // namespace
}  // namespace sluice
