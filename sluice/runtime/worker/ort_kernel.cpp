#include "sluice/runtime/worker/ort_kernel.hpp"

#include <algorithm>
#include <cstring>
#include <format>
#include <optional>

#include "sluice/runtime/made_up.hpp"
#include "sluice/runtime/worker/clock.hpp"
#include "sluice/runtime/worker/ort.hpp"

namespace sluice::runtime {

namespace {

using onnx::StageTensor;

/// The tensors called `names`, in that order; each of `tensors` must be among them.
Result<std::vector<StageTensor>> in_order(std::span<const StageTensor> tensors, std::span<const std::string> names, std::string_view what,
                                          const std::string& file) {
    std::vector<StageTensor> ordered;
    for (const std::string& name : names) {
        const auto found = std::ranges::find(tensors, name, &StageTensor::name);
        if (found == tensors.end())
            return fail(input_error(std::format("the program has '{}' as {} of '{}', which has none of that name", name, what, file))
                            .fix("export the plan again: program and stages are of different plans"));
        ordered.push_back(*found);
    }
    for (const StageTensor& tensor : tensors)
        if (!std::ranges::contains(names, tensor.name))
            return fail(input_error(std::format("{} '{}' of '{}' is no part of the program", what, tensor.name, file))
                            .fix("export the plan again: program and stages are of different plans"));
    return ordered;
}

/// What the manifest says of a tensor must be what the model file says.
Result<void> check(std::span<const StageTensor> tensors, std::span<const Port> ports, std::string_view what, const std::string& file) {
    for (const StageTensor& tensor : tensors) {
        const auto port = std::ranges::find(ports, tensor.name, &Port::name);
        if (port == ports.end())
            return fail(input_error(std::format("'{}' has no {} '{}', which its manifest names", file, what, tensor.name)));
        const ElementType* type = element_type(tensor.element_type);
        if (type == nullptr)
            return fail(input_error(std::format("{} '{}' of '{}' has {}, which cannot be passed on", what, tensor.name, file,
                                                element_type_name(tensor.element_type)))
                            .fix("cut the model elsewhere"));
        if (port->element_type != tensor.element_type)
            return fail(input_error(std::format("{} '{}' of '{}' is {}, its manifest says {}", what, tensor.name, file,
                                                element_type_name(port->element_type), element_type_name(tensor.element_type))));
        const auto bytes = bytes_of(*type, tensor.shape);
        if (!bytes || *bytes > tensor.bytes.count)
            return fail(input_error(std::format("'{}' in the manifest of '{}' has shape {} and {} bytes", tensor.name, file,
                                                shape_text(tensor.shape), tensor.bytes.count)));
    }
    return {};
}

std::int64_t elements_of(std::span<const std::int64_t> shape) {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    return count;
}

}  // namespace

struct OrtKernel::State {
    Ort::Session session;
    std::string file;
    std::vector<StageTensor> inputs, outputs;
    Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
    Ort::RunOptions run_options{};
    std::vector<std::optional<Ort::IoBinding>> slots;

    [[nodiscard]] Ort::Value tensor(const StageTensor& of, const Message& message, std::span<const std::int64_t> shape) const {
        const auto bytes = elements_of(shape) * element_type(of.element_type)->bytes;
        return Ort::Value::CreateTensor(memory, message.data.data(), static_cast<std::size_t>(bytes), shape.data(), shape.size(),
                                        static_cast<ONNXTensorElementDataType>(of.element_type));
    }

    /// A stage of nothing but operators that lead nowhere makes nothing, and ONNX Runtime refuses a run that asks for nothing.
    void run(Ort::IoBinding& binding) {
        if (!outputs.empty()) session.Run(run_options, binding);
    }

    [[nodiscard]] Result<void> check_room(std::span<const Message> from, std::span<const Message> to) const {
        const auto check = [&](const StageTensor& tensor, const Message& message) -> Result<void> {
            if (std::cmp_greater_equal(message.data.size(), tensor.bytes.count)) return {};
            return fail({DiagnosticKind::internal,
                         std::format("'{}' has {} bytes, its buffer {}", tensor.name, tensor.bytes.count, message.data.size()),
                         {},
                         {},
                         {}});
        };
        for (std::size_t i = 0; i < inputs.size(); ++i)
            if (auto fine = check(inputs[i], from[i]); !fine) return fine;
        for (std::size_t i = 0; i < outputs.size(); ++i)
            if (auto fine = check(outputs[i], to[i]); !fine) return fine;
        return {};
    }

    [[nodiscard]] Ort::IoBinding bind(std::span<const Message> from, std::span<const Message> to) {
        Ort::IoBinding binding(session);
        for (std::size_t i = 0; i < inputs.size(); ++i)
            binding.BindInput(inputs[i].name.c_str(), tensor(inputs[i], from[i], inputs[i].shape));
        for (std::size_t i = 0; i < outputs.size(); ++i) {
            if (outputs[i].varies)
                binding.BindOutput(outputs[i].name.c_str(), memory);
            else
                binding.BindOutput(outputs[i].name.c_str(), tensor(outputs[i], to[i], outputs[i].shape));
        }
        return binding;
    }

    /// Diagnostic: a shape that is none, or larger than the buffer.
    [[nodiscard]] Result<void> bind_varying(Ort::IoBinding& binding, std::span<const Message> from) const {
        // Else the tensor made by the run before would be the one to fill, whatever the shape is now.
        for (const StageTensor& output : outputs)
            if (output.varies) binding.BindOutput(output.name.c_str(), memory);
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            if (!inputs[i].varies) continue;
            const MessageHeader& header = *from[i].header;
            std::span<const std::int64_t> shape = inputs[i].shape;
            if (header.rank >= 0 && std::cmp_less_equal(header.rank, header.shape.size()))
                shape = std::span(header.shape).first(static_cast<std::size_t>(header.rank));
            const auto bytes = bytes_of(*element_type(inputs[i].element_type), shape);
            if (!bytes || std::cmp_greater(*bytes, from[i].data.size()))
                return fail(
                    {DiagnosticKind::internal, std::format("'{}' came with the shape {}", inputs[i].name, shape_text(shape)), {}, {}, {}});
            binding.BindInput(inputs[i].name.c_str(), tensor(inputs[i], from[i], shape));
        }
        return {};
    }

    [[nodiscard]] Result<void> copy_varying(const Ort::IoBinding& binding, std::span<const Message> to) const {
        if (std::ranges::none_of(outputs, &StageTensor::varies)) return {};
        const std::vector<Ort::Value> values = binding.GetOutputValues();
        for (std::size_t i = 0; i < outputs.size(); ++i) {
            if (!outputs[i].varies) continue;
            const auto shape = values[i].GetTensorTypeAndShapeInfo().GetShape();
            const auto bytes = bytes_of(*element_type(outputs[i].element_type), shape).value_or(-1);
            MessageHeader& header = *to[i].header;
            if (bytes < 0 || std::cmp_greater(bytes, to[i].data.size()) || shape.size() > header.shape.size())
                return fail(
                    input_error(std::format("'{}' turned out to be {}, {} bytes; room was planned for {}, {} bytes", outputs[i].name,
                                            shape_text(shape), bytes, shape_text(outputs[i].shape), to[i].data.size()))
                        .fix("plan and export again with larger --dim or --assume-size"));
            if (bytes > 0) std::memcpy(to[i].data.data(), values[i].GetTensorRawData(), static_cast<std::size_t>(bytes));
            header.bytes = bytes;
            header.rank = static_cast<std::int64_t>(shape.size());
            std::ranges::copy(shape, header.shape.begin());
        }
        return {};
    }
};

OrtKernel::OrtKernel(std::unique_ptr<State> state) : state_(std::move(state)) {}
OrtKernel::~OrtKernel() = default;

Result<std::unique_ptr<OrtKernel>> OrtKernel::make(const onnx::StageModel& stage, const std::filesystem::path& folder,
                                                   std::span<const std::string> inputs, std::span<const std::string> outputs,
                                                   const KernelOptions& options) {
    auto from = in_order(stage.inputs, inputs, "an input", stage.file);
    if (!from) return fail(std::move(from.error()));
    auto to = in_order(stage.outputs, outputs, "an output", stage.file);
    if (!to) return fail(std::move(to.error()));
    const bool vary = std::ranges::any_of(*from, &StageTensor::varies) || std::ranges::any_of(*to, &StageTensor::varies);
    auto session =
        make_session(folder / stage.file, {.threads = options.threads, .optimisation = options.optimisation, .shapes_vary = vary});
    if (!session) return fail(std::move(session.error()));
    const auto ports = ports_of(*session, stage.file);
    if (!ports) return fail(ports.error());
    if (auto fine = check(*from, ports->inputs, "input", stage.file); !fine) return fail(std::move(fine.error()));
    if (auto fine = check(*to, ports->outputs, "output", stage.file); !fine) return fail(std::move(fine.error()));
    return std::unique_ptr<OrtKernel>(
        new OrtKernel(std::make_unique<State>(*std::move(session), stage.file, *std::move(from), *std::move(to))));
}

Result<void> OrtKernel::run(std::int64_t slot, std::span<const Message> inputs, std::span<const Message> outputs) {
    State& state = *state_;
    auto done = guarded(std::format("'{}' failed", state.file), [&]() -> Result<void> {
        const auto at = static_cast<std::size_t>(slot);
        if (at >= state.slots.size()) state.slots.resize(at + 1);
        if (!state.slots[at]) {
            if (auto enough = state.check_room(inputs, outputs); !enough) return enough;
            state.slots[at] = state.bind(inputs, outputs);
        }
        Ort::IoBinding& binding = *state.slots[at];
        if (auto bound = state.bind_varying(binding, inputs); !bound) return bound;
        state.run(binding);
        return state.copy_varying(binding, outputs);
    });
    if (!done) return fail(std::move(done.error()));
    return *std::move(done);
}

std::vector<StageTime> OrtKernel::rehearse(std::int64_t least, std::int64_t most, double seconds) {
    State& state = *state_;
    std::vector<std::vector<std::byte>> buffers;
    const auto messages = [&](std::span<const StageTensor> tensors) {
        std::vector<Message> made;
        for (const StageTensor& tensor : tensors) {
            std::vector<std::byte>& buffer = buffers.emplace_back(static_cast<std::size_t>(tensor.bytes.count) + 64);
            void* start = buffer.data();
            std::size_t room = buffer.size();
            std::align(64, static_cast<std::size_t>(tensor.bytes.count), start, room);
            made.push_back({nullptr, {static_cast<std::byte*>(start), static_cast<std::size_t>(tensor.bytes.count)}});
        }
        return made;
    };
    const std::vector<Message> inputs = messages(state.inputs), outputs = messages(state.outputs);
    for (std::size_t i = 0; i < inputs.size(); ++i)
        make_up(*element_type(state.inputs[i].element_type), state.inputs[i].name, 0, 0, inputs[i].data);
    const auto times = [&] {
        std::vector<StageTime> made;
        return guarded("rehearsal", [&] {
            Ort::IoBinding binding = state.bind(inputs, outputs);
            const StopWatch all;
            while (std::cmp_less(made.size(), least) || (std::cmp_less(made.size(), most) && all.seconds() < seconds)) {
                const StopWatch one;
                state.run(binding);
                made.push_back({one.seconds() * 1e3, one.cpu_seconds() * 1e3});
            }
            return std::move(made);
        });
    };
    if (auto made = times()) return *std::move(made);
    for (const Message& message : inputs) std::ranges::fill(message.data, std::byte{0});
    return times().value_or(std::vector<StageTime>{});
}

}  // namespace sluice::runtime
