#include <unistd.h>

#include <filesystem>
#include <format>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/interrupt.hpp"
#include "cli/open_plan.hpp"
#include "cli/planning.hpp"
#include "cli/shell.hpp"
#include "cli/terminal.hpp"
#include "cli/training.hpp"
#include "cli/verbs.hpp"
#include "sluice/base/json.hpp"
#include "sluice/onnx/export.hpp"
#include "sluice/onnx/weights.hpp"
#include "sluice/report/table.hpp"
#include "sluice/report/text.hpp"

namespace sluice::cli {

namespace fs = std::filesystem;

namespace {

/// Beside the export folder, so that made-up weights can move into it; vanishes.
class Scratch {
public:
    explicit Scratch(fs::path output) {
        if (output = output.lexically_normal(); !output.has_filename()) output = output.parent_path();
        path_ = output.replace_filename(std::format(".{}.weights.{}", output.filename().string(), ::getpid()));
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() {
        std::error_code error;  // a folder that cannot be removed keeps its temporary name
        fs::remove_all(path_, error);
    }
    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

/// As they are, whatever data type the platform counts tensors in.
Bytes parameters_of(const graph::Graph& graph, const plan::PlannedStage& stage) {
    std::set<ParameterId> parameters;
    for (const plan::OperatorReference& reference : stage.operators)
        for (const ParameterId parameter : graph.parameters(reference.id)) parameters.insert(parameter);
    Bytes total;
    for (const ParameterId parameter : parameters) total += graph[parameter].bytes;
    return total;
}

Bytes bytes_of(std::span<const onnx::StageTensor> tensors) {
    Bytes total;
    for (const onnx::StageTensor& tensor : tensors) total += tensor.bytes;
    return total;
}

std::string border_text(std::span<const onnx::StageTensor> tensors) {
    return std::format("{}, {}", report::counted(tensors.size(), "tensor"), to_text(bytes_of(tensors)));
}

std::string table_of(const OpenPlan& opened, const onnx::Manifest& manifest) {
    report::Table table{{{"stage"}, {"file", report::Align::left}, {"operators"}, {"parameters"}, {"in"}, {"out"}}, {}};
    for (std::size_t s = 0; s < manifest.stages.size(); ++s) {
        const onnx::StageModel& stage = manifest.stages[s];
        table.rows.push_back({std::to_string(s), stage.file, report::grouped(opened.plan.stages[s].operators.size()),
                              to_text(parameters_of(opened.model.graph, opened.plan.stages[s])), border_text(stage.inputs),
                              border_text(stage.outputs)});
    }
    return report::table_text(table);
}

nlohmann::ordered_json borders_json(std::span<const onnx::StageTensor> tensors) {
    auto list = nlohmann::ordered_json::array();
    for (const onnx::StageTensor& tensor : tensors) list.push_back({{"name", tensor.name}, {"bytes", tensor.bytes.count}});
    return list;
}

nlohmann::ordered_json json_of(const OpenPlan& opened, const onnx::Manifest& manifest, const std::string& folder) {
    auto stages = nlohmann::ordered_json::array();
    for (std::size_t s = 0; s < manifest.stages.size(); ++s) {
        const onnx::StageModel& stage = manifest.stages[s];
        stages.push_back({{"file", stage.file},
                          {"operators", opened.plan.stages[s].operators.size()},
                          {"parameter_bytes", parameters_of(opened.model.graph, opened.plan.stages[s]).count},
                          {"inputs", borders_json(stage.inputs)},
                          {"outputs", borders_json(stage.outputs)}});
    }
    return {{"model", manifest.model}, {"folder", folder}, {"stages", std::move(stages)}};
}

}  // namespace

Result<Outcome> run_export(Session& session) {
    const Arguments& arguments = session.arguments;
    Terminal& terminal = session.terminal;
    if (arguments.actions) return export_actions(session);
    const std::string model = shell_word(*arguments.model), plan = shell_word(*arguments.plan);
    if (!arguments.output)
        return fail(usage_error("sluice export needs -o FOLDER: where to write the stages")
                        .fix(std::format("sluice export {} {} -o stages", model, plan)));
    if (auto free = onnx::check_export_folder(*arguments.output); !free) return fail(std::move(free.error()));
    InterruptGuard interrupt(terminal);
    auto opened = open_plan(session);
    if (!opened) return fail(std::move(opened.error()));
    if (!opened->model.import)
        return fail(input_error(std::format("'{}' is a workload, not a model: there is nothing to run", *arguments.model))
                        .fix("export takes ONNX files and zoo:NAME"));

    const auto weights = weight_source(arguments);
    if (!weights) return fail(weights.error());
    const Scratch scratch(*arguments.output);
    const auto file = onnx::materialise(*arguments.model, *weights, static_cast<std::uint64_t>(arguments.seed.value_or(0)), scratch.path(),
                                        interrupt.token());
    if (!file) return fail(file.error());
    const bool made = file->parent_path() == scratch.path() && *weights != onnx::WeightSource::file;
    const auto manifest =
        onnx::export_stages(*file, opened->model.graph, operators_of(opened->plan), *arguments.output,
                            {.import = {.dimensions = opened->plan.model.dimensions, .assume_size = opened->plan.model.assume_size},
                             .self_contained = arguments.self_contained,
                             .adopt_weights = made,
                             .stop = interrupt.token()});
    if (!manifest) return fail(manifest.error());
    terminal.say(std::format("wrote {} and {} to {}", report::counted(manifest->stages.size(), "stage model"), onnx::kManifestName,
                             *arguments.output));
    terminal.hint(std::format("sluice run {} {}", model, plan));
    return Outcome{arguments.json ? json::to_file_text(json_of(*opened, *manifest, *arguments.output)) : table_of(*opened, *manifest)};
}

}  // namespace sluice::cli
