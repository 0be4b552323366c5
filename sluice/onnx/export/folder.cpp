#include "sluice/onnx/export/folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <format>
#include <regex>
#include <system_error>
#include <utility>

#include "sluice/onnx/manifest.hpp"

namespace sluice::onnx {

namespace fs = std::filesystem;

namespace {

/// The first entry that no export writes.
std::optional<std::string> foreign_entry(const fs::path& folder, std::error_code& error) {
    static const std::regex kOurs(R"(manifest\.json|stage-\d+\.(onnx|weights)|weights-\d+\.bin)");
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        std::string name = entry.path().filename().string();
        const auto type = entry.symlink_status(error).type();
        if (!std::regex_match(name, kOurs) || (type != fs::file_type::regular && type != fs::file_type::symlink)) return name;
    }
    return std::nullopt;
}

}  // namespace

Result<fs::path> ExportFolder::check(const fs::path& wanted) {
    std::error_code error;
    fs::path final = wanted.lexically_normal();
    if (!final.has_filename()) final = final.parent_path();  // "folder/"
    if (final.empty()) return fail(input_error("the name of the export folder is empty"));
    if (fs::exists(fs::symlink_status(final, error))) {
        final = fs::canonical(final, error);
        if (error || !fs::is_directory(final, error))
            return fail(input_error(std::format("cannot export to '{}': it is there and is no folder", wanted.string()))
                            .fix("give -o another name, or remove it"));
        const auto foreign = foreign_entry(final, error);
        if (error) return fail(input_error(std::format("cannot read the folder '{}': {}", wanted.string(), error.message())));
        const bool ours = fs::is_empty(final, error) || read_manifest_file(final / kManifestName).has_value();
        if (foreign || !ours) {
            return fail(input_error(std::format("'{}' is not empty and no earlier export: it has {}", wanted.string(),
                                                foreign ? std::format("'{}'", *foreign) : std::format("no valid {}", kManifestName)))
                            .fix("give -o a new folder; what is there is left alone"));
        }
    }
    return final;
}

Result<ExportFolder> ExportFolder::make(const fs::path& wanted) {
    auto checked = check(wanted);
    if (!checked) return fail(std::move(checked.error()));
    fs::path final = std::move(*checked);
    std::error_code error;
    if (final.has_parent_path()) fs::create_directories(final.parent_path(), error);
    fs::path temporary = final;
    temporary.replace_filename(std::format(".{}.exporting.{}", final.filename().string(), ::getpid()));
    if (!error) fs::remove_all(temporary, error);  // of a killed process that had our number
    if (!error) fs::create_directory(temporary, error);
    if (error)
        return fail(input_error(std::format("cannot make the folder '{}': {}", final.string(), error.message()))
                        .fix("give -o a folder that can be written"));
    return ExportFolder(std::move(temporary), std::move(final));
}

ExportFolder::ExportFolder(ExportFolder&& other) noexcept
    : temporary_(std::exchange(other.temporary_, {})), final_(std::move(other.final_)) {}

ExportFolder::~ExportFolder() {
    std::error_code error;  // a folder that cannot be removed keeps its temporary name
    if (!temporary_.empty()) fs::remove_all(temporary_, error);
}

Result<void> ExportFolder::finish() {
    // Swapped where there is an earlier one, which then goes with the temporary name.
    if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, final_.c_str(), RENAME_EXCHANGE) == 0) return {};
    std::error_code error;
    const bool there = errno != ENOENT && fs::exists(final_, error) && !fs::is_empty(final_, error);
    fs::path old = temporary_;
    old += ".old";
    if (there) fs::rename(final_, old, error);  // a file system that cannot swap
    if (!error) fs::rename(temporary_, final_, error);
    if (error) return fail(input_error(std::format("cannot name the export folder '{}': {}", final_.string(), error.message())));
    temporary_ = there ? old : fs::path();
    return {};
}

}  // namespace sluice::onnx
