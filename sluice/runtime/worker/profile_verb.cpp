// One session, first profiled, then not; kernels of the profile joined with the nodes of the saved optimised model.
#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "sluice/onnx/nodes.hpp"
#include "sluice/runtime/made_up.hpp"
#include "sluice/runtime/worker/clock.hpp"
#include "sluice/runtime/worker/ort.hpp"
#include "sluice/runtime/worker/verbs.hpp"

namespace sluice::runtime {

namespace {

/// Inputs in memory of their own, and a binding to them.
struct BoundInputs {
    std::vector<std::vector<std::byte>> buffers;
    Ort::IoBinding binding;
};

Result<std::vector<std::int64_t>> shape_of(const Port& port, const ProfileOptions& options) {
    for (const auto& [name, shape] : options.shapes)
        if (name == port.name) return shape;
    if (std::ranges::all_of(port.shape, [](std::int64_t size) { return size >= 0; })) return port.shape;
    return fail(input_error(std::format("input '{}' has the shape {}, not all of which is fixed", port.name, shape_text(port.shape)))
                    .fix("name its symbolic dimensions with --dim NAME=SIZE"));
}

Result<BoundInputs> bind_made_up(Ort::Session& session, const ProfileRun& run) {
    const auto ports = ports_of(session, run.model.string());
    if (!ports) return fail(ports.error());
    BoundInputs bound{{}, Ort::IoBinding(session)};
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
    for (const Port& port : ports->inputs) {
        const ElementType* type = element_type(port.element_type);
        if (type == nullptr)
            return fail(input_error(
                std::format("input '{}' has {}, which no input can be made up for", port.name, element_type_name(port.element_type))));
        const auto shape = shape_of(port, run.options);
        if (!shape) return fail(shape.error());
        const auto bytes = bytes_of(*type, *shape);
        if (!bytes) return fail(input_error(std::format("input '{}' cannot have the shape {}", port.name, shape_text(*shape))));
        bound.buffers.emplace_back(static_cast<std::size_t>(*bytes));
        make_up(*type, port.name, 0, 0, bound.buffers.back());
        auto made = guarded(std::format("input '{}' cannot be bound", port.name), [&] {
            const Ort::Value value =
                Ort::Value::CreateTensor(memory, bound.buffers.back().data(), bound.buffers.back().size(), shape->data(), shape->size(),
                                         static_cast<ONNXTensorElementDataType>(port.element_type));
            bound.binding.BindInput(port.name.c_str(), value);
        });
        if (!made) return fail(std::move(made.error()));
    }
    for (const Port& port : ports->outputs) bound.binding.BindOutput(port.name.c_str(), memory);
    return bound;
}

Result<void> run_times(Ort::Session& session, BoundInputs& bound, std::int64_t runs, const std::string& model) {
    return guarded(std::format("'{}' cannot be run on made-up inputs", model), [&] {
        for (std::int64_t i = 0; i < runs; ++i) session.Run(Ort::RunOptions{}, bound.binding);
    });
}

double median_of(std::vector<double> values) {
    const std::size_t half = values.size() / 2;
    std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(half));
    if (values.size() % 2 == 1) return values[half];
    return (values[half] + *std::ranges::max_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(half))) / 2;
}

/// All that the profile has of one node: a node is a name and an index, since names repeat.
struct Timed {
    std::string op_type;
    std::vector<double> us;
};
struct Events {
    std::vector<std::pair<std::string, Timed>> nodes;  // in the order of their first run
    std::vector<double> whole_us;
};

/// ONNX Runtime writes one event a line, so a profile of a million events is never in memory whole.
Result<Events> read_events(const std::filesystem::path& path) {
    constexpr std::string_view kEnding = "_kernel_time";
    Events events;
    std::map<std::pair<std::string, std::string>, std::size_t> places;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        while (!line.empty() && (line.back() == ',' || line.back() == ']' || line.back() == '\r')) line.pop_back();
        if (line.empty() || line.front() != '{') continue;
        const auto event = nlohmann::json::parse(line, nullptr, false);
        if (event.is_discarded())
            return fail({DiagnosticKind::internal,
                         std::format("the profile '{}' is not as ONNX Runtime writes it", path.string()),
                         {},
                         {line.substr(0, 200)},
                         {}});
        const std::string name = event.value("name", "");
        const double us = event.value("dur", 0.0);
        if (name == "model_run") events.whole_us.push_back(us);
        if (event.value("cat", "") != "Node" || !name.ends_with(kEnding)) continue;
        const auto& arguments = event.at("args");
        const std::string node = name.substr(0, name.size() - kEnding.size());
        const auto [place, fresh] = places.try_emplace({node, arguments.value("node_index", "")}, events.nodes.size());
        if (fresh) events.nodes.emplace_back(node, Timed{arguments.value("op_name", ""), {}});
        events.nodes[place->second].second.us.push_back(us);
    }
    if (file.bad() || events.whole_us.empty())
        return fail({DiagnosticKind::internal, std::format("ONNX Runtime's profile '{}' holds no run", path.string()), {}, {}, {}});
    return events;
}

/// The first warm_up values of each run go. A node in a loop's body has several a run: those are left out by `joined`.
std::vector<double> without_warm_up(std::vector<double> us, std::int64_t warm_up) {
    us.erase(us.begin(), us.begin() + std::min<std::ptrdiff_t>(warm_up, static_cast<std::ptrdiff_t>(us.size()) - 1));
    return us;
}

/// Kernels and nodes with one name come in one order: ONNX Runtime executes and saves a graph in the same topological order.
std::vector<RawKernel> joined(const Events& events, const onnx::ModelNodes& model, std::int64_t warm_up) {
    std::map<std::pair<std::string, std::string>, std::vector<const onnx::ModelNode*>> waiting;  // by name and type, last first
    for (auto node = model.nodes.rbegin(); node != model.nodes.rend(); ++node) waiting[{node->name, node->op_type}].push_back(&*node);
    std::vector<RawKernel> kernels;
    for (const auto& [name, timed] : events.nodes) {
        auto found = waiting.find({name, timed.op_type});
        if (found == waiting.end() || found->second.empty()) {
            // A node without a name is called by its type and its index.
            const std::string prefix = timed.op_type + "_";
            if (name.starts_with(prefix)) found = waiting.find({"", timed.op_type});
        }
        const onnx::ModelNode* node = nullptr;
        if (found != waiting.end() && !found->second.empty()) {
            node = found->second.back();
            found->second.pop_back();
        } else if (std::ranges::binary_search(model.nested, name)) {
            continue;  // in its outer node's time
        }
        const std::vector<double> us = without_warm_up(timed.us, warm_up);
        kernels.push_back({.name = name,
                           .op_type = timed.op_type,
                           .domain = node != nullptr ? node->domain : "",
                           .inputs = node != nullptr ? node->inputs : std::vector<std::string>{},
                           .outputs = node != nullptr ? node->outputs : std::vector<std::string>{},
                           .min_us = std::ranges::min(us),
                           .median_us = median_of(us),
                           .runs = static_cast<std::int64_t>(us.size())});
    }
    return kernels;
}

std::string processor_name() {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);)
        if (line.starts_with("model name") && line.contains(':')) return line.substr(std::min(line.find(':') + 2, line.size()));
    return {};
}

}  // namespace

Result<RawProfile> run_profile(const ProfileRun& run) {
    const ProfileOptions& options = run.options;
    const std::filesystem::path optimised = run.scratch / "optimised.onnx";
    const std::string model = run.model.string();
    auto session = make_session(run.model, {.threads = options.threads,
                                            .optimisation = options.optimisation,
                                            .dimensions = options.dimensions,
                                            .profile_prefix = run.scratch / "profile",
                                            .optimised_model = optimised});
    if (!session) return fail(std::move(session.error()));
    auto bound = bind_made_up(*session, run);
    if (!bound) return fail(std::move(bound.error()));
    if (auto done = run_times(*session, *bound, options.warm_up + options.runs, model); !done) return fail(std::move(done.error()));
    const Ort::AllocatorWithDefaultOptions allocator;
    const auto file = guarded("profiling cannot be ended", [&] { return std::string(session->EndProfilingAllocated(allocator).get()); });
    if (!file) return fail(file.error());

    // The same session goes on without profiling: to optimise a large model again may take longer than all the runs.
    std::vector<double> whole_us, cpu_us;
    for (std::int64_t i = 0; i < options.runs; ++i) {
        const StopWatch one;
        if (auto done = run_times(*session, *bound, 1, model); !done) return fail(std::move(done.error()));
        whole_us.push_back(one.seconds() * 1e6);
        cpu_us.push_back(one.cpu_seconds() * 1e6);
    }
    const auto events = read_events(*file);
    if (!events) return fail(events.error());
    const auto nodes = onnx::read_model_nodes(optimised);
    if (!nodes) return fail(nodes.error());

    const std::vector<double> profiled = without_warm_up(events->whole_us, options.warm_up);
    return RawProfile{.kernels = joined(*events, *nodes, options.warm_up),
                      .whole_min_us = std::ranges::min(whole_us),
                      .whole_median_us = median_of(whole_us),
                      .profiled_min_us = std::ranges::min(profiled),
                      .profiled_median_us = median_of(profiled),
                      .whole_cpu_us = std::ranges::min(cpu_us),
                      .runs = options.runs,
                      .threads = options.threads,
                      .optimisation = options.optimisation,
                      .library = ort_name(),
                      .processor = processor_name()};
}

}  // namespace sluice::runtime
