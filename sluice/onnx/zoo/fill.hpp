// Data of initializers, made piece by piece so that a 256 MB table never lies in memory whole. Random values are near-normal: the sum of
// four uniform 16-bit numbers of one draw (Irwin-Hall), within 3.47 deviations, with no call to a libm whose last bit differs between
// machines. Every initializer has its own stream, so its values do not depend on where the data goes.
#pragma once

#include <cstdint>
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
