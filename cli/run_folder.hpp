// A run folder (design §4): made under a temporary name, renamed when it is complete, removed when it never is.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "sluice/base/diagnostic.hpp"

namespace sluice::cli {

class RunFolder {
public:
    /// `wanted` must not exist. Without it: runs/NAME, else runs/NAME-2, … under the current folder, or under the temporary folder
    /// when the current one cannot be written.
    [[nodiscard]] static Result<RunFolder> make(const std::optional<std::string>& wanted, const std::string& name);

    RunFolder(RunFolder&& other) noexcept;
    RunFolder& operator=(RunFolder&&) = delete;
    ~RunFolder();

    /// Where to write until `finish`.
    [[nodiscard]] const std::filesystem::path& path() const { return temporary_; }
    /// The name it gets.
    [[nodiscard]] const std::filesystem::path& final_path() const { return final_; }
    [[nodiscard]] Result<void> finish();

private:
    RunFolder(std::filesystem::path temporary, std::filesystem::path final) : temporary_(std::move(temporary)), final_(std::move(final)) {}
    std::filesystem::path temporary_, final_;  // temporary_ empty: finished or moved from
};

}  // namespace sluice::cli
