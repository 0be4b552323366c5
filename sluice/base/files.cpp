#include "sluice/base/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <format>
#include <memory>
#include <utility>

#include "sluice/base/units.hpp"

namespace sluice {

namespace {

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }

private:
    int fd_;
};

Diagnostic file_error(const std::filesystem::path& path, std::string_view what, int error) {
    return input_error(std::format("cannot {} '{}': {}", what, path.string(), std::strerror(error)));
}

Diagnostic too_large(const std::filesystem::path& path, std::size_t limit) {
    return input_error(std::format("'{}' is larger than {}", path.string(), to_text(Bytes{static_cast<std::int64_t>(limit)})));
}

Result<std::string> gunzip(const std::string& packed, const std::filesystem::path& path, std::size_t limit) {
    z_stream stream{};
    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) return fail({DiagnosticKind::internal, "zlib cannot start", {}, {}, {}});
    const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    std::string content;
    for (int state = Z_OK; state != Z_STREAM_END;) {
        const std::size_t done = content.size();
        if (done > limit) return fail(too_large(path, limit));
        content.resize(std::max<std::size_t>(1 << 16, done * 2));
        stream.next_out = reinterpret_cast<Bytef*>(content.data() + done);
        stream.avail_out = static_cast<uInt>(std::min<std::size_t>(content.size() - done, 1U << 30));
        const std::size_t room = stream.avail_out;
        state = inflate(&stream, Z_NO_FLUSH);
        content.resize(done + (room - stream.avail_out));
        if (state != Z_OK && state != Z_STREAM_END)
            return fail(input_error(std::format("'{}' is a damaged or truncated gzip file", path.string())));
    }
    if (content.size() > limit) return fail(too_large(path, limit));
    return content;
}

Result<void> write_all(int fd, std::string_view content, const std::filesystem::path& path) {
    while (!content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return fail(file_error(path, "write", errno));
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) {
        const int error = errno;
        Diagnostic diagnostic = file_error(path, "open", error);
        if (error == ENOENT) diagnostic.help = "check the path";
        return fail(std::move(diagnostic));
    }
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return fail(file_error(path, "read", errno));
    if (S_ISDIR(status.st_mode)) return fail(input_error(std::format("'{}' is a directory, a file is needed", path.string())));
    if (status.st_size > 0 && static_cast<std::size_t>(status.st_size) > limit) return fail(too_large(path, limit));
    std::string content;
    content.reserve(static_cast<std::size_t>(status.st_size) + 1);
    for (;;) {
        const std::size_t done = content.size();
        if (done > limit) return fail(too_large(path, limit));
        content.resize(done + (1 << 18));
        const ssize_t got = ::read(file.get(), content.data() + done, 1 << 18);
        content.resize(done + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(file_error(path, "read", errno));
        if (got == 0) break;
    }
    if (content.size() >= 2 && content[0] == '\x1f' && content[1] == '\x8b') return gunzip(content, path, limit);
    return content;
}

Result<void> write_file(const std::filesystem::path& path, std::string_view content) {
    if (path == "-") return write_all(STDOUT_FILENO, content, "standard output");
    // A device or pipe is written in place: there is nothing to rename.
    if (std::error_code error; std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error)) {
        if (std::filesystem::is_directory(path, error))
            return fail(input_error(std::format("cannot write '{}': it is a directory", path.string())));
        const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
        if (file.get() < 0) return fail(file_error(path, "write", errno));
        return write_all(file.get(), content, path);
    }
    std::filesystem::path temporary = path;
    temporary += std::format(".writing.{}", ::getpid());
    Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (file.get() < 0) return fail(file_error(path, "write", errno));
    auto discard = [&](Diagnostic diagnostic) {
        ::unlink(temporary.c_str());
        return fail(std::move(diagnostic));
    };
    if (auto written = write_all(file.get(), content, path); !written) return discard(std::move(written.error()));
    if (::fsync(file.get()) != 0 && errno != EINVAL) return discard(file_error(path, "write", errno));
    if (::close(file.release()) != 0) return discard(file_error(path, "write", errno));
    if (::rename(temporary.c_str(), path.c_str()) != 0) return discard(file_error(path, "write", errno));
    return {};
}

std::string fingerprint_of(std::string_view content) {
    const XXH128_hash_t hash = XXH3_128bits(content.data(), content.size());
    return std::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace sluice
