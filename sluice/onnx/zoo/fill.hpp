// Data of initializers, made piece by piece so that a 256 MB table never lies in memory whole. Random values are near-normal: the sum of
// four uniform 16-bit numbers of one draw (Irwin-Hall), within 3.47 deviations, with no call to a libm whose last bit differs between
// machines. Every initializer has its own stream, so its values do not depend on where the data goes.
#pragma once

#include <bit>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <span>

#include "sluice/base/random.hpp"
#include "sluice/onnx/zoo/builder.hpp"

namespace sluice::onnx::zoo {

inline constexpr double kLargestDeviations = 3.47;  // |value - mean| <= this many deviations

/// A draw of the sum, less its mean; times kInverseDeviation it has deviation 1.
[[nodiscard]] inline std::int64_t centred_sum(RandomStream& random) {
    constexpr std::int64_t kMean = 2 * 65535;  // of four uniform 16-bit numbers
    const std::uint64_t draw = random();
    return static_cast<std::int64_t>((draw & 0xffff) + ((draw >> 16) & 0xffff) + ((draw >> 32) & 0xffff) + (draw >> 48)) - kMean;
}
inline constexpr double kInverseDeviation = 1.0 / 37837.22731286154;  // sqrt(4 (65536^2 - 1) / 12)

/// Fills `piece`, a whole number of these, with what `make` gives, one after the other; little-endian as ONNX raw data is.
template <typename T, typename Make>
void fill(std::span<char> piece, Make make) {
    static_assert(std::endian::native == std::endian::little);
    assert(piece.size() % sizeof(T) == 0);
    for (std::size_t at = 0; at < piece.size(); at += sizeof(T)) {
        const T value = make();
        std::memcpy(piece.data() + at, &value, sizeof(T));
    }
}

/// Yields an initializer's little-endian bytes in order.
class DataSource {
public:
    /// `index`: the initializer's place in its model, which names its random stream.
    DataSource(const Initializer& initializer, std::uint64_t seed, std::size_t index);

    [[nodiscard]] std::int64_t left() const { return left_; }
    /// Fills `piece` whole; its size is a multiple of 8, or all that is left.
    void next(std::span<char> piece);

private:
    const Initializer* initializer_;
    RandomStream random_;
    std::int64_t left_;
    std::int64_t position_ = 0;  // in elements
};

}  // namespace sluice::onnx::zoo
