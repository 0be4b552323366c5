#include "tests/unit/zoo/runtime.hpp"

#include <onnx/defs/schema.h>

#include <cmath>
#include <iostream>
#include <memory>
#include <sstream>

namespace sluice::test {

const Ort::Env& Runtime::env() {
    static const std::unique_ptr<Ort::Env> instance = [] {
        const std::ostringstream silence;
        std::streambuf* const before = std::cerr.rdbuf(silence.rdbuf());
        auto made = std::make_unique<Ort::Env>(ORT_LOGGING_LEVEL_ERROR, "sluice-test");
        static_cast<void>(::onnx::OpSchemaRegistry::Schema("Relu"));
        std::cerr.rdbuf(before);
        return made;
    }();
    return *instance;
}

namespace {
Ort::SessionOptions options() {
    Ort::SessionOptions made;
    made.SetIntraOpNumThreads(1);
    made.SetGraphOptimizationLevel(ORT_DISABLE_ALL);  // the operators as written, not fused ones
    return made;
}

Ort::Value make_input(Ort::AllocatorWithDefaultOptions& allocator, const Ort::ConstTensorTypeAndShapeInfo& info,
                      const std::vector<std::int64_t>& integers) {
    const auto shape = info.GetShape();
    Ort::Value value = Ort::Value::CreateTensor(allocator, shape.data(), shape.size(), info.GetElementType());
    const std::size_t count = info.GetElementCount();
    if (info.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64) {
        auto* data = value.GetTensorMutableData<std::int64_t>();
        for (std::size_t i = 0; i < count; ++i) data[i] = integers.empty() ? static_cast<std::int64_t>(i % 2) : integers.at(i);
    } else {
        auto* data = value.GetTensorMutableData<float>();
        for (std::size_t i = 0; i < count; ++i) data[i] = static_cast<float>(static_cast<double>(i * 7919 % 2001) / 1000.0 - 1.0);
    }
    return value;
}
RunResult run_session(Ort::Session session, const Integers& integers) {
    Ort::AllocatorWithDefaultOptions allocator;
    std::vector<std::string> names;
    std::vector<Ort::Value> inputs;
    for (std::size_t i = 0; i < session.GetInputCount(); ++i) {
        names.emplace_back(session.GetInputNameAllocated(i, allocator).get());
        const auto given = integers.find(names.back());
        inputs.push_back(make_input(allocator, session.GetInputTypeInfo(i).GetTensorTypeAndShapeInfo(),
                                    given == integers.end() ? std::vector<std::int64_t>() : given->second));
    }
    for (std::size_t i = 0; i < session.GetOutputCount(); ++i) names.emplace_back(session.GetOutputNameAllocated(i, allocator).get());
    std::vector<const char*> pointers;
    for (const std::string& name : names) pointers.push_back(name.c_str());
    const auto outputs = session.Run(Ort::RunOptions{}, pointers.data(), inputs.data(), inputs.size(), pointers.data() + inputs.size(),
                                     names.size() - inputs.size());
    RunResult result{.outputs = outputs.size()};
    for (const Ort::Value& output : outputs) {
        const std::size_t count = output.GetTensorTypeAndShapeInfo().GetElementCount();
        const auto* data = output.GetTensorData<float>();
        if (&output == outputs.data()) result.first.assign(data, data + count);
        for (std::size_t i = 0; i < count; ++i) {
            if (!std::isfinite(data[i])) ++result.not_finite;
            result.largest = std::max(result.largest, std::abs(static_cast<double>(data[i])));
        }
        result.values += count;
    }
    return result;
}

}  // namespace

RunResult run_bytes(const std::string& bytes, const Integers& integers) {
    return run_session(Ort::Session(Runtime::env(), bytes.data(), bytes.size(), options()), integers);
}

RunResult run_file(const std::string& path, const Integers& integers) {
    return run_session(Ort::Session(Runtime::env(), path.c_str(), options()), integers);
}

}  // namespace sluice::test
