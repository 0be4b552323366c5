#include "cli/run_folder.hpp"

#include <unistd.h>

#include <format>
#include <utility>

namespace sluice::cli {

namespace fs = std::filesystem;

namespace {

fs::path temporary_name(const fs::path& final) {
    fs::path name = final;
    return name.replace_filename(std::format(".{}.making.{}", final.filename().string(), ::getpid()));
}

}  // namespace

Result<RunFolder> RunFolder::make(const std::optional<std::string>& wanted, const std::string& name) {
    std::error_code error;
    fs::path final;
    if (wanted) {
        final = fs::path(*wanted).lexically_normal();
        if (!final.has_filename()) final = final.parent_path();  // "folder/"
        if (fs::exists(fs::symlink_status(final, error)))
            return fail(input_error(std::format("'{}' is there already", final.string())).fix("give -o another name, or remove it"));
        if (final.has_parent_path()) fs::create_directories(final.parent_path(), error);
    } else {
        fs::path runs = "runs";
        fs::create_directories(runs, error);
        if (error || ::access(runs.c_str(), W_OK) != 0) {
            runs = fs::temp_directory_path(error) / "sluice-runs";
            fs::create_directories(runs, error);
        }
        final = runs / name;
        for (int i = 2; fs::exists(fs::symlink_status(final, error)); ++i) final = runs / std::format("{}-{}", name, i);
    }
    const fs::path temporary = temporary_name(final);
    fs::create_directory(temporary, error);
    if (error)
        return fail(input_error(std::format("cannot make the folder '{}': {}", final.string(), error.message()))
                        .fix("give -o a folder that can be written"));
    return RunFolder(temporary, final);
}

RunFolder::RunFolder(RunFolder&& other) noexcept : temporary_(std::exchange(other.temporary_, {})), final_(std::move(other.final_)) {}

RunFolder::~RunFolder() {
    std::error_code error;  // a folder that cannot be removed keeps its temporary name
    if (!temporary_.empty()) fs::remove_all(temporary_, error);
}

Result<void> RunFolder::finish() {
    std::error_code error;
    fs::rename(temporary_, final_, error);
    if (error) return fail(input_error(std::format("cannot name the run folder '{}': {}", final_.string(), error.message())));
    temporary_.clear();
    return {};
}

}  // namespace sluice::cli
