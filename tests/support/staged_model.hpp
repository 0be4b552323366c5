// A model of the zoo with seeded weights, planned, exported and lowered: everything a job needs but its inputs.
#pragma once

#include <filesystem>
#include <string>

#include "sluice/cost/partition.hpp"
#include "sluice/onnx/export.hpp"
#include "sluice/onnx/load_model.hpp"
#include "sluice/onnx/weights.hpp"
#include "sluice/plan/plan.hpp"
#include "sluice/program/lower.hpp"
#include "sluice/runtime/job.hpp"
#include "sluice/solve/solve.hpp"
#include "sluice/solve/verify.hpp"

namespace sluice::test {

struct StagedModel {
    std::filesystem::path model;  // the unsplit one
    onnx::Manifest manifest;
    runtime::Job job;  // 4 made-up inputs
};

/// In `folder`. `replicas`: of the first stage.
inline Result<StagedModel> stage_model(const std::string& specification, std::int64_t stages, const std::filesystem::path& folder,
                                       std::int64_t replicas = 1) {
    StagedModel made;
    auto file = onnx::materialise(specification, onnx::WeightSource::random, 1, folder / "model");
    if (!file) return fail(std::move(file.error()));
    made.model = *std::move(file);
    auto loaded = onnx::load_model(made.model.string(), {});
    if (!loaded) return fail(std::move(loaded.error()));
    auto platform = platform::load_platform("cpu:devices=16,link=1000GB/s,latency=0s");
    if (!platform) return fail(std::move(platform.error()));
    auto frozen = cost::freeze(loaded->graph, *platform, stages);
    if (!frozen) return fail(std::move(frozen.error()));
    solve::SolveOptions options;
    options.stages = stages;
    options.model = loaded->graph.fingerprint();
    SilentObserver silent;
    Limits limits;
    limits.evaluations = 16;
    auto solved = solve::solve(frozen->problem, options, silent, limits);
    if (!solved) return fail(std::move(solved.error()));
    solved->partition.stages.front().replicas = replicas;
    std::vector<std::vector<OperatorId>> operators;
    for (const plan::PlannedStage& stage : solve::make_plan(loaded->graph, *platform, *frozen, options, *solved).stages) {
        operators.emplace_back();
        for (const plan::OperatorReference& reference : stage.operators) operators.back().push_back(reference.id);
    }
    auto manifest = onnx::export_stages(made.model, loaded->graph, operators, folder / "stages", {});
    if (!manifest) return fail(std::move(manifest.error()));
    made.manifest = *std::move(manifest);
    auto program = program::lower(loaded->graph, frozen->problem, solved->partition);
    if (!program) return fail(std::move(program.error()));
    made.job.program = *std::move(program);
    made.job.stages = folder / "stages";
    made.job.inputs = 4;
    return made;
}

}  // namespace sluice::test
