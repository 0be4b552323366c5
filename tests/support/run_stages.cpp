#include "tests/support/run_stages.hpp"

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <format>
#include <map>
#include <queue>
#include <set>
#include <stdexcept>
#include <utility>

#include "tests/unit/zoo/runtime.hpp"

namespace sluice::test {

namespace {

using Values = std::map<std::string, Ort::Value>;

Ort::Session open_session(const std::filesystem::path& path, int level) {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
    options.SetGraphOptimizationLevel(level == 0 ? ORT_DISABLE_ALL : ORT_ENABLE_ALL);
    return {Runtime::env(), path.c_str(), options};
}

std::size_t bytes_of(const Ort::Value& value) {
    const auto info = value.GetTensorTypeAndShapeInfo();
    static const std::map<ONNXTensorElementDataType, std::size_t> kSizes{
        {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, 4}, {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, 8},  {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, 4},
        {ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, 1},  {ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, 8}, {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, 2},
        {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, 1}, {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, 1}};
    return info.GetElementCount() * kSizes.at(info.GetElementType());
}

/// Floats within [-1, 1]; integers and booleans 1 and 0 in turn.
Ort::Value made_up(const onnx::StageTensor& tensor, RandomStream& random) {
    Ort::AllocatorWithDefaultOptions allocator;
    const auto type = static_cast<ONNXTensorElementDataType>(tensor.element_type);
    Ort::Value value = Ort::Value::CreateTensor(allocator, tensor.shape.data(), tensor.shape.size(), type);
    const std::size_t count = value.GetTensorTypeAndShapeInfo().GetElementCount();
    const auto fill = [&]<typename T>(T*, auto make) {
        T* data = value.GetTensorMutableData<T>();
        for (std::size_t i = 0; i < count; ++i) data[i] = static_cast<T>(make(i));
    };
    const auto in_turn = [](std::size_t i) { return (i + 1) % 2; };
    const auto real = [&](std::size_t) { return 2 * random.unit() - 1; };
    switch (type) {
        case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
            fill(static_cast<float*>(nullptr), real);
            break;
        case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
            fill(static_cast<double*>(nullptr), real);
            break;
        case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
            fill(static_cast<std::int64_t*>(nullptr), in_turn);
            break;
        case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
            fill(static_cast<std::int32_t*>(nullptr), in_turn);
            break;
        case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL:
            fill(static_cast<bool*>(nullptr), in_turn);
            break;
        default:
            throw std::runtime_error(std::format("no made-up values for '{}'", tensor.name));
    }
    return value;
}

/// Runs a session on what `values` has of its inputs, and adds its outputs.
void run(Ort::Session& session, Values& values) {
    Ort::AllocatorWithDefaultOptions allocator;
    std::vector<std::string> names;
    std::vector<const OrtValue*> inputs;
    for (std::size_t i = 0; i < session.GetInputCount(); ++i) {
        names.emplace_back(session.GetInputNameAllocated(i, allocator).get());
        const auto found = values.find(names.back());
        if (found == values.end()) throw std::runtime_error(std::format("nothing made '{}'", names.back()));
        inputs.push_back(found->second);
    }
    for (std::size_t i = 0; i < session.GetOutputCount(); ++i) names.emplace_back(session.GetOutputNameAllocated(i, allocator).get());
    std::vector<const char*> pointers;
    for (const std::string& name : names) pointers.push_back(name.c_str());
    std::vector<OrtValue*> outputs(session.GetOutputCount(), nullptr);
    Ort::ThrowOnError(Ort::GetApi().Run(session, nullptr, pointers.data(), inputs.data(), inputs.size(), pointers.data() + inputs.size(),
                                        outputs.size(), outputs.data()));
    for (std::size_t i = 0; i < outputs.size(); ++i) values.insert_or_assign(names[inputs.size() + i], Ort::Value(outputs[i]));
}

/// What the file of a stage says of itself must be what the manifest says.
void check_names(Ort::Session& session, const onnx::StageModel& stage) {
    Ort::AllocatorWithDefaultOptions allocator;
    const auto same = [&](std::size_t count, auto name_of, const std::vector<onnx::StageTensor>& said) {
        bool equal = count == said.size();
        for (std::size_t i = 0; equal && i < count; ++i) equal = std::string(name_of(i).get()) == said[i].name;
        if (!equal) throw std::runtime_error(std::format("{} has other inputs or outputs than its manifest", stage.file));
    };
    same(session.GetInputCount(), [&](std::size_t i) { return session.GetInputNameAllocated(i, allocator); }, stage.inputs);
    same(session.GetOutputCount(), [&](std::size_t i) { return session.GetOutputNameAllocated(i, allocator); }, stage.outputs);
}

/// Of a tensor that varies the sizes said are the largest; where not even its rank was known they are a guess.
void check_shape(const Ort::Value& value, const onnx::StageTensor& tensor) {
    const auto shape = value.GetTensorTypeAndShapeInfo().GetShape();
    bool right = tensor.varies || shape == tensor.shape;
    for (std::size_t d = 0; right && shape.size() == tensor.shape.size() && d < shape.size(); ++d) right = shape[d] <= tensor.shape[d];
    if (!right) throw std::runtime_error(std::format("'{}' came out with another shape than its manifest says", tensor.name));
}

template <typename T>
void compare_reals(const Ort::Value& expected, const Ort::Value& actual, const std::string& name, Comparison& result) {
    const std::size_t count = expected.GetTensorTypeAndShapeInfo().GetElementCount();
    const T* a = expected.GetTensorData<T>();
    const T* b = actual.GetTensorData<T>();
    double largest = 0, difference = 0, low = INFINITY, high = -INFINITY;
    for (std::size_t i = 0; i < count; ++i) {
        if (!std::isfinite(a[i])) ++result.not_finite;
        if (a[i] == b[i] || !std::isfinite(a[i])) continue;
        difference = std::max(difference, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
        if (std::isnan(b[i])) difference = INFINITY;
    }
    for (std::size_t i = 0; i < count; ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(a[i])));
        low = std::min(low, static_cast<double>(a[i]));
        high = std::max(high, static_cast<double>(a[i]));
    }
    if (count > 1) result.spread = std::min(result.spread, largest > 0 ? (high - low) / largest : 0);
    const double relative = difference == 0 ? 0 : difference / largest;
    if (relative > result.worst) {
        result.worst = relative;
        result.worst_tensor = name;
    }
}

void compare_values(const Ort::Value& expected, const Ort::Value& actual, const std::string& name, Comparison& result) {
    ++result.tensors;
    const auto info = expected.GetTensorTypeAndShapeInfo(), other = actual.GetTensorTypeAndShapeInfo();
    if (info.GetShape() != other.GetShape() || info.GetElementType() != other.GetElementType())
        throw std::runtime_error(std::format("'{}' has another shape or type than the unsplit model's", name));
    result.values += info.GetElementCount();
    const bool equal = std::memcmp(expected.GetTensorRawData(), actual.GetTensorRawData(), bytes_of(expected)) == 0;
    result.bitwise = result.bitwise && equal;
    if (info.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT)
        compare_reals<float>(expected, actual, name, result);
    else if (info.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE)
        compare_reals<double>(expected, actual, name, result);
    else if (!equal)
        result.worst = INFINITY;
}

}  // namespace

std::vector<std::vector<OperatorId>> random_stages(const graph::Graph& graph, std::size_t stages, RandomStream& random) {
    const std::size_t count = graph.operator_count();
    std::vector<std::size_t> waiting(count);
    std::priority_queue<std::pair<std::uint64_t, std::size_t>> ready;
    for (std::size_t i = 0; i < count; ++i) {
        waiting[i] = graph.predecessors(OperatorId(i)).size();
        if (waiting[i] == 0) ready.emplace(random(), i);
    }
    std::vector<OperatorId> order;
    while (!ready.empty()) {
        const OperatorId op(ready.top().second);
        ready.pop();
        if (!graph[op].replicated) order.push_back(op);
        for (const OperatorId next : graph.successors(op)) {
            if (--waiting[next.index()] == 0) ready.emplace(random(), next.index());
        }
    }
    std::vector<std::size_t> cuts{0, order.size()};
    for (std::size_t s = 1; s < stages; ++s) cuts.push_back(random.below(order.size()));
    std::ranges::sort(cuts);
    std::vector<std::vector<OperatorId>> parts;
    for (std::size_t s = 0; s + 1 < cuts.size(); ++s) {
        if (cuts[s] < cuts[s + 1])
            parts.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(cuts[s]),
                               order.begin() + static_cast<std::ptrdiff_t>(cuts[s + 1]));
    }
    return parts;
}

void check_borders(const graph::Graph& graph, const std::vector<std::vector<OperatorId>>& stages, const onnx::Manifest& manifest) {
    for (std::size_t s = 0; s < stages.size(); ++s) {
        const std::set<OperatorId> own(stages[s].begin(), stages[s].end());
        std::set<std::string> read, listed;
        for (const OperatorId op : stages[s]) {
            for (const TensorId tensor : graph.inputs(op)) {
                const OperatorId producer = graph.producer(tensor);
                if (!producer.valid() || !own.contains(producer)) read.insert(graph[tensor].name);
            }
        }
        for (const auto& input : manifest.stages[s].inputs) listed.insert(input.name);
        if (read != listed) throw std::runtime_error(std::format("stage {} reads other tensors than its manifest lists", s));
    }
}

struct Reference::State {
    int level;
    std::uint64_t seed;
    Values inputs, outputs;
    Ort::Session session{nullptr};
};

Reference::Reference(const std::filesystem::path& model, int level, std::uint64_t seed)
    : state_(new State{.level = level, .seed = seed, .inputs = {}, .outputs = {}, .session = open_session(model, level)}) {}
Reference::Reference(Reference&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
Reference::~Reference() { delete state_; }

Comparison Reference::compare(const std::filesystem::path& folder, const onnx::Manifest& manifest) const {
    State& state = *state_;
    if (state.outputs.empty()) {
        RandomStream random(state.seed);
        for (const onnx::StageTensor& input : manifest.inputs) state.inputs.emplace(input.name, made_up(input, random));
        state.outputs = Values{};
        for (auto& [name, value] : state.inputs) {
            const auto info = value.GetTensorTypeAndShapeInfo();
            Ort::AllocatorWithDefaultOptions allocator;
            const auto shape = info.GetShape();
            Ort::Value copy = Ort::Value::CreateTensor(allocator, shape.data(), shape.size(), info.GetElementType());
            std::memcpy(copy.GetTensorMutableRawData(), value.GetTensorRawData(), bytes_of(value));
            state.outputs.emplace(name, std::move(copy));
        }
        run(state.session, state.outputs);
        state.session = Ort::Session(nullptr);
    }
    Values values;
    for (const auto& [name, value] : state.inputs) {
        const auto info = value.GetTensorTypeAndShapeInfo();
        const auto shape = info.GetShape();
        const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
        values.emplace(name, Ort::Value::CreateTensor(memory, const_cast<void*>(value.GetTensorRawData()), bytes_of(value), shape.data(),
                                                      shape.size(), info.GetElementType()));
    }
    for (const onnx::StageModel& stage : manifest.stages) {
        Ort::Session session = open_session(folder / stage.file, state.level);
        check_names(session, stage);
        if (stage.outputs.empty()) continue;  // operators that lead nowhere; ONNX Runtime runs nothing for no output
        run(session, values);
        for (const onnx::StageTensor& output : stage.outputs) check_shape(values.at(output.name), output);
    }
    Comparison result;
    for (const auto& [tensor, made_as] : manifest.outputs) {
        if (!made_as.empty()) compare_values(state.outputs.at(tensor.name), values.at(made_as), tensor.name, result);
    }
    return result;
}

}  // namespace sluice::test
