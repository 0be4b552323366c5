// What single parts of the multi-chip job are worth, on one model under the event simulator: rows of JSON for run_mcm.py.
//   samplers  SAMPLE with each rule off, in each walk order, from the equal-work prior with each spread; and the same rows without the
//             solver, each operator's chip drawn by itself. The paper's four rules, clones of what is shared, no relays
//   residual  method `residual` where the judge tells chip times, and where it tells throughput alone. All rewrites
//
// usage: bench_mcm samplers|residual MODEL PLATFORM SEED COUNT     COUNT: samples a row, or evaluations
#include <chrono>
#include <cstdio>
#include <exception>
#include <format>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "sluice/mcm/chip_faults.hpp"
#include "sluice/mcm/judge/event_judge.hpp"
#include "sluice/mcm/judge/fitting_judge.hpp"
#include "sluice/mcm/registry.hpp"
#include "sluice/mcm/sample.hpp"
#include "sluice/mcm/search/cuts.hpp"
#include "sluice/mcm/search/random_search.hpp"
#include "sluice/onnx/load_model.hpp"
#include "sluice/solve/chips.hpp"

namespace sluice {
namespace {

using mcm::Assignment;

template <typename T>
T value_of(Result<T> result) {
    if (!result) throw std::runtime_error(to_text(result.error()));
    return std::move(*result);
}

class ThroughputAlone final : public mcm::Judge {
public:
    explicit ThroughputAlone(std::unique_ptr<mcm::Judge> judge) : judge_(std::move(judge)) {}
    Result<mcm::Verdict> judge(std::span<const std::uint8_t> assignment) override {
        auto verdict = judge_->judge(assignment);
        if (verdict) verdict->chip_times.clear();
        return verdict;
    }

private:
    std::unique_ptr<mcm::Judge> judge_;
};

std::unique_ptr<mcm::Judge> simulator(const solve::PreparedChips& prepared) {
    return value_of(mcm::fitting_judge(prepared.problem, value_of(mcm::event_judge(prepared.graph, prepared.problem, prepared.platform))));
}

struct Tally {
    std::int64_t drawn = 0, none = 0, legal = 0, compiled = 0;
    std::optional<Duration> best;
    double seconds = 0;  // of drawing
};

/// `draw`: nullopt where it gives up.
Tally tally(const mcm::ChipProblem& problem, mcm::Judge& judge, std::int64_t count,
            const std::function<std::optional<Assignment>(std::uint64_t)>& draw) {
    Tally tally;
    for (std::int64_t i = 0; i < count; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        const auto chips = draw(static_cast<std::uint64_t>(i));
        tally.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        ++tally.drawn;
        if (!chips) {
            ++tally.none;
            continue;
        }
        tally.legal += mcm::chip_faults(problem, *chips).empty();
        const mcm::Verdict verdict = value_of(judge.judge(*chips));
        if (!verdict.fits()) continue;
        ++tally.compiled;
        if (!tally.best || verdict.period < *tally.best) tally.best = verdict.period;
    }
    return tally;
}

void print(std::string_view ablation, std::string_view variant, std::string_view rows, const Tally& tally) {
    std::cout
        << std::format(
               R"({{"ablation": "{}", "variant": "{}", "rows": "{}", "drawn": {}, "none": {}, "legal": {}, "compiled": {}, "best_ps": {}, "seconds": {:.6f}}})",
               ablation, variant, rows, tally.drawn, tally.none, tally.legal, tally.compiled,
               tally.best ? std::to_string(tally.best->count()) : "null", tally.seconds)
        << std::endl;
}

void samplers(const graph::Graph& model, const platform::Platform& platform, std::uint64_t seed, std::int64_t count) {
    SilentObserver observer;
    const auto prepared =
        value_of(solve::prepare_chips(model, platform, nullptr, 0, {.clone = true, .recompute = false, .relay = false}, observer));
    const mcm::ChipProblem& problem = prepared->problem;
    const auto judge = simulator(*prepared);
    const auto& costs = *problem.costs;
    const auto own = mcm::known_orders(costs).front();
    const std::vector<float> uniform, prior = mcm::equal_work_prior(problem, own, 0.25);
    const auto drawn = [&](const mcm::ChipProblem& under, const std::vector<float>& rows, mcm::WalkOrder walk) {
        auto solver = std::make_shared<mcm::ChipSolver>(under);
        return [&rows, &costs, seed, walk, solver](std::uint64_t i) -> std::optional<Assignment> {
            RandomStream random(seed, i);
            const auto order = mcm::walk_order(costs, walk, random);
            auto sample = mcm::sample(*solver, rows, order, random);
            if (!sample) return std::nullopt;
            return std::move(sample->chips);
        };
    };
    const auto both = [&](std::string_view ablation, std::string_view variant, const mcm::ChipProblem& under, mcm::WalkOrder walk) {
        print(ablation, variant, "uniform", tally(problem, *judge, count, drawn(under, uniform, walk)));
        print(ablation, variant, "equal work", tally(problem, *judge, count, drawn(under, prior, walk)));
    };
    both("rules", "all four", problem, mcm::WalkOrder::bisection);
    for (const auto& [name, rule] : {std::pair{"no acyclic", &mcm::Rules::acyclic},
                                     {"no no-skip", &mcm::Rules::no_skip},
                                     {"no triangle", &mcm::Rules::triangle},
                                     {"no memory", &mcm::Rules::memory}}) {
        mcm::ChipProblem without = problem;
        without.rules.*rule = false;
        both("rules", name, without, mcm::WalkOrder::bisection);
    }
    mcm::ChipProblem adjacent = problem;
    adjacent.rules.adjacent = true;
    both("rules", "adjacent, too", adjacent, mcm::WalkOrder::bisection);
    for (const bool even : {true, false})
        print("solver", "no solver", even ? "uniform" : "equal work", tally(problem, *judge, count, [&](std::uint64_t i) {
                  RandomStream random(seed, i);
                  Assignment chips(problem.node_count());
                  for (std::size_t v = 0; v < chips.size(); ++v) {
                      double total = 0, at = 0;
                      for (std::size_t d = 0; d < problem.chips; ++d) total += even ? 1.0 : prior[v * problem.chips + d];
                      const double wanted = random.unit() * total;
                      for (std::size_t d = 0; d < problem.chips && at <= wanted; ++d) {
                          at += even ? 1.0 : prior[v * problem.chips + d];
                          chips[v] = static_cast<std::uint8_t>(d);
                      }
                  }
                  return std::optional(std::move(chips));
              }));
    for (const mcm::WalkOrder walk : mcm::kWalkOrders) both("walk order", mcm::to_text(walk), adjacent, walk);
    for (const double spread : {0.05, 0.1, 0.25, 0.37, 0.66, 1.33, 2.66}) {
        const auto rows = mcm::equal_work_prior(problem, own, spread);
        print("spread", std::format("{} chips", spread), "equal work",
              tally(problem, *judge, count, drawn(adjacent, rows, mcm::WalkOrder::bisection)));
    }
}

void residual(const graph::Graph& model, const platform::Platform& platform, std::uint64_t seed, std::int64_t evaluations) {
    SilentObserver observer;
    const auto prepared = value_of(solve::prepare_chips(model, platform, nullptr, 0, {}, observer));
    for (const bool times : {true, false}) {
        auto judge = simulator(*prepared);
        if (!times) judge = std::make_unique<ThroughputAlone>(std::move(judge));
        Limits limits;
        limits.evaluations = evaluations;
        const auto begin = std::chrono::steady_clock::now();
        const auto found = value_of(
            value_of(mcm::find_planner("residual"))->plan(prepared->problem, {.seed = seed, .judge = judge.get()}, observer, limits));
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        std::string curve;
        for (const auto& point : found.curve)
            curve += std::format("{}[{}, {}]", curve.empty() ? "" : ", ", point.evaluations, point.period.count());
        std::cout << std::format(R"({{"ablation": "residual", "variant": "{}", "curve": [{}], "seconds": {:.3f}}})",
                                 times ? "chip times" : "throughput alone", curve, seconds)
                  << std::endl;
    }
}

int run(const std::vector<std::string>& words) {
    if (words.size() != 5 || (words[0] != "samplers" && words[0] != "residual")) {
        std::cerr << "usage: bench_mcm samplers|residual MODEL PLATFORM SEED COUNT\n";
        return 2;
    }
    const auto model = value_of(onnx::load_model(words[1]));
    const auto platform = value_of(platform::load_platform(words[2]));
    (words[0] == "samplers" ? samplers : residual)(model.graph, platform, std::stoull(words[3]), std::stoll(words[4]));
    return 0;
}

}  // namespace
}  // namespace sluice

int main(int count, char** words) {
    try {
        return sluice::run({words + 1, words + count});
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << '\n';
        return 1;
    }
}
