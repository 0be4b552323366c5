#include "sluice/runtime/made_up.hpp"

#include <algorithm>
#include <cstring>

#include "sluice/base/random.hpp"
#include "sluice/base/small_floats.hpp"

namespace sluice::runtime {

namespace {

/// A stream's number from a name and an index (FNV-1a).
std::uint64_t stream_of(std::string_view name, std::int64_t index) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return (hash ^ static_cast<std::uint64_t>(index)) * 0x100000001b3;
}

/// Four values of 16 random bits a draw.
template <typename T, typename Value>
void fill(std::span<std::byte> data, RandomStream& random, Value value) {
    std::uint64_t bits = 0;
    for (std::size_t at = 0, left = 0; at + sizeof(T) <= data.size(); at += sizeof(T), --left, bits >>= 16) {
        if (left == 0) {
            bits = random();
            left = 4;
        }
        const T made = value(static_cast<std::uint16_t>(bits));
        std::memcpy(data.data() + at, &made, sizeof(T));
    }
}

template <typename T>
void fill_floating(std::span<std::byte> data, RandomStream& random) {
    fill<T>(data, random,
            [](std::uint16_t bits) { return static_cast<T>(static_cast<float>(static_cast<std::int16_t>(bits)) / 32768.0F); });
}

template <typename T>
void fill_integers(std::span<std::byte> data, RandomStream& random, bool ones) {
    fill<T>(data, random, [ones](std::uint16_t bits) { return static_cast<T>(ones ? 1 : bits & 1); });
}

}  // namespace

void make_up(const ElementType& type, std::string_view name, std::uint64_t seed, std::int64_t index, std::span<std::byte> data) {
    RandomStream random(seed, stream_of(name, index));
    const bool mask = type.boolean || name.contains("mask");
    if (type.floating && !mask) {
        if (type.number == 16) return fill_floating<BFloat16>(data, random);
        if (type.bytes == 2) return fill_floating<Float16>(data, random);
        return type.bytes == 4 ? fill_floating<float>(data, random) : fill_floating<double>(data, random);
    }
    if (type.floating) {
        if (type.number == 16) return fill<BFloat16>(data, random, [](std::uint16_t) { return BFloat16(1); });
        if (type.bytes == 2) return fill<Float16>(data, random, [](std::uint16_t) { return Float16(1); });
        if (type.bytes == 4) return fill<float>(data, random, [](std::uint16_t) { return 1.0F; });
        return fill<double>(data, random, [](std::uint16_t) { return 1.0; });
    }
    switch (type.bytes) {
        case 1:
            return fill_integers<std::uint8_t>(data, random, mask);
        case 2:
            return fill_integers<std::uint16_t>(data, random, mask);
        case 4:
            return fill_integers<std::uint32_t>(data, random, mask);
        default:
            return fill_integers<std::uint64_t>(data, random, mask);
    }
}

}  // namespace sluice::runtime
