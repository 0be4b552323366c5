#include "sluice/onnx/zoo/file_pair.hpp"

#include <algorithm>
#include <system_error>

#include "sluice/base/new_file.hpp"
#include "sluice/base/units.hpp"
#include "sluice/onnx/external.hpp"
#include "sluice/onnx/zoo/fill.hpp"

namespace sluice::onnx::zoo {

namespace {

Result<void> check_place(const std::filesystem::path& path, const Model& model, std::int64_t bytes) {
    std::error_code error;
    for (const auto& target : {path, data_path(path)}) {
        if (!std::filesystem::exists(target, error) || std::filesystem::is_regular_file(target, error)) continue;
        return fail(
            input_error("cannot write '" + target.string() + "': it is there and is no regular file").fix("write the model elsewhere"));
    }
    const auto space = std::filesystem::space(path.has_parent_path() ? path.parent_path() : ".", error);
    if (!error && space.available < static_cast<std::uintmax_t>(bytes)) {
        return fail(input_error("'" + model.name + "' with weights takes " + to_text(Bytes{bytes}) + ", the disk of '" + path.string() +
                                "' has " + to_text(Bytes{static_cast<std::int64_t>(space.available)}) + " left")
                        .fix("make its sizes smaller, write it elsewhere, or leave the weights out"));
    }
    return {};
}

Result<void> stream_data(const NewFile& file, const Model& model, const DataLayout& layout, std::uint64_t seed,
                         const std::stop_token& stop) {
    std::string buffer(static_cast<std::size_t>(std::min(kWeightBuffer, layout.bytes)), '\0');
    for (std::size_t i = 0; i < model.initializers.size(); ++i) {
        if (!layout.offsets[i]) continue;
        std::int64_t offset = *layout.offsets[i];
        for (DataSource source(model.initializers[i], seed, i); source.left() > 0;) {
            if (stop.stop_requested())
                return fail({DiagnosticKind::stopped, "stopped while writing '" + file.target().string() + "'", {}, {}, {}});
            const std::span piece(buffer.data(), static_cast<std::size_t>(std::min(kWeightBuffer, source.left())));
            source.next(piece);
            if (auto done = file.write_at(offset, {piece.data(), piece.size()}); !done) return done;
            offset += static_cast<std::int64_t>(piece.size());
        }
    }
    return {};
}
}  // namespace

std::filesystem::path data_path(const std::filesystem::path& path) {
    std::filesystem::path data = path;
    return data += ".weights";
}

Result<void> write_pair(const std::filesystem::path& path, std::string_view model_file, const Model& model, const DataLayout& layout,
                        std::uint64_t seed, const std::stop_token& stop) {
    if (auto fine = check_place(path, model, layout.bytes + static_cast<std::int64_t>(model_file.size())); !fine) return fine;
    auto data = NewFile::make(data_path(path));
    if (!data) return fail(std::move(data.error()));
    auto file = NewFile::make(path);
    if (!file) return fail(std::move(file.error()));
    // Data first: a new model file always finds its weights.
    return stream_data(*data, model, layout, seed, stop)
        .and_then([&] { return data->flush(); })
        .and_then([&] { return file->write_at(0, model_file); })
        .and_then([&] { return file->flush(); })
        .and_then([&] { return data->finish(); })
        .and_then([&] { return file->finish(); });
}

}  // namespace sluice::onnx::zoo
