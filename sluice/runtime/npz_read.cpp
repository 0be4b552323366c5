#include <zip.h>

#include <algorithm>
#include <cstring>
#include <format>

#include "sluice/base/units.hpp"
#include "sluice/runtime/npz.hpp"

namespace sluice::runtime {

namespace {

struct CloseArchive {
    void operator()(zip_t* archive) const { ::zip_discard(archive); }
};
struct CloseEntry {
    void operator()(zip_file_t* entry) const { ::zip_fclose(entry); }
};
using Archive = std::unique_ptr<zip_t, CloseArchive>;
using Entry = std::unique_ptr<zip_file_t, CloseEntry>;

Result<Archive> open_archive(const std::string& path) {
    int code = 0;
    Archive archive(::zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &code));
    if (archive) return archive;
    zip_error_t error;
    ::zip_error_init_with_code(&error, code);
    Diagnostic diagnostic = input_error(std::format("cannot read '{}': {}", path, ::zip_error_strerror(&error)));
    ::zip_error_fini(&error);
    if (code == ZIP_ER_NOZIP || code == ZIP_ER_INCONS) diagnostic.help = "write it with numpy.savez(FILE, name=array, ...)";
    return fail(std::move(diagnostic));
}

class Stream final : public NpzStream {
public:
    /// `bytes`: of the entry.
    Stream(Entry entry, std::int64_t bytes, std::string what)
        : entry_(std::move(entry)), bytes_(bytes), left_(bytes), what_(std::move(what)) {}
    Result<void> read(std::span<std::byte> into) override {
        while (!into.empty()) {
            const zip_int64_t got = ::zip_fread(entry_.get(), into.data(), into.size());
            if (got < 0) return fail(input_error(std::format("{} cannot be read: {}", what_, ::zip_file_strerror(entry_.get()))));
            if (got == 0)
                return fail(input_error(std::format("{} ends {} early", what_, to_text(Bytes{static_cast<std::int64_t>(into.size())}))));
            into = into.subspan(static_cast<std::size_t>(got));
            left_ -= got;
        }
        std::byte beyond{};  // the checksum is compared by the read that finds the end
        if (left_ == 0 && ::zip_fread(entry_.get(), &beyond, 1) < 0)
            return fail(input_error(std::format("{} is damaged: {}", what_, ::zip_file_strerror(entry_.get()))));
        return {};
    }
    [[nodiscard]] std::int64_t bytes() const { return bytes_; }
    /// As much as there is.
    [[nodiscard]] std::string start(std::size_t most) {
        std::string bytes(most, '\0');
        zip_int64_t got = 0, all = 0;
        while (std::cmp_less(all, most) && (got = ::zip_fread(entry_.get(), bytes.data() + all, most - static_cast<std::size_t>(all))) > 0)
            all += got;
        bytes.resize(static_cast<std::size_t>(all));
        return bytes;
    }

private:
    Entry entry_;
    std::int64_t bytes_, left_;
    std::string what_;
};

class Memory final : public NpzStream {
public:
    Memory(std::vector<std::byte> bytes, std::string what) : bytes_(std::move(bytes)), what_(std::move(what)) {}
    Result<void> read(std::span<std::byte> into) override {
        if (into.size() > bytes_.size() - at_) return fail(input_error(std::format("{} ends early", what_)));
        std::ranges::copy(std::span(bytes_).subspan(at_, into.size()), into.begin());
        at_ += into.size();
        return {};
    }

private:
    std::vector<std::byte> bytes_;
    std::string what_;
    std::size_t at_ = 0;
};

/// Column-major to row-major: the index of the last axis runs fastest in the result.
std::vector<std::byte> transposed(const std::vector<std::byte>& columns, const NpyHeader& header) {
    const auto width = static_cast<std::size_t>(header.type->bytes);
    std::vector<std::byte> rows(columns.size());
    const std::size_t axes = header.shape.size();
    std::vector<std::size_t> index(axes), stride(axes);
    for (std::size_t axis = 0, step = width; axis < axes; ++axis) {
        stride[axis] = step;
        step *= static_cast<std::size_t>(header.shape[axis]);
    }
    std::size_t from = 0;
    for (std::size_t to = 0; to < rows.size(); to += width) {
        std::memcpy(rows.data() + to, columns.data() + from, width);
        for (std::size_t axis = axes; axis-- > 0;) {
            from += stride[axis];
            if (std::cmp_less(++index[axis], header.shape[axis])) break;
            from -= stride[axis] * index[axis];
            index[axis] = 0;
        }
    }
    return rows;
}

}  // namespace

struct NpzFile::State {
    std::string path;
    Archive archive;
    std::vector<NpzEntry> entries;
    std::vector<zip_uint64_t> places;  // of the entries in the archive

    [[nodiscard]] Result<std::unique_ptr<Stream>> open(zip_uint64_t place, const std::string& name) const {
        Entry entry(::zip_fopen_index(archive.get(), place, 0));
        const std::string what = std::format("array '{}' of '{}'", name, path);
        if (!entry) return fail(input_error(std::format("{} cannot be read: {}", what, ::zip_strerror(archive.get()))));
        zip_stat_t facts;
        ::zip_stat_init(&facts);
        if (::zip_stat_index(archive.get(), place, 0, &facts) != 0 || (facts.valid & ZIP_STAT_SIZE) == 0)
            return fail(input_error(std::format("{} has no size", what)));
        return std::make_unique<Stream>(std::move(entry), static_cast<std::int64_t>(facts.size), what);
    }
};

NpzFile::NpzFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
NpzFile::NpzFile(NpzFile&&) noexcept = default;
NpzFile& NpzFile::operator=(NpzFile&&) noexcept = default;
NpzFile::~NpzFile() = default;

Result<NpzFile> NpzFile::open(const std::filesystem::path& path) {
    auto archive = open_archive(path.string());
    if (!archive) return fail(std::move(archive.error()));
    auto state = std::make_unique<State>(path.string(), *std::move(archive));
    const zip_int64_t count = ::zip_get_num_entries(state->archive.get(), 0);
    for (zip_int64_t i = 0; i < count; ++i) {
        const auto place = static_cast<zip_uint64_t>(i);
        const char* full = ::zip_get_name(state->archive.get(), place, 0);
        std::string name = full != nullptr ? full : "";
        if (!name.ends_with(".npy"))
            return fail(input_error(std::format("'{}' holds '{}', which is no .npy array", state->path, name))
                            .fix("write it with numpy.savez(FILE, name=array, ...)"));
        name.resize(name.size() - 4);
        auto stream = state->open(place, name);
        if (!stream) return fail(std::move(stream.error()));
        auto header = parse_npy_header((*stream)->start(kLongestNpyHeader), name, state->path);
        if (!header) return fail(std::move(header.error()));
        if (const std::int64_t data = (*stream)->bytes() - header->data; data != header->bytes())
            return fail(input_error(std::format("array '{}' of '{}' has {} bytes of data; its shape {} of {} asks for {}", name,
                                                state->path, data, shape_text(header->shape), header->type->name, header->bytes())));
        state->entries.push_back({std::move(name), *std::move(header)});
        state->places.push_back(place);
    }
    return NpzFile(std::move(state));
}

const std::vector<NpzEntry>& NpzFile::entries() const { return state_->entries; }

const NpzEntry* NpzFile::find(std::string_view name) const {
    const auto found = std::ranges::find(state_->entries, name, &NpzEntry::name);
    return found == state_->entries.end() ? nullptr : &*found;
}

Result<std::unique_ptr<NpzStream>> NpzFile::stream(const NpzEntry& entry) const {
    const std::size_t index = static_cast<std::size_t>(&entry - state_->entries.data());
    auto stream = state_->open(state_->places[index], entry.name);
    if (!stream) return fail(std::move(stream.error()));
    std::vector<std::byte> bytes(static_cast<std::size_t>(entry.header.data));
    if (auto skipped = (*stream)->read(bytes); !skipped) return fail(std::move(skipped.error()));
    if (!entry.header.fortran_order) return *std::move(stream);
    bytes.resize(static_cast<std::size_t>(entry.header.bytes()));
    if (auto whole = (*stream)->read(bytes); !whole) return fail(std::move(whole.error()));
    return std::make_unique<Memory>(transposed(bytes, entry.header), std::format("array '{}' of '{}'", entry.name, state_->path));
}

}  // namespace sluice::runtime
