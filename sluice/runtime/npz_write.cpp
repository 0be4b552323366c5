#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <format>
#include <optional>

#include "sluice/runtime/npz.hpp"

namespace sluice::runtime {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHeaderRoom = 1024;  // the first axis' size is known at the end; 64 axes have room
constexpr std::string_view kUnfinished = ".writing.";

Diagnostic cannot_write(const fs::path& path, std::string_view why) {
    return input_error(std::format("cannot write '{}': {}", path.string(), why));
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

/// A file in this folder that has no name and goes with its descriptor, also when the process is killed.
int nameless_file(const fs::path& folder) {
    const int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)) return fd;
    std::string name = (folder / ".sluice.XXXXXX").string();  // a file system without O_TMPFILE
    const int named = ::mkostemp(name.data(), O_CLOEXEC);
    if (named >= 0) ::unlink(name.c_str());
    return named;
}

/// Appended to through a buffer; its first kHeaderRoom bytes are written last.
class Spool {
public:
    explicit Spool(int fd) : fd_(fd) {}
    Spool(Spool&& other) noexcept : fd_(std::exchange(other.fd_, -1)), bytes_(other.bytes_), buffer_(std::move(other.buffer_)) {}
    Spool& operator=(Spool&&) = delete;
    ~Spool() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] bool append(std::span<const std::byte> data) {
        if (buffer_.size() + data.size() > kBuffer && !flush()) return false;
        if (data.size() > kBuffer) return put(data);
        buffer_.insert(buffer_.end(), data.begin(), data.end());
        return true;
    }
    [[nodiscard]] bool flush() {
        const bool done = put(buffer_);
        buffer_.clear();
        return done;
    }
    [[nodiscard]] bool put_header(std::string_view header) {
        return ::pwrite(fd_, header.data(), header.size(), 0) == static_cast<ssize_t>(header.size());
    }
    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] std::int64_t bytes() const { return bytes_; }

private:
    static constexpr std::size_t kBuffer = std::size_t{1} << 16;
    [[nodiscard]] bool put(std::span<const std::byte> data) {
        while (!data.empty()) {
            const ssize_t written = ::pwrite(fd_, data.data(), data.size(), bytes_);
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) return false;
            bytes_ += written;
            data = data.subspan(static_cast<std::size_t>(written));
        }
        return true;
    }
    int fd_;
    std::int64_t bytes_ = kHeaderRoom;
    std::vector<std::byte> buffer_;
};

}  // namespace

struct NpzWriter::State {
    struct Growing {
        Array array;
        Spool spool;
        std::int64_t count = 0;
        std::vector<std::int64_t> shape;  // of one
    };
    fs::path path;
    std::vector<Growing> arrays;

    [[nodiscard]] Result<void> put_headers() {
        for (Growing& growing : arrays) {
            std::vector<std::int64_t> shape{growing.count};
            shape.insert(shape.end(), growing.shape.begin(), growing.shape.end());
            if (!growing.spool.flush() || !growing.spool.put_header(npy_header(*growing.array.type, shape, kHeaderRoom)))
                return fail(cannot_write(path, std::strerror(errno)));
        }
        return {};
    }

    /// The archive under a temporary name.
    [[nodiscard]] Result<void> put_archive(const fs::path& temporary) {
        int code = 0;
        zip_t* const archive = ::zip_open(temporary.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
        if (archive == nullptr) return fail(cannot_write(path, std::strerror(errno)));
        const auto refuse = [&]() -> std::unexpected<Diagnostic> {
            Diagnostic diagnostic = cannot_write(path, ::zip_strerror(archive));
            ::zip_discard(archive);
            return fail(std::move(diagnostic));
        };
        for (Growing& growing : arrays) {
            const int fd = ::fcntl(growing.spool.fd(), F_DUPFD_CLOEXEC, 0);
            std::FILE* const file = fd >= 0 ? ::fdopen(fd, "rb") : nullptr;
            if (file == nullptr) return refuse();
            zip_source_t* const source = ::zip_source_filep(archive, file, 0, growing.spool.bytes());  // closes it
            if (source == nullptr) {
                std::fclose(file);
                return refuse();
            }
            const zip_int64_t at =
                ::zip_file_add(archive, (growing.array.name + ".npy").c_str(), source, ZIP_FL_ENC_UTF_8 | ZIP_FL_OVERWRITE);
            if (at < 0) {
                ::zip_source_free(source);
                return refuse();
            }
            const auto place = static_cast<zip_uint64_t>(at);
            constexpr zip_uint16_t kFirstDay = 1 << 5 | 1;  // 1980-01-01, as NumPy has it
            if (::zip_set_file_compression(archive, place, ZIP_CM_STORE, 0) != 0 ||
                ::zip_file_set_dostime(archive, place, 0, kFirstDay, 0) != 0)
                return refuse();
        }
        if (::zip_close(archive) != 0) return refuse();
        return {};
    }
};

NpzWriter::NpzWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
NpzWriter::NpzWriter(NpzWriter&&) noexcept = default;
NpzWriter& NpzWriter::operator=(NpzWriter&&) noexcept = default;
NpzWriter::~NpzWriter() = default;

Result<NpzWriter> NpzWriter::create(const fs::path& path, std::vector<Array> arrays) {
    std::error_code error;
    if (fs::is_directory(path, error)) return fail(cannot_write(path, "it is a directory"));
    auto state = std::make_unique<State>();
    state->path = path;
    for (Array& array : arrays) {
        const int fd = nameless_file(folder_of(path));
        if (fd < 0) return fail(cannot_write(path, std::strerror(errno)));
        state->arrays.push_back({std::move(array), Spool(fd), 0, {}});
    }
    return NpzWriter(std::move(state));
}

Result<void> NpzWriter::append(std::size_t index, std::span<const std::int64_t> shape, std::span<const std::byte> data) {
    State::Growing& growing = state_->arrays[index];
    if (growing.count == 0) growing.shape.assign(shape.begin(), shape.end());
    if (!std::ranges::equal(growing.shape, shape))
        return fail(input_error(std::format("output '{}' of input {} has shape {}, those before it {}: they cannot be one array of '{}'",
                                            growing.array.name, growing.count, shape_text(shape), shape_text(growing.shape),
                                            state_->path.string())));
    if (!growing.spool.append(data)) return fail(cannot_write(state_->path, std::strerror(errno)));
    ++growing.count;
    return {};
}

Result<void> NpzWriter::finish() {
    if (auto done = state_->put_headers(); !done) return done;
    const fs::path temporary = state_->path.string() + std::format("{}{}", kUnfinished, ::getpid());
    std::error_code error;
    if (auto done = state_->put_archive(temporary); !done) {
        remove_unfinished(state_->path);
        return done;
    }
    const mode_t mask = ::umask(0);
    ::umask(mask);
    fs::permissions(temporary, static_cast<fs::perms>(0666 & ~mask), error);  // libzip's temporary file is private
    const int fd = ::open(temporary.c_str(), O_RDONLY | O_CLOEXEC);
    const bool on_disk = fd >= 0 && ::fsync(fd) == 0;
    if (!on_disk) error.assign(errno, std::generic_category());
    if (fd >= 0) ::close(fd);
    if (on_disk) fs::rename(temporary, state_->path, error);
    if (!error) return {};
    Diagnostic diagnostic = cannot_write(state_->path, error.message());
    fs::remove(temporary, error);
    return fail(std::move(diagnostic));
}

void remove_unfinished(const fs::path& path) {
    const std::string start = path.filename().string() + std::string(kUnfinished);
    std::error_code error;
    std::vector<fs::path> found;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_of(path), error))
        if (entry.path().filename().string().starts_with(start)) found.push_back(entry.path());
    for (const fs::path& leftover : found) fs::remove(leftover, error);
}

}  // namespace sluice::runtime
