#include "sluice/onnx/zoo/data_file.hpp"

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

/// A temporary neighbour of `target` that vanishes unless it is committed.
class NewFile {
public:
    explicit NewFile(const std::filesystem::path& target)
        : target_(target),
          temporary_(target.string() + ".part." + std::to_string(::getpid())),
          descriptor_(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {}
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile() {
        if (descriptor_ < 0) return;
        ::close(descriptor_);
        if (!committed_) ::unlink(temporary_.c_str());
    }

    [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
    /// The three below: false with errno on failure.
    [[nodiscard]] bool write_at(std::int64_t offset, std::span<const char> piece) const {
        while (!piece.empty()) {
            const ssize_t written = ::pwrite(descriptor_, piece.data(), piece.size(), offset);
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) return false;
            piece = piece.subspan(static_cast<std::size_t>(written));
            offset += written;
        }
        return true;
    }
    [[nodiscard]] bool commit() {
        committed_ = ::fsync(descriptor_) == 0 && ::rename(temporary_.c_str(), target_.c_str()) == 0;
        return committed_;
    }

private:
    std::filesystem::path target_, temporary_;
    int descriptor_;
    bool committed_ = false;
};

std::unexpected<Diagnostic> failure(const std::filesystem::path& path, const std::string& what) {
    const int error = errno;
    return fail(input_error("cannot " + what + " the weight file: " + std::generic_category().message(error)).at({path.string()}));
}
}  // namespace

Result<void> write_data(const std::filesystem::path& path, const Model& model, const DataLayout& layout, std::uint64_t seed) {
    std::error_code error;
    const auto space = std::filesystem::space(path.has_parent_path() ? path.parent_path() : ".", error);
    if (!error && space.available < static_cast<std::uintmax_t>(layout.bytes)) {
        return fail(input_error("the weights of '" + model.name + "' take " + to_text(Bytes{layout.bytes}) + ", the disk has " +
                                to_text(Bytes{static_cast<std::int64_t>(space.available)}) + " left")
                        .at({path.string()})
                        .fix("make its sizes smaller, write it elsewhere, or leave the weights out"));
    }
    NewFile file(path);
    if (!file.is_open()) return failure(path, "create");
    std::vector<char> buffer(static_cast<std::size_t>(std::min(kBuffer, layout.bytes)));
    for (std::size_t i = 0; i < model.initializers.size(); ++i) {
        if (!layout.offsets[i]) continue;
        std::int64_t offset = *layout.offsets[i];
        for (DataSource source(model.initializers[i], seed, i); source.left() > 0;) {
            const std::span piece(buffer.data(), static_cast<std::size_t>(std::min(kBuffer, source.left())));
            source.next(piece);
            if (!file.write_at(offset, piece)) return failure(path, "write");
            offset += static_cast<std::int64_t>(piece.size());
        }
    }
    if (!file.commit()) return failure(path, "finish");
    return {};
}

}  // namespace sluice::onnx::zoo
