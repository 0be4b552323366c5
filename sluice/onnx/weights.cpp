#include "sluice/onnx/weights.hpp"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <format>
#include <fstream>
#include <span>

#include "sluice/base/files.hpp"
#include "sluice/base/new_file.hpp"
#include "sluice/base/random.hpp"
#include "sluice/base/small_floats.hpp"
#include "sluice/base/units.hpp"
#include "sluice/onnx/external.hpp"
#include "sluice/onnx/import/parse.hpp"
#include "sluice/onnx/weights/roles.hpp"
#include "sluice/onnx/zoo.hpp"
#include "sluice/onnx/zoo/fill.hpp"

namespace sluice::onnx {

namespace fs = std::filesystem;

namespace {

using ::onnx::TensorProto;

/// Yields an initializer's bytes in order, in pieces of a multiple of 8 bytes or all that is left.
class RandomData {
public:
    RandomData(const TensorProto& tensor, Normal normal, std::uint64_t seed)
        : type_(tensor.data_type()), normal_(normal), random_(seed, stream_of(tensor.name())) {
        if (const int rank = tensor.dims_size(); rank >= 2) {
            rows_ = std::max<std::int64_t>(1, tensor.dims(rank - 2));
            columns_ = std::max<std::int64_t>(1, tensor.dims(rank - 1));
        }
    }

    void next(std::span<char> piece) {
        const auto draw = [&] {
            return normal_.mean + normal_.deviation * zoo::kInverseDeviation * static_cast<double>(zoo::centred_sum(random_));
        };
        switch (type_) {
            case TensorProto::FLOAT:
                return zoo::fill<float>(piece, [&] { return static_cast<float>(draw()); });
            case TensorProto::DOUBLE:
                return zoo::fill<double>(piece, draw);
            case TensorProto::FLOAT16:
                return zoo::fill<Float16>(piece, [&] { return static_cast<Float16>(draw()); });
            case TensorProto::BFLOAT16:
                return zoo::fill<BFloat16>(piece, [&] { return static_cast<BFloat16>(static_cast<float>(draw())); });
            case TensorProto::BOOL:
                return zoo::fill<char>(piece, [&] {
                    const bool visible = at_ % columns_ <= at_ / columns_ % rows_;
                    ++at_;
                    return static_cast<char>(visible);
                });
            default:
                std::ranges::fill(piece, '\0');
        }
    }

private:
    static std::uint64_t stream_of(const std::string& name) {
        std::uint64_t number = 0;
        const std::string digits = fingerprint_of(name).substr(0, 16);
        std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
        return number;
    }

    std::int32_t type_;
    Normal normal_;
    RandomStream random_;
    std::int64_t rows_ = 1, columns_ = 1, at_ = 0;
};

bool is_real(std::int32_t type) {
    return type == TensorProto::FLOAT || type == TensorProto::DOUBLE || type == TensorProto::FLOAT16 || type == TensorProto::BFLOAT16;
}

class Making {
public:
    Making(::onnx::ModelProto& model, std::string_view name, const fs::path& folder, std::uint64_t seed, const std::stop_token& stop)
        : model_(model), path_(folder / std::format("{}.onnx", name)), seed_(seed), stop_(stop) {}

    Result<fs::path> run(WeightSource weights) {
        const std::string location = path_.filename().string() + ".weights";
        std::vector<std::pair<TensorProto*, ExternalData>> parts;
        std::int64_t end = 0;
        bool fits = true;
        for_each_initializer(*model_.mutable_graph(), [&](TensorProto& tensor) {
            if (!is_external(tensor) && !is_absent(tensor)) return;
            ExternalData data{location, to_page(end), data_bytes(tensor)};
            const auto after = checked_add(data.offset, data.bytes);
            fits = fits && after && *after < (std::int64_t{1} << 62);
            if (fits) end = *after;
            parts.emplace_back(&tensor, std::move(data));
        });
        if (!fits) return fail(input_error(std::format("the weights of '{}' take more than 2^62 bytes", path_.string())));
        if (auto room = check_room(weights == WeightSource::zero ? 0 : end); !room) return fail(std::move(room.error()));
        auto file = NewFile::make(path_.string() + ".weights");
        if (!file) return fail(std::move(file.error()));
        if (auto grown = file->resize(end); !grown) return fail(std::move(grown.error()));
        if (weights == WeightSource::random) {
            const auto roles = fill_roles(model_.graph());
            for (const auto& [tensor, data] : parts) {
                const auto role = roles.find(tensor->name());
                if (auto done = write(*file, *tensor, data, role == roles.end() ? Normal{} : role->second); !done)
                    return fail(std::move(done.error()));
            }
        }
        for (const auto& [tensor, data] : parts) set_external(*tensor, data);
        // Weights first: a new model file always finds them.
        return file->finish().and_then([&] { return write_file(path_, model_.SerializeAsString()); }).transform([&] { return path_; });
    }

private:
    [[nodiscard]] Result<void> check_room(std::int64_t bytes) const {
        std::error_code error;
        const auto space = fs::space(path_.parent_path(), error);
        if (error || space.available >= static_cast<std::uintmax_t>(bytes)) return {};
        return fail(input_error(std::format("made-up weights for '{}' take {}, its disk has {} left", path_.string(), to_text(Bytes{bytes}),
                                            to_text(Bytes{static_cast<std::int64_t>(space.available)})))
                        .fix("free some room, or run with zeros, which take none: --weights zero"));
    }

    [[nodiscard]] Result<void> write(const NewFile& file, const TensorProto& tensor, const ExternalData& data, Normal normal) {
        if (!is_real(tensor.data_type()) && tensor.data_type() != TensorProto::BOOL) return {};  // zeros, which the file has already
        RandomData source(tensor, normal, seed_);
        buffer_.resize(static_cast<std::size_t>(kWeightBuffer));
        for (std::int64_t done = 0; done < data.bytes;) {
            if (stop_.stop_requested()) return fail({DiagnosticKind::stopped, "stopped while making weights", {}, {}, {}});
            const std::span piece(buffer_.data(), static_cast<std::size_t>(std::min(kWeightBuffer, data.bytes - done)));
            source.next(piece);
            if (auto written = file.write_at(data.offset + done, {piece.data(), piece.size()}); !written) return written;
            done += static_cast<std::int64_t>(piece.size());
        }
        return {};
    }

    ::onnx::ModelProto& model_;
    fs::path path_;
    std::uint64_t seed_;
    const std::stop_token& stop_;
    std::string buffer_;
};

bool is_packed(const fs::path& path) {
    char head[2] = {};
    return std::ifstream(path, std::ios::binary).read(head, 2) && head[0] == '\x1f' && head[1] == '\x8b';
}

/// A packed model is no file that ONNX Runtime reads: its content goes into `folder`, with links to the weights beside it.
Result<fs::path> unpack(::onnx::ModelProto& model, const fs::path& path, std::string_view name, const fs::path& folder) {
    std::unordered_map<std::string, std::string> links;
    std::error_code error;
    for_each_initializer(*model.mutable_graph(), [&](TensorProto& tensor) {
        if (!is_external(tensor) || error) return;
        ExternalData data = external_of(tensor);
        const auto [link, fresh] = links.try_emplace(data.location, std::format("{}.onnx.weights-{}", name, links.size()));
        if (fresh) {
            const fs::path source = fs::canonical(path.parent_path() / data.location, error);
            if (!error) fs::remove(folder / link->second, error);
            if (!error) fs::create_symlink(source.lexically_relative(fs::canonical(folder, error)), folder / link->second, error);
        }
        data.location = link->second;
        set_external(tensor, data);
    });
    if (error)
        return fail(
            input_error(std::format("cannot link the weights of '{}' into '{}': {}", path.string(), folder.string(), error.message())));
    const fs::path unpacked = folder / std::format("{}.onnx", name);
    return write_file(unpacked, model.SerializeAsString()).transform([&] { return unpacked; });
}

Result<void> check_weights(::onnx::ModelProto& model, const fs::path& path) {
    Result<void> result;
    for_each_initializer(*model.mutable_graph(), [&](const TensorProto& tensor) {
        if (!result) return;
        if (is_absent(tensor))
            result = fail(absent_weights(path, std::format("initializer '{}' was saved without its data", tensor.name())));
        else if (is_external(tensor))
            result = find_weights(path, external_of(tensor), tensor.name()).transform([](const auto&) {});
    });
    return result;
}

Result<std::unique_ptr<::onnx::ModelProto>> read_model(std::string_view bytes, const std::string& name) {
    auto model = parse_model(bytes, name);
    if (!model) return model;
    if (auto checked = check_model(**model, name); !checked) return fail(std::move(checked.error()));
    return model;
}

std::string name_of(std::string_view model) {
    if (model.starts_with("zoo:")) return std::string(model.substr(4, model.substr(4).find(':')));
    std::string name = fs::path(model).filename().string();
    for (const std::string_view suffix : {".gz", ".onnx"}) {
        if (name.ends_with(suffix) && name.size() > suffix.size()) name.resize(name.size() - suffix.size());
    }
    return name;
}

Result<fs::path> make(std::string_view model, WeightSource weights, std::uint64_t seed, const fs::path& folder,
                      const std::stop_token& stop) {
    const bool zoo = model.starts_with("zoo:");
    const std::string name = name_of(model), file(model);
    const auto make_folder = [&]() -> Result<void> {
        std::error_code error;
        fs::create_directories(folder, error);
        if (!error) return {};
        return fail(input_error(std::format("cannot make the folder '{}': {}", folder.string(), error.message())));
    };
    if (zoo && weights != WeightSource::zero) {
        const fs::path path = folder / std::format("{}.onnx", name);
        return make_folder().and_then([&] { return zoo_write_external(model, seed, path, stop); }).transform([&] { return path; });
    }
    auto bytes = zoo ? zoo_bytes(model) : read_file(fs::path(model), kLargestModelFile);
    if (!bytes) return fail(std::move(bytes.error()));
    auto proto = read_model(*bytes, file);
    if (!proto) return fail(std::move(proto.error()));
    std::string().swap(*bytes);
    if (weights != WeightSource::file)
        return make_folder().and_then([&] { return Making(**proto, name, folder, seed, stop).run(weights); });
    if (auto there = check_weights(**proto, model); !there) return fail(std::move(there.error()));
    if (!is_packed(model)) return fs::path(model);
    return make_folder().and_then([&] { return unpack(**proto, model, name, folder); });
}

}  // namespace

Result<fs::path> materialise(std::string_view model, WeightSource weights, std::uint64_t seed, const fs::path& folder,
                             const std::stop_token& stop) {
    // protobuf throws; nothing of ours does.
    try {
        return make(model, weights, seed, folder, stop);
    } catch (const std::exception& error) {
        return fail({DiagnosticKind::internal, std::format("making weights for '{}' failed: {}", model, error.what()), {}, {}, {}});
    }
}

}  // namespace sluice::onnx
