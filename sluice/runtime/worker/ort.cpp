#include "sluice/runtime/worker/ort.hpp"

#include <onnxruntime_session_options_config_keys.h>

#include <iostream>
#include <memory>
#include <optional>

#include "sluice/onnx/nodes.hpp"

namespace sluice::runtime {

namespace {

std::optional<GraphOptimizationLevel> level_of(int optimisation) {
    switch (optimisation) {
        case 0:
            return ORT_DISABLE_ALL;
        case 1:
            return ORT_ENABLE_BASIC;
        case 2:
            return ORT_ENABLE_EXTENDED;
        case 99:
            return ORT_ENABLE_ALL;
        default:
            return std::nullopt;
    }
}

}  // namespace

Ort::Env& ort_env() {
    static const std::unique_ptr<Ort::Env> environment = [] {
        std::streambuf* const before = std::cerr.rdbuf(nullptr);
        // Nothing is logged: what goes wrong is thrown, in the same words, and warnings about graphs have nobody to read them.
        auto made = std::make_unique<Ort::Env>(ORT_LOGGING_LEVEL_FATAL, "sluice");
        onnx::register_operators();
        std::cerr.rdbuf(before);
        std::cerr.clear();  // writing to no buffer has set its error state
        made->DisableTelemetryEvents();
        return made;
    }();
    return *environment;
}

std::string ort_name() { return "ONNX Runtime " + Ort::GetVersionString(); }

Result<Ort::Session> make_session(const std::filesystem::path& model, const SessionSettings& settings) {
    const auto level = level_of(settings.optimisation);
    if (!level)
        return fail(
            usage_error(std::format("{} is no optimisation level of ONNX Runtime", settings.optimisation)).fix("use 0, 1, 2 or 99"));
    std::error_code error;
    if (!std::filesystem::is_regular_file(model, error))
        return fail(input_error(std::format("there is no model file '{}'", model.string())));
    return guarded(std::format("'{}' cannot be loaded", model.string()), [&] {
        Ort::SessionOptions options;
        options.SetIntraOpNumThreads(static_cast<int>(settings.threads));
        options.SetInterOpNumThreads(1);
        options.SetExecutionMode(ORT_SEQUENTIAL);
        options.SetGraphOptimizationLevel(*level);
        // Idle threads sleep: stages share cores with each other and with the communication thread.
        options.AddConfigEntry(kOrtSessionOptionsConfigAllowIntraOpSpinning, "0");
        options.AddConfigEntry(kOrtSessionOptionsConfigAllowInterOpSpinning, "0");
        // The arena and its memory pattern stay: activations then lie in one block that every run uses again. Weights are mapped from their
        // file and not in it.
        if (settings.shapes_vary) options.DisableMemPattern();
        for (const auto& [name, size] : settings.dimensions)
            Ort::ThrowOnError(Ort::GetApi().AddFreeDimensionOverrideByName(options, name.c_str(), size));
        if (!settings.profile_prefix.empty()) options.EnableProfiling(settings.profile_prefix.c_str());
        if (!settings.optimised_model.empty()) {
            options.SetOptimizedModelFilePath(settings.optimised_model.c_str());
            // Weights apart: the graph itself then stays far below protobuf's 2 GiB.
            options.AddConfigEntry(kOrtSessionOptionsOptimizedModelExternalInitializersFileName,
                                   (settings.optimised_model.filename().string() + ".weights").c_str());
            options.AddConfigEntry(kOrtSessionOptionsOptimizedModelExternalInitializersMinSizeInBytes, "1024");
        }
        return Ort::Session(ort_env(), model.c_str(), options);
    });
}

Result<Ports> ports_of(const Ort::Session& session, const std::string& model) {
    const Ort::AllocatorWithDefaultOptions allocator;
    const auto port = [&](const char* name, const Ort::TypeInfo& type) -> Result<Port> {
        if (type.GetONNXType() != ONNX_TYPE_TENSOR)
            return fail(
                input_error(std::format("'{}' of '{}' is a sequence, map or optional value; only tensors can be passed on", name, model)));
        const auto tensor = type.GetTensorTypeAndShapeInfo();
        return Port{name, static_cast<std::int32_t>(tensor.GetElementType()), tensor.GetShape()};
    };
    Ports ports;
    for (std::size_t i = 0; i < session.GetInputCount(); ++i) {
        auto made = port(session.GetInputNameAllocated(i, allocator).get(), session.GetInputTypeInfo(i));
        if (!made) return fail(std::move(made.error()));
        ports.inputs.push_back(*std::move(made));
    }
    for (std::size_t i = 0; i < session.GetOutputCount(); ++i) {
        auto made = port(session.GetOutputNameAllocated(i, allocator).get(), session.GetOutputTypeInfo(i));
        if (!made) return fail(std::move(made.error()));
        ports.outputs.push_back(*std::move(made));
    }
    return ports;
}

}  // namespace sluice::runtime
