#include "sluice/trainer/instance.hpp"

#include <algorithm>
#include <format>
#include <utility>

#include "sluice/cost/stage_problem.hpp"
#include "sluice/graph/rewrite.hpp"
#include "sluice/mcm/judge/fitting_judge.hpp"
#include "sluice/mcm/policy/positions.hpp"
#include "sluice/mcm/rewrite/shared_clones.hpp"
#include "sluice/onnx/load_model.hpp"

namespace sluice::trainer {

std::string_view to_text(Split split) {
    switch (split) {
        case Split::train:
            return "train";
        case Split::validation:
            return "validation";
        case Split::test:
            return "test";
    }
    std::unreachable();
}

Result<std::unique_ptr<Instance>> make_instance(const std::string& model, const std::string& platform_name, const InstanceOptions& options,
                                                const std::string& fingerprint) {
    auto loaded = onnx::load_model(model);
    if (!loaded) return fail(loaded.error());
    if (!fingerprint.empty() && loaded->graph.fingerprint() != fingerprint)
        return fail(input_error(std::format("'{}' is not the graph that the corpus names", model))
                        .note(std::format("its fingerprint is {}, the corpus has {}", loaded->graph.fingerprint(), fingerprint)));
    auto platform = platform::load_platform(platform_name);
    if (!platform) return fail(std::move(platform.error()));
    auto frozen = cost::freeze(loaded->graph, *platform);
    if (!frozen) return fail(std::move(frozen.error()));
    auto instance = std::make_unique<Instance>();
    instance->name = model;
    instance->platform = platform_name;
    instance->graph_fingerprint = loaded->graph.fingerprint();
    instance->graph = std::move(loaded->graph);
    instance->ring = *std::move(platform);
    if (options.rewrites)
        if (const auto clones = mcm::shared_clones(instance->graph, frozen->problem); !clones.rewrites.empty()) {
            auto rewritten = graph::rewritten(instance->graph, clones.rewrites);
            if (!rewritten) return fail(std::move(rewritten.error()));
            instance->graph = *std::move(rewritten);
            frozen = cost::freeze(instance->graph, instance->ring);
            if (!frozen) return fail(std::move(frozen.error()));
        }
    instance->costs = std::move(frozen->problem);
    auto problem = mcm::chip_problem(instance->graph, instance->costs, instance->ring, {.relay = options.rewrites});
    if (!problem) return fail(std::move(problem.error()));
    instance->problem = *std::move(problem);
    if (instance->problem.sram && options.lift_memory) {
        const double room = 0.6 * static_cast<double>(instance->problem.sram->count) * static_cast<double>(instance->problem.chips);
        double parameters = 0;
        std::int64_t largest = 0;
        for (std::size_t v = 0; v < instance->costs.node_count(); ++v) {
            std::int64_t own = 0;
            for (const WeightId weight : instance->costs.weights[v]) own += instance->costs.weight_bytes[weight.index()].count;
            largest = std::max(largest, own);
        }
        for (const Bytes bytes : instance->costs.weight_bytes) parameters += static_cast<double>(bytes.count);
        if (parameters > room || largest > instance->problem.sram->count) instance->problem.sram.reset();
    }
    auto features = mcm::policy::features_of(instance->problem);
    if (!features && options.lift_memory && instance->problem.sram) {  // too tight all the same: few chips are usable
        instance->problem.sram.reset();
        features = mcm::policy::features_of(instance->problem);
    }
    if (!features) return fail(std::move(features.error()));
    instance->features = *std::move(features);
    instance->strict = mcm::policy::sampling_problem(instance->problem, instance->features.positions);
    return instance;
}

Result<std::unique_ptr<Instance>> make_instance(const std::string& model, const std::string& platform, const InstanceOptions& options) {
    return make_instance(model, platform, options, {});
}

Result<std::unique_ptr<mcm::Judge>> make_judge(const Instance& instance, std::string_view name) {
    const auto make = mcm::find_judge(name, instance.ring);
    if (!make) return fail(make.error());
    auto judge = (*make)(instance.graph, instance.problem);
    if (!judge) return fail(std::move(judge.error()));
    return mcm::fitting_judge(instance.problem, *std::move(judge));
}

}  // namespace sluice::trainer
