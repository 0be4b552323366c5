// All training plans of a tiny problem, and what a plan takes: what bounds are held against.
#pragma once

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "sluice/bound/certificate_training.hpp"
#include "sluice/cost/training_partition.hpp"
#include "sluice/training/evaluate.hpp"

namespace sluice::test {

/// In time C, what a plan takes: its iteration, or its bottleneck.
inline Duration value_of(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition,
                         bound::TrainingObjective objective) {
    return objective == bound::TrainingObjective::iteration ? training::iteration_time(problem, partition)
                                                            : cost::price(problem, partition).bottleneck;
}

/// Every plan of the problem under a few schedules: set partitions of the nodes, groups of devices, micro-batches.
class TrainingPlans {
public:
    TrainingPlans(const cost::TrainingProblem& problem, const std::function<void(const cost::TrainingPartition&)>& visit)
        : problem_(problem), visit_(visit) {
        std::int64_t first = 0;
        for (std::size_t c = 0; c < problem.classes.size(); ++c) {
            for (std::int64_t d = 0; d < problem.structure.classes[c].count; ++d)
                for (std::int64_t r = 1; d + r <= problem.structure.classes[c].count; ++r)
                    groups_.push_back({.nodes = {}, .device = ClassId(c), .first_device = first + d, .replicas = r});
            first += problem.structure.classes[c].count;
        }
        assign(0);
    }

private:
    void assign(std::size_t v) {
        if (v < problem_.node_count()) {
            for (std::size_t s = 0; s <= partition_.stages.size(); ++s) {
                const bool fresh = s == partition_.stages.size();
                if (fresh) partition_.stages.emplace_back();
                partition_.stages[s].nodes.emplace_back(v);
                assign(v + 1);
                partition_.stages[s].nodes.pop_back();
                if (fresh) {
                    partition_.stages.pop_back();
                    return;
                }
            }
            return;
        }
        if (auto sorted = cost::normalise(problem_, partition_)) equip(*sorted, 0);
    }
    void equip(cost::TrainingPartition& sorted, std::size_t s) {
        if (s < sorted.stages.size()) {
            for (const cost::TrainingStage& group : groups_) {
                const auto clashes = [&](const cost::TrainingStage& other) {
                    const bool same = other.first_device == group.first_device && other.replicas == group.replicas;
                    return !same && other.first_device < group.first_device + group.replicas &&
                           group.first_device < other.first_device + other.replicas;
                };
                if (std::any_of(sorted.stages.begin(), sorted.stages.begin() + static_cast<std::ptrdiff_t>(s), clashes)) continue;
                const auto nodes = std::move(sorted.stages[s].nodes);
                sorted.stages[s] = group;
                sorted.stages[s].nodes = nodes;
                for (std::int64_t b = 1; b <= problem_.options.mini_batch; ++b)
                    if (problem_.options.mini_batch % b == 0) {
                        sorted.stages[s].micro_batch = b;
                        equip(sorted, s + 1);
                    }
            }
            return;
        }
        // Recomputation never makes a plan faster, but it may be what makes it fit; beside it, one pass for both gradients keeps least.
        const bool limited = std::ranges::any_of(problem_.classes, &cost::TrainingDevice::limited);
        for (std::size_t again = 0; again < (limited ? std::size_t{1} << sorted.stages.size() : 1); ++again)
            for (const cost::Schedule schedule : {cost::Schedule::one_f_one_b, cost::Schedule::list}) {
                cost::TrainingPartition plan = sorted;
                plan.schedule = schedule;
                for (std::size_t stage = 0; stage < plan.stages.size(); ++stage)
                    plan.stages[stage].recompute = plan.stages[stage].joint_backward = (again >> stage & 1U) != 0;
                cost::set_in_flight(problem_, plan);
                if (cost::faults_of(problem_, plan).empty()) visit_(plan);
                if (schedule != cost::Schedule::list) continue;
                for (cost::TrainingStage& stage : plan.stages) stage.in_flight = problem_.options.mini_batch;
                if (cost::faults_of(problem_, plan).empty()) visit_(plan);
            }
    }

    const cost::TrainingProblem& problem_;
    const std::function<void(const cost::TrainingPartition&)>& visit_;
    std::vector<cost::TrainingStage> groups_;
    cost::TrainingPartition partition_;
};

}  // namespace sluice::test
