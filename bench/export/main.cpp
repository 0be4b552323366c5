// Exports models cut at random and holds the stages, run one after the other in ONNX Runtime, against the unsplit model: bit for bit
// without graph optimisation, relative to each tensor's largest magnitude with all of it.
//
// usage: bench_export [--zero NAME[,NAME]] [-o TABLE.md] MODEL...     exit 1 when a model is not equal
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <format>
#include <iostream>
#include <string>
#include <vector>

#include "sluice/base/files.hpp"
#include "sluice/onnx/export.hpp"
#include "sluice/onnx/load_model.hpp"
#include "sluice/onnx/weights.hpp"
#include "tests/support/run_stages.hpp"

namespace sluice {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAbout =
    "# Stages against the whole model\n\n"
    "`./dev bench export`: every model cut at random in about 3, 10 and 4 convex stages, which run one after the other in ONNX Runtime on "
    "one "
    "thread. Level 0: without graph optimisation, the outputs of both partitions compared byte by byte. Level 99: with all of it, the "
    "largest difference of an output relative to the largest magnitude in it. Spread: (largest - smallest) / largest magnitude of an "
    "output, the least of them; 0 would say that equality proves little (zero weights do). Not finite: values of the unsplit "
    "model. Export: the slowest of the three. Seconds: everything, made-up weights included.\n\n";

struct Row {
    std::string model, weights;
    std::size_t operators = 0, tensors = 0, not_finite = 0, stages = 0;
    bool bitwise = true;
    double worst = 0, spread = 0, seconds = 0, export_seconds = 0;
    std::string failure;
};

template <typename T>
T value_of(Result<T> result) {
    if (!result) throw std::runtime_error(to_text(result.error()));
    return std::move(*result);
}

void measure(const std::string& model, const fs::path& folder, Row& row) {
    // Sizes that the file leaves open on purpose, or that depend on data without a bound.
    const onnx::ImportOptions import{.dimensions = {}, .assume_size = std::nullopt};
    const auto loaded = value_of(onnx::load_model(model, import));
    row.operators = loaded.graph.operator_count();
    const auto source = row.weights == "zero" ? onnx::WeightSource::zero : onnx::WeightSource::random;
    const fs::path file = value_of(onnx::materialise(model, source, 7, folder / "model"));
    RandomStream random(11);
    const auto compare = [&](const test::Reference& reference, std::size_t count) {
        const auto stages = test::random_stages(loaded.graph, count, random);
        const auto begin = std::chrono::steady_clock::now();
        const auto manifest =
            value_of(onnx::export_stages(file, loaded.graph, stages, folder / "stages",
                                         {.import = import, .self_contained = false, .adopt_weights = false, .stop = {}}));
        row.export_seconds = std::max(row.export_seconds, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
        test::check_borders(loaded.graph, stages, manifest);
        row.stages += stages.size();
        return reference.compare(folder / "stages", manifest);
    };
    {
        const test::Reference plain(file, 0, 1);
        for (const std::size_t count : {3, 10}) {
            const auto result = compare(plain, count);
            row.bitwise = row.bitwise && result.bitwise;
            row.tensors = result.tensors;
            row.not_finite += result.not_finite;
            row.spread = result.spread;
        }
    }
    const test::Reference optimised(file, 99, 1);
    row.worst = compare(optimised, 4).worst;
}

int run(int argc, char** argv) {
    std::vector<std::string> models;
    std::string zero, output;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--zero" && i + 1 < argc)
            zero = std::string(",") + argv[++i] + ",";
        else if (word == "-o" && i + 1 < argc)
            output = argv[++i];
        else
            models.push_back(word);
    }
    std::string table =
        "| model | operators | weights | stages run | outputs | level 0 | level 99, relative | spread | not finite | export | seconds |\n"
        "| --- | ---: | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |\n";
    std::cout << table << std::flush;
    bool good = !models.empty();
    for (const std::string& model : models) {
        Row row;
        const fs::path path(model);
        std::string name = path.filename().string();
        name = model.starts_with("zoo:") ? model : name.substr(0, name.find('.'));
        row.model = name;
        row.weights = zero.contains("," + name + ",") ? "zero" : "random";
        std::string scratch = (fs::temp_directory_path() / "sluice_export_XXXXXX").string();
        const fs::path folder = ::mkdtemp(scratch.data());
        const auto begin = std::chrono::steady_clock::now();
        try {
            measure(model, folder, row);
        } catch (const std::exception& error) { row.failure = error.what(); }
        fs::remove_all(folder);
        row.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        const std::string line =
            row.failure.empty() ? std::format("| {} | {} | {} | {} | {} | {} | {:.1e} | {:.2f} | {} | {:.2f} s | {:.1f} |\n", row.model,
                                              row.operators, row.weights, row.stages, row.tensors, row.bitwise ? "bitwise" : "DIFFERS",
                                              row.worst, row.spread, row.not_finite, row.export_seconds, row.seconds)
                                : std::format("| {} | {} | {} | FAILED: {} |\n", row.model, row.operators, row.weights, row.failure);
        std::cout << line << std::flush;
        table += line;
        good = good && row.failure.empty() && row.bitwise && row.worst <= 1e-5;
    }
    if (!output.empty()) {
        const std::string text = std::string(kAbout) + table;
        if (auto written = write_file(output, text); !written) {
            std::cerr << to_text(written.error());
            return 1;
        }
    }
    return good ? 0 : 1;
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) { return sluice::run(argc, argv); }
