// Sizes that depend on data have upper bounds that depend on shapes alone.
#include <algorithm>
#include <unordered_map>

#include "sluice/base/units.hpp"
#include "sluice/onnx/import/shapes.hpp"
#include "sluice/onnx/import/types.hpp"

namespace sluice::onnx {

namespace {

std::optional<Shape> shape_of(const NodeLinks& links, std::size_t input) {
    if (input >= links.inputs.size() || !links.inputs[input]) return std::nullopt;
    return full_shape(links.inputs[input]->type);
}

const ::onnx::AttributeProto* attribute(const NodeLinks& links, std::string_view name) {
    for (const auto& entry : links.node->attribute()) {
        if (entry.name() == name) return &entry;
    }
    return nullptr;
}

std::optional<std::size_t> axis_of(const NodeLinks& links, std::int64_t otherwise, std::size_t rank) {
    const auto* given = attribute(links, "axis");
    std::int64_t axis = given ? given->i() : otherwise;
    if (axis < 0) axis += static_cast<std::int64_t>(rank);
    if (axis < 0 || axis >= static_cast<std::int64_t>(rank)) return std::nullopt;
    return static_cast<std::size_t>(axis);
}

/// At most every element is marked: [rank, elements].
std::vector<Shape> non_zero(const NodeLinks& links) {
    const auto data = shape_of(links, 0);
    const auto count = data ? element_count(*data) : std::nullopt;
    if (!count) return {};
    return {{static_cast<std::int64_t>(data->size()), *count}};
}

/// At most every element, or slice along the axis, is unlike the others.
std::vector<Shape> unique(const NodeLinks& links) {
    auto data = shape_of(links, 0);
    const auto count = data ? element_count(*data) : std::nullopt;
    if (!count) return {};
    if (!attribute(links, "axis")) return {{*count}, {*count}, {*count}, {*count}};
    const auto axis = axis_of(links, 0, data->size());
    if (!axis) return {};
    const std::int64_t size = (*data)[*axis];
    return {*data, {size}, {size}, {size}};
}

/// At most as long as the axis, and as the condition.
std::vector<Shape> compress(const NodeLinks& links) {
    auto data = shape_of(links, 0);
    const auto condition = shape_of(links, 1);
    if (!data || !condition || condition->size() != 1) return {};
    if (!attribute(links, "axis")) {
        const auto count = element_count(*data);
        return count ? std::vector<Shape>{{std::min(*count, condition->front())}} : std::vector<Shape>{};
    }
    const auto axis = axis_of(links, 0, data->size());
    if (!axis) return {};
    (*data)[*axis] = std::min((*data)[*axis], condition->front());
    return {*data};
}

/// k is at most the length of the axis.
std::vector<Shape> top_k(const NodeLinks& links) {
    const auto data = shape_of(links, 0);
    if (!data) return {};
    return {*data, *data};
}

/// A slice is at most the whole.
std::vector<Shape> slice(const NodeLinks& links) {
    const auto data = shape_of(links, 0);
    return data ? std::vector<Shape>{*data} : std::vector<Shape>{};
}

/// Every box of every class of every batch, up to the limit per class.
std::vector<Shape> non_max_suppression(const NodeLinks& links) {
    const auto boxes = shape_of(links, 0), scores = shape_of(links, 1);
    if (!boxes || !scores || boxes->size() != 3 || scores->size() != 3) return {};
    std::int64_t per_class = (*boxes)[1];
    if (links.inputs.size() > 2 && links.inputs[2] && links.inputs[2]->value) {
        const auto limit = links.inputs[2]->value->integers();
        if (limit && limit->size() == 1 && limit->front() >= 0) per_class = std::min(per_class, limit->front());
    }
    const auto classes = checked_multiply((*scores)[0], (*scores)[1]);
    const auto total = classes ? checked_multiply(*classes, per_class) : std::nullopt;
    return total ? std::vector<Shape>{{*total, 3}} : std::vector<Shape>{};
}

}  // namespace

std::vector<Shape> data_dependent_bounds(const NodeLinks& links) {
    using Rule = std::vector<Shape> (*)(const NodeLinks&);
    static const std::unordered_map<std::string_view, Rule> kRules{{"NonZero", non_zero},  {"Unique", unique},
                                                                   {"Compress", compress}, {"TopK", top_k},
                                                                   {"Slice", slice},       {"NonMaxSuppression", non_max_suppression}};
    if (!links.node->domain().empty() && links.node->domain() != "ai.onnx") return {};
    const auto found = kRules.find(links.node->op_type());
    return found == kRules.end() ? std::vector<Shape>{} : found->second(links);
}

}  // namespace sluice::onnx
