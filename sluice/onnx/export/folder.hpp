// Private to this layer.
// An export folder: filled under a temporary name beside it, renamed when it is whole. One that an earlier export made is replaced in one
// step; anything else in the way is refused.
#pragma once

#include <filesystem>

#include "sluice/base/diagnostic.hpp"

namespace sluice::onnx {

class ExportFolder {
public:
    /// The name it would get. Diagnostics: a path that is no folder, or a folder with files that are none of ours.
    [[nodiscard]] static Result<std::filesystem::path> check(const std::filesystem::path& wanted);
    /// Diagnostics: as `check`; a folder that cannot be written.
    [[nodiscard]] static Result<ExportFolder> make(const std::filesystem::path& wanted);
    ExportFolder(ExportFolder&& other) noexcept;
    ExportFolder& operator=(ExportFolder&&) = delete;
    ~ExportFolder();

    /// Where to write until `finish`.
    [[nodiscard]] const std::filesystem::path& path() const { return temporary_; }
    [[nodiscard]] const std::filesystem::path& final_path() const { return final_; }
    [[nodiscard]] Result<void> finish();

private:
    ExportFolder(std::filesystem::path temporary, std::filesystem::path final)
        : temporary_(std::move(temporary)), final_(std::move(final)) {}
    std::filesystem::path temporary_, final_;  // temporary_ empty: nothing left to remove
};

}  // namespace sluice::onnx
