#include "sluice/onnx/zoo/file_pair.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "sluice/base/units.hpp"
#include "sluice/onnx/zoo/fill.hpp"

namespace sluice::onnx::zoo {

namespace {
constexpr std::int64_t kBuffer = std::int64_t{1} << 20;

/// A temporary neighbour of `target` that vanishes unless it is renamed. The members below yield false with errno on failure.
class NewFile {
public:
    explicit NewFile(std::filesystem::path target)
        : target_(std::move(target)),
          temporary_(target_.string() + ".writing." + std::to_string(::getpid())),
          descriptor_(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {}
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile() {
        if (descriptor_ < 0) return;
        ::close(descriptor_);
        if (!renamed_) ::unlink(temporary_.c_str());
    }

    [[nodiscard]] const std::filesystem::path& target() const { return target_; }
    [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
    [[nodiscard]] bool write_at(std::int64_t offset, std::string_view piece) const {
        while (!piece.empty()) {
            const ssize_t written = ::pwrite(descriptor_, piece.data(), piece.size(), offset);
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) return false;
            piece.remove_prefix(static_cast<std::size_t>(written));
            offset += written;
        }
        return true;
    }
    [[nodiscard]] bool flush() const { return ::fsync(descriptor_) == 0; }
    [[nodiscard]] bool rename() {
        renamed_ = ::rename(temporary_.c_str(), target_.c_str()) == 0;
        return renamed_;
    }

private:
    std::filesystem::path target_, temporary_;
    int descriptor_;
    bool renamed_ = false;
};

std::unexpected<Diagnostic> failure(const NewFile& file, std::string_view what) {
    const int error = errno;
    return fail(
        input_error("cannot " + std::string(what) + " '" + file.target().string() + "': " + std::generic_category().message(error)));
}

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
    std::string buffer(static_cast<std::size_t>(std::min(kBuffer, layout.bytes)), '\0');
    for (std::size_t i = 0; i < model.initializers.size(); ++i) {
        if (!layout.offsets[i]) continue;
        std::int64_t offset = *layout.offsets[i];
        for (DataSource source(model.initializers[i], seed, i); source.left() > 0;) {
            if (stop.stop_requested())
                return fail({DiagnosticKind::stopped, "stopped while writing '" + file.target().string() + "'", {}, {}, {}});
            const std::span piece(buffer.data(), static_cast<std::size_t>(std::min(kBuffer, source.left())));
            source.next(piece);
            if (!file.write_at(offset, {piece.data(), piece.size()})) return failure(file, "write");
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
    NewFile data(data_path(path)), file(path);
    for (const NewFile* made : {&data, &file}) {
        if (!made->is_open()) return failure(*made, "create");
    }
    if (auto done = stream_data(data, model, layout, seed, stop); !done) return done;
    if (!data.flush()) return failure(data, "write");
    if (!file.write_at(0, model_file) || !file.flush()) return failure(file, "write");
    // Data first: a new model file always finds its weights.
    if (!data.rename()) return failure(data, "rename to");
    if (!file.rename()) return failure(file, "rename to");
    return {};
}

}  // namespace sluice::onnx::zoo
