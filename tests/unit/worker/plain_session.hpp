// ONNX Runtime as any program would use it: what the worker's results are held against.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "sluice/runtime/worker/ort.hpp"

namespace sluice::test {

struct PlainTensor {
    std::vector<std::int64_t> shape;
    std::vector<std::byte> data;
    friend bool operator==(const PlainTensor&, const PlainTensor&) = default;
};
using PlainTensors = std::map<std::string, PlainTensor>;

/// A session of its own, unbound inputs and outputs, one thread.
class PlainSession {
public:
    PlainSession(const std::filesystem::path& model, GraphOptimizationLevel level) : session_(make(model, level)) {
        const auto ports = runtime::ports_of(session_, model.string());
        ports_ = ports.value();
    }
    /// Inputs have the shapes that the model fixes.
    PlainTensors run(PlainTensors& inputs) {
        const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
        std::vector<const char*> names, made;
        std::vector<Ort::Value> values;
        for (const runtime::Port& port : ports_.inputs) {
            PlainTensor& tensor = inputs.at(port.name);
            names.push_back(port.name.c_str());
            values.push_back(Ort::Value::CreateTensor(memory, tensor.data.data(), tensor.data.size(), tensor.shape.data(),
                                                      tensor.shape.size(), static_cast<ONNXTensorElementDataType>(port.element_type)));
        }
        for (const runtime::Port& port : ports_.outputs) made.push_back(port.name.c_str());
        const auto results = session_.Run(Ort::RunOptions{}, names.data(), values.data(), values.size(), made.data(), made.size());
        PlainTensors outputs;
        for (std::size_t i = 0; i < results.size(); ++i) {
            const auto shape = results[i].GetTensorTypeAndShapeInfo().GetShape();
            const auto* data = static_cast<const std::byte*>(results[i].GetTensorRawData());
            const auto bytes = runtime::bytes_of(*runtime::element_type(ports_.outputs[i].element_type), shape).value();
            outputs[ports_.outputs[i].name] = {shape, {data, data + bytes}};
        }
        return outputs;
    }
    [[nodiscard]] const runtime::Ports& ports() const { return ports_; }

private:
    static Ort::Session make(const std::filesystem::path& model, GraphOptimizationLevel level) {
        Ort::SessionOptions options;
        options.SetIntraOpNumThreads(1);
        options.SetGraphOptimizationLevel(level);
        return Ort::Session(runtime::ort_env(), model.c_str(), options);
    }
    Ort::Session session_;
    runtime::Ports ports_;
};

}  // namespace sluice::test
