#include "sluice/runtime/scratch_folder.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <format>
#include <string>

namespace sluice::runtime {

Result<ScratchFolder> ScratchFolder::make(std::string_view prefix) {
    const char* place = std::getenv("TMPDIR");
    std::string name = std::format("{}/{}.XXXXXX", place != nullptr && *place != '\0' ? place : "/tmp", prefix);
    if (::mkdtemp(name.data()) != nullptr) return ScratchFolder(std::filesystem::path(name));
    return fail(input_error(std::format("cannot make a temporary folder '{}': {}", name, std::strerror(errno)))
                    .fix("set TMPDIR to a folder that can be written to"));
}

ScratchFolder::~ScratchFolder() {
    std::error_code ignored;  // nobody to tell
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace sluice::runtime
