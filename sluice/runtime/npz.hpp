// NumPy's .npz: a zip archive of .npy arrays. Read piece by piece; written piece by piece, arrays growing along a new first axis, so that
// neither ten thousand inputs nor their outputs ever lie in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/base/diagnostic.hpp"
#include "sluice/runtime/element_type.hpp"

namespace sluice::runtime {

// --- .npy headers ---

struct NpyHeader {
    const ElementType* type = nullptr;
    bool fortran_order = false;
    std::vector<std::int64_t> shape;
    std::int64_t data = 0;  // offset of the first element

    [[nodiscard]] std::int64_t bytes() const { return bytes_of(*type, shape).value_or(0); }
};

/// Of format versions 1 to 3. `start`: the array's first bytes, kLongestNpyHeader of them or all there are. Diagnostics: no .npy;
/// big-endian, text, complex, structured or Python-object elements; a shape that is none.
[[nodiscard]] Result<NpyHeader> parse_npy_header(std::string_view start, const std::string& array, const std::string& file);
inline constexpr std::size_t kLongestNpyHeader = std::size_t{1} << 16;

/// Version 1, C order; padded with spaces to a multiple of 64 bytes and to `at_least`.
[[nodiscard]] std::string npy_header(const ElementType& type, std::span<const std::int64_t> shape, std::size_t at_least = 0);

// --- reading ---

struct NpzEntry {
    std::string name;  // without ".npy"
    NpyHeader header;
};

/// Elements of one array in C order, from the first on.
class NpzStream {
public:
    virtual ~NpzStream() = default;
    /// The next `into.size()` bytes. Diagnostics: a damaged archive; the array's end.
    [[nodiscard]] virtual Result<void> read(std::span<std::byte> into) = 0;
};

class NpzFile {
public:
    /// Diagnostics: missing, unreadable or no zip archive; an array whose header cannot be used (see above).
    [[nodiscard]] static Result<NpzFile> open(const std::filesystem::path& path);
    NpzFile(NpzFile&&) noexcept;
    NpzFile& operator=(NpzFile&&) noexcept;
    ~NpzFile();

    [[nodiscard]] const std::vector<NpzEntry>& entries() const;
    [[nodiscard]] const NpzEntry* find(std::string_view name) const;
    /// Streams of one file are used by one thread, while the file lives. An array in Fortran order is held in memory whole.
    [[nodiscard]] Result<std::unique_ptr<NpzStream>> stream(const NpzEntry& entry) const;

private:
    struct State;
    explicit NpzFile(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// --- writing ---

/// What is appended goes to nameless files beside `path`; finish() makes the archive (stored, not compressed; equal arrays, equal bytes)
/// under a name that begins with PATH.writing. and renames it.
class NpzWriter {
public:
    struct Array {
        std::string name;
        const ElementType* type = nullptr;
    };
    /// Diagnostics: a place that cannot be written to.
    [[nodiscard]] static Result<NpzWriter> create(const std::filesystem::path& path, std::vector<Array> arrays);
    NpzWriter(NpzWriter&&) noexcept;
    NpzWriter& operator=(NpzWriter&&) noexcept;
    ~NpzWriter();

    /// One more along the first axis of array `index`. Diagnostics: another shape than its first; no room.
    [[nodiscard]] Result<void> append(std::size_t index, std::span<const std::int64_t> shape, std::span<const std::byte> data);
    /// An array that nothing was appended to has shape (0,). Diagnostics: no room.
    [[nodiscard]] Result<void> finish();

private:
    struct State;
    explicit NpzWriter(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Removes what a writer that was killed inside finish() has left beside `path`.
void remove_unfinished(const std::filesystem::path& path);

}  // namespace sluice::runtime
