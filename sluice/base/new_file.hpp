// A file that is written piece by piece and appears under its name only when it is whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "sluice/base/diagnostic.hpp"

namespace sluice {

/// A temporary neighbour of `target` that vanishes unless `finish` gives it its name.
class NewFile {
public:
    [[nodiscard]] static Result<NewFile> make(std::filesystem::path target);
    NewFile(NewFile&& other) noexcept;
    NewFile& operator=(NewFile&&) = delete;
    ~NewFile();

    [[nodiscard]] const std::filesystem::path& target() const { return target_; }
    [[nodiscard]] Result<void> write_at(std::int64_t offset, std::string_view piece) const;
    /// Grows the file to `bytes`; what is not written reads as zeros and takes no room.
    [[nodiscard]] Result<void> resize(std::int64_t bytes) const;
    /// To the disk.
    [[nodiscard]] Result<void> flush() const;
    /// Flushed before.
    [[nodiscard]] Result<void> finish();

private:
    NewFile(std::filesystem::path target, std::filesystem::path temporary, int descriptor)
        : target_(std::move(target)), temporary_(std::move(temporary)), descriptor_(descriptor) {}
    [[nodiscard]] std::unexpected<Diagnostic> failure(std::string_view what) const;

    std::filesystem::path target_, temporary_;
    int descriptor_;
    bool finished_ = false;
};

}  // namespace sluice
