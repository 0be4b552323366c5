#include "sluice/base/new_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <format>
#include <system_error>
#include <utility>

namespace sluice {

Result<NewFile> NewFile::make(std::filesystem::path target) {
    std::filesystem::path temporary = target;
    temporary += std::format(".writing.{}", ::getpid());
    NewFile file(std::move(target), temporary, ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (file.descriptor_ < 0) return file.failure("create");
    return file;
}

NewFile::NewFile(NewFile&& other) noexcept
    : target_(std::move(other.target_)),
      temporary_(std::move(other.temporary_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      finished_(other.finished_) {}

NewFile::~NewFile() {
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    if (!finished_) ::unlink(temporary_.c_str());
}

Result<void> NewFile::write_at(std::int64_t offset, std::string_view piece) const {
    while (!piece.empty()) {
        const ssize_t written = ::pwrite(descriptor_, piece.data(), piece.size(), offset);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return failure("write");
        piece.remove_prefix(static_cast<std::size_t>(written));
        offset += written;
    }
    return {};
}

Result<void> NewFile::resize(std::int64_t bytes) const {
    if (::ftruncate(descriptor_, bytes) != 0) return failure("write");
    return {};
}

Result<void> NewFile::flush() const {
    if (::fsync(descriptor_) != 0 && errno != EINVAL) return failure("write");
    return {};
}

Result<void> NewFile::finish() {
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) return failure("rename to");
    finished_ = true;
    return {};
}

std::unexpected<Diagnostic> NewFile::failure(std::string_view what) const {
    const int error = errno;
    return fail(input_error(std::format("cannot {} '{}': {}", what, target_.string(), std::generic_category().message(error))));
}

}  // namespace sluice
