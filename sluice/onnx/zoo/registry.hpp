// What a model family gives to the zoo: a name, its sizes with defaults and limits, and a generator. One file per family; families.cpp
// lists them.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/onnx/zoo/builder.hpp"

namespace sluice::onnx::zoo {

inline constexpr std::int64_t kMost = std::int64_t{1} << 31;  // of any size: products of two fit int64
inline constexpr std::int64_t kMany = kMostOperators;         // of anything that becomes operators

struct Size {
    std::string_view name;
    std::int64_t value;  // default
    std::string_view meaning;
    std::int64_t low = 1, high = kMost;
};

/// The sizes of one model, by name.
class Sizes {
public:
    explicit Sizes(std::vector<std::pair<std::string_view, std::int64_t>> values) : values_(std::move(values)) {}
    /// A name the family declares.
    [[nodiscard]] std::int64_t operator[](std::string_view name) const;

private:
    std::vector<std::pair<std::string_view, std::int64_t>> values_;
};

struct Family {
    std::string_view name;
    std::string_view description;
    std::vector<Size> sizes;
    void (*build)(ModelBuilder& builder, const Sizes& sizes);
};

[[nodiscard]] std::vector<Family> chain_families();           // chain, residual
[[nodiscard]] std::vector<Family> inception_families();       // inception
[[nodiscard]] std::vector<Family> bert_families();            // bert-base, bert-large
[[nodiscard]] std::vector<Family> gpt2_families();            // gpt2
[[nodiscard]] std::vector<Family> resnet_families();          // resnet50
[[nodiscard]] std::vector<Family> unet_families();            // unet
[[nodiscard]] std::vector<Family> mmt_families();             // mmt
[[nodiscard]] std::vector<Family> recommendation_families();  // dlrm, candle-uno
[[nodiscard]] std::vector<Family> moe_families();             // moe
[[nodiscard]] std::vector<Family> two_tower_families();       // two-tower
[[nodiscard]] std::vector<Family> random_families();          // random-sp, -er, -ba, -ws, -sbm

}  // namespace sluice::onnx::zoo
