// A folder under $TMPDIR (else /tmp) that goes with its owner.
#pragma once

#include <filesystem>
#include <string_view>
#include <utility>

#include "sluice/base/diagnostic.hpp"

namespace sluice::runtime {

class ScratchFolder {
public:
    /// PREFIX.XXXXXX, for this user only. Diagnostics: the place cannot be written to.
    [[nodiscard]] static Result<ScratchFolder> make(std::string_view prefix);
    ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    ScratchFolder& operator=(ScratchFolder&&) = delete;
    ~ScratchFolder();
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    explicit ScratchFolder(std::filesystem::path path) : path_(std::move(path)) {}
    std::filesystem::path path_;
};

}  // namespace sluice::runtime
