#include "sluice/program/pipeline.hpp"

#include <map>

namespace sluice::program {

Pipeline pipeline_of(const cost::TrainingProblem& problem, const cost::TrainingPartition& partition) {
    Pipeline pipeline;
    pipeline.mini_batch = problem.options.mini_batch;
    std::map<std::int64_t, std::uint32_t> groups;
    for (const cost::TrainingStage& stage : partition.stages) {
        const cost::TrainingTerms terms = cost::training_terms(problem, stage);
        const auto [group, fresh] = groups.emplace(stage.first_device, pipeline.groups);
        if (fresh) ++pipeline.groups;
        pipeline.stages.push_back({.forward = terms.pass.forward,
                                   .input_gradient = terms.pass.input_gradient,
                                   .weight_gradient = terms.pass.weight_gradient,
                                   .all_reduce = terms.all_reduce,
                                   .optimizer = terms.optimizer,
                                   .micro_batch = stage.micro_batch,
                                   .count = pipeline.mini_batch / stage.micro_batch,
                                   .k = stage.k,
                                   .in_flight = stage.in_flight / stage.micro_batch,
                                   .group = group->second,
                                   .joint_backward = !cost::splits_backward(stage, partition.schedule)});
    }
    const bool serial = problem.structure.model == cost::StageModel::serial;
    for (const cost::StageEdge& edge : cost::stage_edges(problem, partition)) {
        const cost::TrainingStage &from = partition.stages[edge.from], &to = partition.stages[edge.to];
        PipelineEdge made{.from = static_cast<std::uint32_t>(edge.from),
                          .to = static_cast<std::uint32_t>(edge.to),
                          .chunk = cost::chunk_of(from, to),
                          .has_gradient = edge.has_gradient};
        made.activation = cost::transfer_time(problem, from, to, edge.activation, made.chunk);
        if (made.has_gradient) made.gradient = cost::transfer_time(problem, from, to, edge.gradient, made.chunk);
        if (serial) {
            for (const auto s : {made.from, made.to}) {
                PipelineStage& stage = pipeline.stages[s];
                stage.forward += made.activation * (stage.micro_batch / made.chunk);
                stage.input_gradient += made.gradient * (stage.micro_batch / made.chunk);
            }
            made.activation = made.gradient = Duration{0};
        }
        pipeline.edges.push_back(made);
    }
    return pipeline;
}

}  // namespace sluice::program
