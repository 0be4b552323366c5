#include "sluice/onnx/zoo/fill.hpp"

#include <cassert>

namespace sluice::onnx::zoo {

DataSource::DataSource(const Initializer& initializer, std::uint64_t seed, std::size_t index)
    : initializer_(&initializer), random_(seed, index), left_(bytes_of(initializer.value)) {}

void DataSource::next(std::span<char> piece) {
    const auto bytes = static_cast<std::int64_t>(piece.size());
    assert(bytes <= left_ && (bytes % 8 == 0 || bytes == left_));
    const Recipe& recipe = initializer_->recipe;
    if (const auto* normal = std::get_if<Normal>(&recipe)) {
        const double mean = normal->mean, scale = normal->deviation * kInverseDeviation;
        fill<float>(piece, [&] { return static_cast<float>(mean + scale * static_cast<double>(centred_sum(random_))); });
    } else if (std::holds_alternative<Range>(recipe)) {
        fill<std::int64_t>(piece, [&, next = position_]() mutable { return next++; });
    } else if (std::holds_alternative<LowerTriangle>(recipe)) {
        const std::int64_t side = initializer_->value.shape.back();
        fill<char>(piece, [&, at = position_]() mutable {
            const bool visible = at % side <= at / side % side;
            ++at;
            return static_cast<char>(visible);
        });
    } else if (const auto* values = std::get_if<std::vector<std::int64_t>>(&recipe)) {
        fill<std::int64_t>(piece, [&, at = position_]() mutable { return (*values)[static_cast<std::size_t>(at++)]; });
    } else {
        fill<float>(piece, [&] { return std::get<float>(recipe); });
    }
    left_ -= bytes;
    position_ += bytes / size_of(initializer_->value.element);
}

}  // namespace sluice::onnx::zoo
