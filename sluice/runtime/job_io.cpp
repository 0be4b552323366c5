#include "sluice/runtime/job_io.hpp"

#include <algorithm>
#include <format>
#include <utility>

namespace sluice::runtime {

namespace {

using onnx::StageTensor;

constexpr auto kBetweenTellings = std::chrono::milliseconds(100);

const program::InstructionList* list_of(const program::Program& program, program::Role role) {
    const auto found = std::ranges::find(program.lists, role, &program::InstructionList::role);
    return found == program.lists.end() ? nullptr : &*found;
}

/// Tensors of a list's channels, in the order of its instructions.
std::vector<std::string> tensors_of(const program::Program& program, program::Role role) {
    std::vector<std::string> names;
    if (const auto* list = list_of(program, role))
        for (const program::Instruction& instruction : list->body) names.push_back(program.channels[instruction.channel.index()].tensor);
    return names;
}

std::optional<std::size_t> index_of(const std::vector<StageTensor>& tensors, std::string_view name) {
    const auto found = std::ranges::find(tensors, name, &StageTensor::name);
    if (found == tensors.end()) return std::nullopt;
    return static_cast<std::size_t>(found - tensors.begin());
}

}  // namespace

Result<std::unique_ptr<JobIo>> JobIo::make(const Job& job, const onnx::Manifest& manifest,
                                           std::function<void(const Delivered&)> delivered) {
    std::unique_ptr<JobIo> io(new JobIo);
    auto source = InputSource::make(job, manifest);
    if (!source) return fail(std::move(source.error()));
    io->source_ = *std::move(source);
    io->inputs_ = job.inputs;
    io->seconds_ = job.seconds;
    if (!job.inputs && !job.seconds) io->inputs_ = io->source_->count();
    io->delivered_ = std::move(delivered);
    for (const std::string& name : tensors_of(job.program, program::Role::feed)) {
        const auto tensor = index_of(manifest.inputs, name);
        if (!tensor)
            return fail(input_error(std::format("the program feeds '{}', which is no input of '{}'", name, manifest.model))
                            .fix("export the plan again: program and stages are of different plans"));
        io->fed_.push_back(*tensor);
    }
    if (job.output)
        if (auto opened = io->open_output(job, manifest); !opened) return fail(std::move(opened.error()));
    return io;
}

Result<void> JobIo::open_output(const Job& job, const onnx::Manifest& manifest) {
    const std::vector<std::string> collected = tensors_of(job.program, program::Role::collect);
    std::vector<NpzWriter::Array> arrays;
    for (const onnx::Manifest::Output& output : manifest.outputs) {
        if (output.made_as.empty()) continue;  // the same whatever the inputs are
        Kept kept{.name = output.tensor.name, .as = output.tensor, .channel = std::nullopt};
        if (const auto found = std::ranges::find(collected, output.made_as); found != collected.end()) {
            kept.channel = static_cast<std::size_t>(found - collected.begin());
        } else if (const auto input = index_of(manifest.inputs, output.made_as)) {
            kept.tensor = *input;
        } else {
            return fail(
                input_error(std::format("output '{}' is the tensor '{}', which the program does not collect", kept.name, output.made_as))
                    .fix("export the plan again: program and stages are of different plans"));
        }
        const ElementType* type = element_type(output.tensor.element_type);
        if (type == nullptr)
            return fail(input_error(
                std::format("output '{}' has {}, which no .npz array can hold", kept.name, element_type_name(output.tensor.element_type))));
        arrays.push_back({kept.name, type});
        kept_.push_back(std::move(kept));
    }
    if (kept_.empty())
        return fail(input_error(std::format("'{}' has no output that depends on its inputs: nothing to write", manifest.model)));
    if (std::ranges::any_of(kept_, [](const Kept& kept) { return !kept.channel; })) {
        auto source = InputSource::make(job, manifest);
        if (!source) return fail(std::move(source.error()));
        passed_on_ = *std::move(source);
    }
    auto writer = NpzWriter::create(*job.output, std::move(arrays));
    if (!writer) return fail(std::move(writer.error()));
    writer_ = *std::move(writer);
    return {};
}

bool JobIo::wanted(std::int64_t input) {
    if (drained_ || (inputs_ && input >= *inputs_)) return false;
    return !seconds_ || std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count() < *seconds_;
}

Result<void> JobIo::feed(std::int64_t input, std::size_t channel, const Message& message) {
    return source_->fill(input, channel, fed_[channel], message);
}

Result<void> JobIo::collect(std::int64_t input, std::span<const Message> messages) {
    for (std::size_t k = 0; k < kept_.size(); ++k) {
        const Kept& kept = kept_[k];
        MessageHeader header;
        Message message{&header, {}};
        if (kept.channel) {
            message = messages[*kept.channel];
        } else {
            scratch_.resize(static_cast<std::size_t>(kept.as.bytes.count));
            message.data = scratch_;
            if (auto filled = passed_on_->fill(input, k, kept.tensor, message); !filled) return filled;
        }
        std::span<const std::int64_t> shape = kept.as.shape;
        if (message.header->rank >= 0) shape = std::span(message.header->shape).first(static_cast<std::size_t>(message.header->rank));
        const auto bytes = bytes_of(*element_type(kept.as.element_type), shape);
        if (!bytes || std::cmp_greater(*bytes, message.data.size()))
            return fail(
                {DiagnosticKind::internal,
                 std::format("output '{}' arrived with the shape {} in {} bytes", kept.name, shape_text(shape), message.data.size()),
                 {},
                 {},
                 {}});
        if (auto written = writer_->append(k, shape, message.data.first(static_cast<std::size_t>(*bytes))); !written) return written;
    }
    collected_ = input + 1;
    if (const auto now = std::chrono::steady_clock::now(); told_ == 0 || now - last_told_ >= kBetweenTellings) tell();
    return {};
}

void JobIo::tell() {
    last_told_ = std::chrono::steady_clock::now();
    told_ = collected_;
    if (delivered_) delivered_({.inputs = collected_, .seconds = std::chrono::duration<double>(last_told_ - start_).count()});
}

Result<void> JobIo::finish() {
    if (told_ != collected_ || collected_ == 0) tell();
    return writer_ ? writer_->finish() : Result<void>{};
}

}  // namespace sluice::runtime
