#include "sluice/runtime/compare.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <format>
#include <limits>
#include <vector>

#include "sluice/base/small_floats.hpp"
#include "sluice/runtime/npz.hpp"

namespace sluice::runtime {

namespace {

constexpr std::int64_t kPiece = std::int64_t{1} << 19;  // bytes of each file at once

struct Difference {
    std::int64_t bitwise = 0;
    double largest = 0, magnitude = 0;
};

template <typename T>
void take_in(Difference& difference, const std::byte* a, const std::byte* b, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        T x, y;
        std::memcpy(&x, a + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
        std::memcpy(&y, b + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
        const double second = static_cast<double>(y);
        if (std::isfinite(second)) difference.magnitude = std::max(difference.magnitude, std::abs(second));
        if (std::memcmp(&x, &y, sizeof(T)) == 0) {
            ++difference.bitwise;
            continue;
        }
        const double apart = std::abs(static_cast<double>(x) - second);
        difference.largest = std::max(difference.largest, std::isnan(apart) ? std::numeric_limits<double>::infinity() : apart);
    }
}

using TakeIn = void (*)(Difference&, const std::byte*, const std::byte*, std::int64_t);

TakeIn take_in_of(const ElementType& type) {
    const std::string_view name = type.name;
    if (name == "float32") return take_in<float>;
    if (name == "float64") return take_in<double>;
    if (name == "float16") return take_in<Float16>;
    if (name == "bfloat16") return take_in<BFloat16>;
    const bool is_unsigned = name.starts_with('u') || type.boolean;
    switch (type.bytes) {
        case 1:
            return is_unsigned ? take_in<std::uint8_t> : take_in<std::int8_t>;
        case 2:
            return is_unsigned ? take_in<std::uint16_t> : take_in<std::int16_t>;
        case 4:
            return is_unsigned ? take_in<std::uint32_t> : take_in<std::int32_t>;
        default:
            return is_unsigned ? take_in<std::uint64_t> : take_in<std::int64_t>;
    }
}

Diagnostic differ(std::string message) { return {DiagnosticKind::verification, std::move(message), {}, {}, {}}; }

Result<void> compare_array(const NpzFile& ours, const NpzFile& theirs, const NpzEntry& entry, const NpzEntry& other,
                           const std::stop_token& stop, Comparison& result) {
    auto a = ours.stream(entry), b = theirs.stream(other);
    if (!a) return fail(std::move(a.error()));
    if (!b) return fail(std::move(b.error()));
    const ElementType& type = *entry.header.type;
    const TakeIn take = take_in_of(type);
    const std::int64_t inputs = entry.header.shape.empty() ? 1 : entry.header.shape.front();
    const std::int64_t bytes = inputs > 0 ? entry.header.bytes() / inputs : 0;
    std::vector<std::byte> first(static_cast<std::size_t>(std::min(bytes, kPiece))), second(first.size());
    for (std::int64_t input = 0; input < inputs; ++input) {
        if (stop.stop_requested()) return fail(Diagnostic{DiagnosticKind::stopped, "interrupted while outputs were compared", {}, {}, {}});
        Difference difference;
        for (std::int64_t done = 0; done < bytes;) {
            const auto piece = static_cast<std::size_t>(std::min(bytes - done, kPiece));
            if (auto read = (*a)->read({first.data(), piece}); !read) return read;
            if (auto read = (*b)->read({second.data(), piece}); !read) return read;
            take(difference, first.data(), second.data(), static_cast<std::int64_t>(piece) / type.bytes);
            done += static_cast<std::int64_t>(piece);
        }
        result.values += bytes / type.bytes;
        result.bitwise += difference.bitwise;
        if (difference.largest == 0) continue;
        const double error = difference.magnitude > 0 ? difference.largest / difference.magnitude : std::numeric_limits<double>::infinity();
        if (error > result.largest_error || result.worst.empty()) result.worst = std::format("output '{}' of input {}", entry.name, input);
        result.largest_error = std::max(result.largest_error, error);
    }
    return {};
}

}  // namespace

Result<Comparison> compare_outputs(const std::filesystem::path& outputs, const std::filesystem::path& reference,
                                   const std::stop_token& stop) {
    const auto ours = NpzFile::open(outputs), theirs = NpzFile::open(reference);
    if (!ours) return fail(ours.error());
    if (!theirs) return fail(theirs.error());
    Comparison result;
    for (const NpzEntry& entry : ours->entries()) {
        const NpzEntry* other = theirs->find(entry.name);
        if (other == nullptr) return fail(differ(std::format("output '{}' is not among the unsplit model's", entry.name)));
        if (other->header.type != entry.header.type || other->header.shape != entry.header.shape)
            return fail(differ(std::format("output '{}' is {} {}, the unsplit model's {} {}", entry.name, entry.header.type->name,
                                           shape_text(entry.header.shape), other->header.type->name, shape_text(other->header.shape))));
        if (auto compared = compare_array(*ours, *theirs, entry, *other, stop, result); !compared) return fail(std::move(compared.error()));
    }
    if (ours->entries().size() != theirs->entries().size())
        return fail(
            differ(std::format("the pipeline has {} outputs, the unsplit model {}", ours->entries().size(), theirs->entries().size())));
    return result;
}

}  // namespace sluice::runtime
