#include "sluice/inference/plan_by_orders.hpp"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <format>
#include <limits>
#include <optional>

#include "sluice/inference/feasibility.hpp"
#include "sluice/inference/incumbent.hpp"
#include "sluice/search/poll.hpp"
#include "sluice/search/slice.hpp"

namespace sluice::inference {

namespace {

constexpr std::size_t kBatch = 8;  // fixed: results must not depend on the number of threads

/// Enough orders to profit from chance, few enough that the largest models stay within seconds.
std::int64_t default_evaluations(std::size_t nodes) {
    return std::clamp<std::int64_t>(1'000'000 / static_cast<std::int64_t>(nodes + 1), 64, 512);
}

Diagnostic nothing_found(const cost::StageProblem& problem, std::int64_t stages, std::int64_t evaluations) {
    Diagnostic diagnostic = input_error(std::format("no feasible plan found for {} stages in {} orders", stages, evaluations))
                                .fix("use more stages or devices with more memory, or raise --evals or --time");
    for (const auto& device : problem.classes)
        if (device.overflow == cost::Overflow::hard)
            diagnostic.notes.push_back(
                std::format("class '{}': {} devices with a hard limit of {}", device.name, device.count, to_text(device.fast_memory)));
    diagnostic.notes.emplace_back("this is no proof that none exists");
    return diagnostic;
}

}  // namespace

Result<PlannerResult> plan_by_orders(const cost::StageProblem& problem, std::span<const OrderKind> first,
                                     std::span<const OrderKind> perturbed, const PlannerOptions& options, Observer& observer,
                                     const Limits& limits) {
    if (options.stages < 1) return fail(usage_error(std::format("{} stages: at least 1 is needed", options.stages)));
    if (options.max_replicas < 1) return fail(usage_error(std::format("{} replicas: at least 1 is needed", options.max_replicas)));
    if (problem.node_count() == 0) return fail(input_error("nothing to plan: the model has no operators"));
    if (auto proof = prove_infeasible(problem, options.stages)) return fail(*std::move(proof));
    if (auto possible = search::sliceable(problem, options.stages, options.max_replicas); !possible) return fail(possible.error());

    const auto began = std::chrono::steady_clock::now();
    const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(); };
    const std::int64_t fixed = static_cast<std::int64_t>(first.size());
    const std::int64_t usual = options.until_limit && limits.deadline ? std::numeric_limits<std::int64_t>::max()
                                                                      : std::max(fixed, default_evaluations(problem.node_count()));
    std::int64_t wanted = limits.evaluations.value_or(usual);
    if (perturbed.empty()) wanted = std::min(wanted, fixed);

    const OrderMaker maker(problem);
    const auto kind_of = [&](std::int64_t i) {
        return i < fixed ? first[static_cast<std::size_t>(i)] : perturbed[static_cast<std::size_t>(i - fixed) % perturbed.size()];
    };
    const auto order_of = [&](std::int64_t i) {
        if (i < fixed && kind_of(i) != OrderKind::random) return maker.make(kind_of(i), nullptr);
        RandomStream random(options.seed, static_cast<std::uint64_t>(i));
        return maker.make(kind_of(i), &random);
    };

    PlannerResult result;
    std::optional<Duration> best;
    tbb::task_arena arena(std::max(options.threads, 1));
    std::vector<std::optional<search::Slicer>> slicers(static_cast<std::size_t>(arena.max_concurrency()));  // one per thread
    double signed_at = 0;
    std::int64_t done = 0;
    const auto take = [&](cost::Partition partition, std::string winner) {
        best = price(problem, partition).bottleneck;
        result.partition = std::move(partition);
        result.winner = std::move(winner);
        observer.on_event({signed_at = seconds(), "orders", best, std::nullopt, result.winner});
    };
    if (options.start) take(*options.start, "start");
    while (true) {
        if (best && options.good_enough && *best <= *options.good_enough) {
            result.termination.reason = StopReason::optimal;
            break;
        }
        if (limits.interrupted()) {
            result.termination.reason = StopReason::interrupted;
            break;
        }
        if (search::must_stop(limits)) {
            result.termination.reason = StopReason::time;
            break;
        }
        if (done >= wanted) {
            if (limits.evaluations && done >= *limits.evaluations) result.termination.reason = StopReason::evaluations;
            break;
        }
        // The first order alone, so that the others have an incumbent to be cut off by.
        const auto batch = static_cast<std::size_t>(std::min<std::int64_t>(done == 0 ? 1 : kBatch, wanted - done));
        std::array<std::optional<cost::Partition>, kBatch> found;
        const search::SliceOptions slicing{.stages = options.stages,
                                           .max_replicas = options.max_replicas,
                                           .below = best,
                                           .at_least = options.good_enough.value_or(Duration{0}),
                                           .limits = &limits};
        const auto evaluate = [&](std::size_t slot, std::optional<search::Slicer>& slicer) {
            if (search::must_stop(limits)) return;
            if (!slicer) slicer.emplace(problem);
            found[slot] = slicer->slice(order_of(done + static_cast<std::int64_t>(slot)), slicing);
        };
        if (options.threads <= 1)
            for (std::size_t slot = 0; slot < batch; ++slot) evaluate(slot, slicers[0]);
        else
            arena.execute([&] {
                tbb::parallel_for(
                    std::size_t{0}, batch,
                    [&](std::size_t slot) {
                        evaluate(slot, slicers[static_cast<std::size_t>(tbb::this_task_arena::current_thread_index())]);
                    },
                    tbb::simple_partitioner{});
            });
        for (std::size_t slot = 0; slot < batch; ++slot) {
            if (!found[slot] || (best && price(problem, *found[slot]).bottleneck >= *best)) continue;
            const std::int64_t i = done + static_cast<std::int64_t>(slot);
            take(*std::move(found[slot]), std::string(to_text(kind_of(i))) + (i < fixed ? "" : std::format(" #{}", i)));
        }
        done += static_cast<std::int64_t>(batch);
        if (seconds() - signed_at >= kSecondsBetweenSigns) observer.on_event({signed_at = seconds(), "orders", best, std::nullopt, ""});
    }
    if (!best && done < wanted) {
        // Stopped before the first slicing was found: any valid answer is better than none.
        const Order order = order_of(0);
        if (!slicers[0]) slicers[0].emplace(problem);
        auto rough = slicers[0]->longest_segments(order, options.stages);
        if (!rough) {
            // Hard memory or several classes: one sweep at any price, which only Ctrl-C may cut short.
            const Limits patient{.deadline = {}, .evaluations = {}, .stop = limits.stop};
            rough = slicers[0]->slice(
                order, {.stages = options.stages, .max_replicas = options.max_replicas, .at_least = kLargestTotal * 4, .limits = &patient});
        }
        if (rough) take(*std::move(rough), "any slicing");
    }
    if (!best) {
        if (limits.interrupted()) return fail({DiagnosticKind::stopped, "interrupted before a feasible plan was found", {}, {}, {}});
        return fail(nothing_found(problem, options.stages, done));
    }
    result.termination.seconds = seconds();
    result.termination.evaluations = done;
    return result;
}

}  // namespace sluice::inference
