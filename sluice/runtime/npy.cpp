// The header of .npy: magic, version, the length of a Python dictionary, the dictionary.
#include <algorithm>
#include <charconv>
#include <format>
#include <limits>
#include <optional>

#include "sluice/runtime/npz.hpp"

namespace sluice::runtime {

namespace {

constexpr std::string_view kMagic{"\x93NUMPY", 6};

std::uint32_t little_endian(std::string_view bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

/// The few words of Python that NumPy's dictionary is made of.
class Literal {
public:
    explicit Literal(std::string_view text) : rest_(text) {}

    bool take(char c) {
        skip_space();
        if (!rest_.starts_with(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }
    std::optional<std::string_view> text() {
        skip_space();
        if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) return std::nullopt;
        const std::size_t end = rest_.find(rest_[0], 1);
        if (end == std::string_view::npos) return std::nullopt;
        const std::string_view found = rest_.substr(1, end - 1);
        rest_.remove_prefix(end + 1);
        return found;
    }
    std::optional<bool> truth() {
        skip_space();
        for (const auto& [word, value] : {std::pair{std::string_view("True"), true}, {std::string_view("False"), false}}) {
            if (!rest_.starts_with(word)) continue;
            rest_.remove_prefix(word.size());
            return value;
        }
        return std::nullopt;
    }
    std::optional<std::vector<std::int64_t>> tuple() {
        if (!take('(')) return std::nullopt;
        std::vector<std::int64_t> sizes;
        while (!take(')')) {
            skip_space();
            std::int64_t size = 0;
            const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), size);
            if (error != std::errc{} || size < 0) return std::nullopt;
            rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
            if (rest_.starts_with('L')) rest_.remove_prefix(1);  // Python 2's long
            sizes.push_back(size);
            if (!take(',') && !(skip_space(), rest_.starts_with(')'))) return std::nullopt;
        }
        return sizes;
    }

private:
    void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n\r"), rest_.size())); }
    std::string_view rest_;
};

struct Dictionary {
    std::optional<std::string_view> descr;
    std::optional<bool> fortran_order;
    std::optional<std::vector<std::int64_t>> shape;
    bool structured = false;
};

std::optional<Dictionary> parse_dictionary(std::string_view text) {
    Dictionary found;
    Literal literal(text);
    if (!literal.take('{')) return std::nullopt;
    while (!literal.take('}')) {
        const auto key = literal.text();
        if (!key || !literal.take(':')) return std::nullopt;
        if (*key == "descr") {
            found.descr = literal.text();
            if (!found.descr) {
                found.structured = true;  // a list of fields; nothing after it matters
                return found;
            }
        } else if (*key == "fortran_order") {
            found.fortran_order = literal.truth();
        } else if (*key == "shape") {
            found.shape = literal.tuple();
        } else {
            return std::nullopt;
        }
        literal.take(',');
    }
    if (!found.descr || !found.fortran_order || !found.shape) return std::nullopt;
    return found;
}

Diagnostic no_type(std::string_view descr, const std::string& array, const std::string& file) {
    if (descr.starts_with('>'))
        return input_error(std::format("array '{}' of '{}' is big-endian ('{}')", array, file, descr))
            .fix(std::format("save it as .astype('<{}')", descr.substr(1)));
    return input_error(std::format("array '{}' of '{}' has elements of type '{}', which no tensor of a model has", array, file, descr))
        .fix("floating point, integers and booleans can be read");
}

}  // namespace

Result<NpyHeader> parse_npy_header(std::string_view start, const std::string& array, const std::string& file) {
    const auto damaged = [&](std::string_view why) {
        return fail(input_error(std::format("array '{}' of '{}' is no .npy array: {}", array, file, why)));
    };
    if (!start.starts_with(kMagic) || start.size() < 12) return damaged("it does not begin like one");
    const int version = start[6];
    if (version < 1 || version > 3) return damaged(std::format("format version {} is unknown", version));
    const std::size_t before = version == 1 ? 10 : 12;
    const std::size_t length = little_endian(start.substr(8, before - 8));
    if (length > start.size() - before) return damaged(std::format("its header of {} bytes is cut off or too long", length));
    const auto dictionary = parse_dictionary(start.substr(before, length));
    if (!dictionary) return damaged("its header cannot be read");
    if (dictionary->structured)
        return fail(input_error(std::format("array '{}' of '{}' has structured elements", array, file)).fix("save each field by itself"));
    NpyHeader header{element_type(*dictionary->descr), *dictionary->fortran_order, *dictionary->shape,
                     static_cast<std::int64_t>(before + length)};
    if (header.type == nullptr) return fail(no_type(*dictionary->descr, array, file));
    if (!bytes_of(*header.type, header.shape)) return damaged(std::format("it cannot have the shape {}", shape_text(header.shape)));
    return header;
}

std::string npy_header(const ElementType& type, std::span<const std::int64_t> shape, std::size_t at_least) {
    std::string sizes;
    for (const std::int64_t size : shape) sizes += std::format("{}{}", sizes.empty() ? "" : ", ", size);
    if (shape.size() == 1) sizes += ',';
    std::string dictionary = std::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type.descr, sizes);
    const std::size_t whole = (std::max(at_least, kMagic.size() + 4 + dictionary.size() + 1) + 63) / 64 * 64;
    dictionary.resize(whole - kMagic.size() - 4 - 1, ' ');
    dictionary += '\n';
    std::string header(kMagic);
    header += {'\x01', '\x00', static_cast<char>(dictionary.size() & 0xff), static_cast<char>(dictionary.size() >> 8)};
    return header + dictionary;
}

}  // namespace sluice::runtime
