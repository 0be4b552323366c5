// How long ONNX import takes: a generated chain of 10,000 operators, and models of ../shared/models where those are present.
#include <benchmark/benchmark.h>
#include <onnx/onnx_pb.h>

#include <filesystem>
#include <format>
#include <string>

#include "sluice/base/files.hpp"
#include "sluice/onnx/import.hpp"

namespace {

/// MatMul, Add, Relu in turn, each MatMul and Add with weights of its own; sizes of a real layer, no data.
std::string chain_model(int operators) {
    ::onnx::ModelProto model;
    model.set_ir_version(8);
    model.add_opset_import()->set_version(17);
    auto& graph = *model.mutable_graph();
    graph.set_name("chain");
    const auto declare = [](::onnx::ValueInfoProto& info, const std::string& name) {
        info.set_name(name);
        auto& type = *info.mutable_type()->mutable_tensor_type();
        type.set_elem_type(::onnx::TensorProto::FLOAT);
        for (const int size : {1, 128, 768}) type.mutable_shape()->add_dim()->set_dim_value(size);
    };
    const auto weigh = [&](const std::string& name, std::initializer_list<int> shape) {
        auto& tensor = *graph.add_initializer();
        tensor.set_name(name);
        tensor.set_data_type(::onnx::TensorProto::FLOAT);
        for (const int size : shape) tensor.add_dims(size);
        tensor.set_data_location(::onnx::TensorProto::EXTERNAL);
        auto& location = *tensor.add_external_data();
        location.set_key("location");
        location.set_value("weights.bin");
    };
    declare(*graph.add_input(), "t0");
    for (int i = 0; i < operators; ++i) {
        auto& node = *graph.add_node();
        node.set_name(std::format("layer{}", i));
        node.add_input(std::format("t{}", i));
        node.add_output(std::format("t{}", i + 1));
        const std::string weight = std::format("w{}", i);
        switch (i % 3) {
            case 0:
                node.set_op_type("MatMul");
                node.add_input(weight);
                weigh(weight, {768, 768});
                break;
            case 1:
                node.set_op_type("Add");
                node.add_input(weight);
                weigh(weight, {768});
                break;
            default:
                node.set_op_type("Relu");
        }
    }
    declare(*graph.add_output(), std::format("t{}", operators));
    return model.SerializeAsString();
}

void run(benchmark::State& state, const std::string& bytes) {
    std::size_t nodes = 0;
    for (auto _ : state) {
        const auto imported = sluice::onnx::import_bytes(bytes, "bench.onnx");
        if (!imported) {
            state.SkipWithError(to_text(imported.error()));
            return;
        }
        nodes = imported->report.nodes;
    }
    state.counters["nodes"] = static_cast<double>(nodes);
    state.counters["nodes/s"] = benchmark::Counter(static_cast<double>(nodes), benchmark::Counter::kIsIterationInvariantRate);
}

void import_chain(benchmark::State& state) { run(state, chain_model(static_cast<int>(state.range(0)))); }
BENCHMARK(import_chain)->Arg(1000)->Arg(10000)->Unit(benchmark::kMillisecond);

void import_shared(benchmark::State& state, const std::string& name) {
    const std::filesystem::path path = SLUICE_SOURCE_DIR "/../shared/models/" + name;
    if (!std::filesystem::exists(path)) {
        state.SkipWithMessage("../shared/models is absent");
        return;
    }
    const auto bytes = sluice::read_file(path);
    if (!bytes) {
        state.SkipWithError(to_text(bytes.error()));
        return;
    }
    run(state, *bytes);
}
BENCHMARK_CAPTURE(import_shared, bert_base, "bert_base.onnx")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(import_shared, swin_b, "swin_b.onnx.gz")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(import_shared, unet_sd15, "unet_sd15.onnx.gz")->Unit(benchmark::kMillisecond);

}  // namespace
