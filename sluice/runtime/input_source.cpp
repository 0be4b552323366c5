// Where a model's inputs come from: a pool that is made up, or a file that is read as it is needed.
#include <algorithm>
#include <cstring>
#include <format>
#include <map>

#include "sluice/base/units.hpp"
#include "sluice/runtime/job_io.hpp"
#include "sluice/runtime/made_up.hpp"

namespace sluice::runtime {

namespace {

using onnx::StageTensor;

constexpr std::int64_t kLargestPool = std::int64_t{256} << 20;

class MadeUp final : public InputSource {
public:
    MadeUp(const Job& job, const onnx::Manifest& manifest) : tensors_(manifest.inputs), seed_(job.seed), pool_(manifest.inputs.size()) {
        std::int64_t bytes = 1;
        for (const StageTensor& tensor : tensors_) bytes += tensor.bytes.count;
        distinct_ = std::clamp<std::int64_t>(kLargestPool / bytes, 1, job.distinct_inputs);
    }
    [[nodiscard]] std::optional<std::int64_t> count() const override { return std::nullopt; }
    Result<void> fill(std::int64_t input, std::size_t, std::size_t tensor, const Message& message) override {
        const std::int64_t which = input % distinct_;
        auto [made, fresh] = pool_[tensor].try_emplace(which);
        if (fresh) {
            made->second.resize(static_cast<std::size_t>(tensors_[tensor].bytes.count));
            make_up(*element_type(tensors_[tensor].element_type), tensors_[tensor].name, seed_, which, made->second);
        }
        std::ranges::copy(made->second, message.data.begin());
        return {};
    }

private:
    std::vector<StageTensor> tensors_;
    std::uint64_t seed_;
    std::int64_t distinct_ = 1;
    std::vector<std::map<std::int64_t, std::vector<std::byte>>> pool_;
};

std::span<const std::int64_t> shape_of_one(const NpyHeader& header, const StageTensor& tensor) {
    return std::span(header.shape).last(tensor.shape.size());
}

/// Whether one entry is this input, or a stack of them.
bool fits(const NpyHeader& header, const StageTensor& tensor) {
    if (header.shape.size() != tensor.shape.size() && header.shape.size() != tensor.shape.size() + 1) return false;
    const auto shape = shape_of_one(header, tensor);
    if (!tensor.varies) return std::ranges::equal(shape, tensor.shape);
    const auto bytes = bytes_of(*header.type, shape);
    return bytes && *bytes <= tensor.bytes.count;
}

Result<std::int64_t> check(const NpzFile& npz, const std::string& path, const onnx::Manifest& manifest) {
    std::vector<std::string> names;
    for (const StageTensor& tensor : manifest.inputs) names.push_back(tensor.name);
    for (const NpzEntry& entry : npz.entries()) {
        if (std::ranges::contains(names, entry.name)) continue;
        Diagnostic diagnostic = input_error(std::format("'{}' holds '{}', which is no input of '{}'", path, entry.name, manifest.model));
        const std::string near = nearest_match(entry.name, names);
        if (!near.empty()) diagnostic.help = std::format("did you mean '{}'?", near);
        for (const std::string& name : names) diagnostic.notes.push_back(std::format("an input is '{}'", name));
        if (diagnostic.notes.size() > 8) diagnostic.notes.resize(8);
        return fail(std::move(diagnostic));
    }
    std::optional<std::int64_t> count;
    const std::string* counted = nullptr;
    for (const StageTensor& tensor : manifest.inputs) {
        const NpzEntry* entry = npz.find(tensor.name);
        if (entry == nullptr)
            return fail(input_error(std::format("'{}' lacks the input '{}'", path, tensor.name))
                            .fix(std::format("add an array '{}' of {}, shape {} or with one more axis before it", tensor.name,
                                             element_type_name(tensor.element_type), shape_text(tensor.shape))));
        if (entry->header.type->number != tensor.element_type)
            return fail(input_error(std::format("'{}' of '{}' is {}, the model's input is {}", tensor.name, path, entry->header.type->name,
                                                element_type_name(tensor.element_type)))
                            .fix(std::format("save it as .astype('{}')", element_type_name(tensor.element_type))));
        if (!fits(entry->header, tensor))
            return fail(input_error(std::format("'{}' of '{}' has shape {}, the model's input {}{}", tensor.name, path,
                                                shape_text(entry->header.shape), tensor.varies ? "at most " : "", shape_text(tensor.shape)))
                            .fix("give it that shape, or several stacked along one more axis before it"));
        if (entry->header.shape.size() == tensor.shape.size()) continue;
        const std::int64_t stacked = entry->header.shape.front();
        if (stacked == 0) return fail(input_error(std::format("'{}' of '{}' holds no input: its first axis is 0", tensor.name, path)));
        if (count && *count != stacked)
            return fail(input_error(std::format("'{}' holds {} of '{}' and {} of '{}'", path, *count, *counted, stacked, tensor.name)));
        count = stacked;
        counted = &tensor.name;
    }
    return count.value_or(1);
}

class FromFile final : public InputSource {
public:
    FromFile(NpzFile npz, std::vector<StageTensor> tensors, std::int64_t count)
        : npz_(std::move(npz)), tensors_(std::move(tensors)), count_(count) {}
    [[nodiscard]] std::optional<std::int64_t> count() const override { return count_; }
    Result<void> fill(std::int64_t input, std::size_t reader, std::size_t tensor, const Message& message) override {
        if (reader >= readers_.size()) readers_.resize(reader + 1);
        Reader& at = readers_[reader];
        const NpzEntry& entry = *npz_.find(tensors_[tensor].name);
        const auto shape = shape_of_one(entry.header, tensors_[tensor]);
        const auto bytes = static_cast<std::size_t>(bytes_of(*entry.header.type, shape).value_or(0));
        const bool stacked = entry.header.shape.size() > tensors_[tensor].shape.size();
        if (stacked || at.only.empty()) {
            if (!at.stream || input % count_ == 0) {
                auto stream = npz_.stream(entry);
                if (!stream) return fail(std::move(stream.error()));
                at.stream = *std::move(stream);
            }
            if (auto got = at.stream->read(message.data.first(bytes)); !got) return got;
            if (!stacked) at.only.assign(message.data.begin(), message.data.begin() + static_cast<std::ptrdiff_t>(bytes));
        } else {
            std::ranges::copy(at.only, message.data.begin());
        }
        if (tensors_[tensor].varies) {
            message.header->bytes = static_cast<std::int64_t>(bytes);
            message.header->rank = static_cast<std::int64_t>(shape.size());
            std::ranges::copy(shape, message.header->shape.begin());
        }
        return {};
    }

private:
    struct Reader {
        std::unique_ptr<NpzStream> stream;
        std::vector<std::byte> only;  // of an array that is the same for every input
    };
    NpzFile npz_;
    std::vector<StageTensor> tensors_;
    std::int64_t count_;
    std::vector<Reader> readers_;
};

}  // namespace

Result<std::int64_t> inputs_in(const std::filesystem::path& file, const onnx::Manifest& manifest) {
    const auto npz = NpzFile::open(file);
    if (!npz) return fail(npz.error());
    return check(*npz, file.string(), manifest);
}

Result<std::unique_ptr<InputSource>> InputSource::make(const Job& job, const onnx::Manifest& manifest) {
    for (const StageTensor& tensor : manifest.inputs)
        if (element_type(tensor.element_type) == nullptr || tensor.shape.size() > MessageHeader{}.shape.size())
            return fail(input_error(std::format("input '{}' is {} of {} axes, which cannot be passed on", tensor.name,
                                                element_type_name(tensor.element_type), tensor.shape.size())));
    if (!job.input) return std::make_unique<MadeUp>(job, manifest);
    auto npz = NpzFile::open(*job.input);
    if (!npz) return fail(std::move(npz.error()));
    const auto count = check(*npz, job.input->string(), manifest);
    if (!count) return fail(count.error());
    return std::make_unique<FromFile>(*std::move(npz), manifest.inputs, *count);
}

}  // namespace sluice::runtime
