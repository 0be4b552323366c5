#include "sluice/mcm/policy/network.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <format>

namespace sluice::mcm::policy {

namespace {

constexpr std::size_t kLanes = 8, kRows = 4;  // a tile of results that stays in registers

/// y = x w + b for `rows` rows, x: rows x in, w: in x out.
void affine(const float* x, std::size_t rows, std::size_t in, const float* w, const float* b, std::size_t out, float* y) {
    std::size_t row = 0;
    for (; row + kRows <= rows; row += kRows) {
        std::size_t column = 0;
        for (; column + kLanes <= out; column += kLanes) {
            std::array<std::array<float, kLanes>, kRows> sum;
            for (auto& lanes : sum) std::copy_n(b + column, kLanes, lanes.begin());
            for (std::size_t i = 0; i < in; ++i) {
                const float* weight = w + i * out + column;
                for (std::size_t r = 0; r < kRows; ++r) {
                    const float value = x[(row + r) * in + i];
                    for (std::size_t l = 0; l < kLanes; ++l) sum[r][l] += value * weight[l];
                }
            }
            for (std::size_t r = 0; r < kRows; ++r) std::copy_n(sum[r].begin(), kLanes, y + (row + r) * out + column);
        }
        for (std::size_t r = 0; r < kRows && column < out; ++r)
            for (std::size_t c = column; c < out; ++c) {
                float sum = b[c];
                for (std::size_t i = 0; i < in; ++i) sum += x[(row + r) * in + i] * w[i * out + c];
                y[(row + r) * out + c] = sum;
            }
    }
    for (; row < rows; ++row)
        for (std::size_t c = 0; c < out; ++c) {
            float sum = b[c];
            for (std::size_t i = 0; i < in; ++i) sum += x[row * in + i] * w[i * out + c];
            y[row * out + c] = sum;
        }
}

void rectify(std::span<float> values) {
    for (float& value : values) value = std::max(value, 0.0F);
}

/// To mean 0 and variance 1, then scaled and shifted.
void normalise(std::span<float> row, const float* scale, const float* shift) {
    float mean = 0, square = 0;
    for (const float value : row) mean += value;
    mean /= static_cast<float>(row.size());
    for (const float value : row) square += (value - mean) * (value - mean);
    const float factor = 1 / std::sqrt(square / static_cast<float>(row.size()) + kNormEpsilon);
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = (row[i] - mean) * factor * scale[i] + shift[i];
}

void mean_of(std::span<const NodeId> nodes, const std::vector<float>& hidden, std::span<float> mean) {
    std::ranges::fill(mean, 0.0F);
    for (const NodeId node : nodes) {
        const float* row = hidden.data() + node.index() * mean.size();
        for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += row[i];
    }
    if (nodes.size() > 1)
        for (float& value : mean) value /= static_cast<float>(nodes.size());
}

class Network {
public:
    Network(const Policy& policy, const Features& features)
        : weights_(policy.weights.data()),
          shape_(policy.architecture),
          features_(features),
          parts_(parts_of(shape_)),
          width_(shape_.width),
          outputs_(outputs_of(shape_)) {
        assert(policy.weights.size() == weight_count(shape_));
    }

    std::vector<float> run() {
        std::vector<float> places(features_.nodes, 0.0F), logits;
        for (std::uint32_t pass = 0; pass < shape_.passes; ++pass) logits = decode(encode(places, pass > 0), places);
        return logits;
    }

private:
    const float* next() { return weights_ + parts_[part_++].offset; }

    std::vector<float> encode(const std::vector<float>& places, bool known) {
        const std::size_t nodes = features_.nodes;
        part_ = 0;
        std::vector<float> inputs(nodes * kNetworkInputs);
        for (std::size_t v = 0; v < nodes; ++v) {
            float* row = inputs.data() + v * kNetworkInputs;
            std::copy_n(features_.values.data() + v * kFeatures, kFeatures, row);
            row[kFeatures] = places[v];
            row[kFeatures + 1] = known ? 1.0F : 0.0F;
        }
        std::vector<float> hidden(nodes * width_), fresh(nodes * width_);
        {
            const float *w = next(), *b = next();
            affine(inputs.data(), nodes, kNetworkInputs, w, b, width_, hidden.data());
            rectify(hidden);
        }
        constexpr std::size_t kBlock = 32;  // nodes whose neighbourhoods lie in the cache together
        std::vector<float> around(kBlock * 3 * width_);
        for (std::uint32_t layer = 0; layer < shape_.layers; ++layer) {
            const float *w = next(), *b = next(), *scale = next(), *shift = next();
            for (std::size_t begin = 0; begin < nodes; begin += kBlock) {
                const std::size_t count = std::min(kBlock, nodes - begin);
                for (std::size_t i = 0; i < count; ++i) {
                    const std::span row(around.data() + i * 3 * width_, 3 * width_);
                    std::copy_n(hidden.data() + (begin + i) * width_, width_, row.begin());
                    mean_of((*features_.predecessors)[begin + i], hidden, row.subspan(width_, width_));
                    mean_of((*features_.successors)[begin + i], hidden, row.subspan(2 * width_, width_));
                }
                affine(around.data(), count, 3 * width_, w, b, width_, fresh.data() + begin * width_);
            }
            for (std::size_t v = 0; v < nodes; ++v) normalise({fresh.data() + v * width_, width_}, scale, shift);
            rectify(fresh);
            for (std::size_t i = 0; i < hidden.size(); ++i) hidden[i] += fresh[i];
        }
        const float *w = next(), *b = next();
        affine(hidden.data(), nodes, width_, w, b, width_, fresh.data());
        rectify(fresh);
        const float *w_out = next(), *b_out = next();
        std::vector<float> outputs(nodes * outputs_);
        affine(fresh.data(), nodes, width_, w_out, b_out, outputs_, outputs.data());
        return outputs;
    }

    /// Logits; `places` become the expected ones, in 0 … 1.
    std::vector<float> decode(const std::vector<float>& outputs, std::vector<float>& places) const {
        const std::size_t chips = features_.chips;
        if (shape_.head == Head::categorical) {
            for (std::size_t v = 0; v < features_.nodes; ++v) {
                const std::span row(outputs.data() + v * chips, chips);
                const float most = std::ranges::max(row);
                float sum = 0, place = 0;
                for (std::size_t c = 0; c < chips; ++c) {
                    const float weight = std::exp(row[c] - most);
                    sum += weight;
                    place += weight * (static_cast<float>(c) + 0.5F);
                }
                places[v] = place / sum / static_cast<float>(chips);
            }
            return outputs;
        }
        std::vector<float> logits(features_.nodes * chips);
        const auto usable = static_cast<float>(features_.positions.usable);
        for (std::size_t v = 0; v < features_.nodes; ++v) {
            const float place = features_.positions.of_node[v] + kPlaceScale * outputs[v * 2];
            const float spread = shape_.spread * std::exp(kLogSpreadLimit * std::tanh(outputs[v * 2 + 1] / kLogSpreadLimit));
            const float chip = place * usable - 0.5F;
            for (std::size_t c = 0; c < chips; ++c) {
                const float z = std::abs(static_cast<float>(c) - chip) / spread;
                logits[v * chips + c] = z <= kTail ? -z * z / 2 : -kTail * kTail * (0.5F + std::log(z / kTail));
            }
            places[v] = std::clamp(place, 0.0F, 1.0F);
        }
        return logits;
    }

    const float* weights_;
    const Architecture& shape_;
    const Features& features_;
    std::vector<Part> parts_;
    std::size_t part_ = 0, width_, outputs_;
};

}  // namespace

Result<void> suits(const Architecture& architecture, const Features& features) {
    if (architecture.head == Head::ordinal || architecture.chips == features.chips) return {};
    return fail(input_error(std::format("the policy was trained for {} chips, the problem has {}", architecture.chips, features.chips))
                    .note("a categorical head has one output a chip")
                    .fix("use a policy with an ordinal head, or train one for this number of chips"));
}

std::vector<float> logits(const Policy& policy, const Features& features) { return Network(policy, features).run(); }

std::vector<float> probabilities(const Policy& policy, const Features& features) {
    std::vector<float> rows = logits(policy, features);
    for (std::size_t v = 0; v < features.nodes; ++v) {
        const std::span row(rows.data() + v * features.chips, features.chips);
        const float most = std::ranges::max(row);
        float sum = 0;
        for (float& value : row) {
            value = std::exp(value - most);
            sum += value;
        }
        for (float& value : row) value /= sum;
    }
    return rows;
}

}  // namespace sluice::mcm::policy
