#include "sluice/bound/certificate_fields.hpp"

#include <array>

namespace sluice::bound::fields {

using json::Node;
using nlohmann::ordered_json;

Result<void> read_names(const Node& document, std::string& problem, std::string& model) {
    for (const auto& [key, to] : std::array<std::pair<std::string_view, std::string*>, 2>{{{"problem", &problem}, {"model", &model}}}) {
        auto text = read_text(document, key);
        if (!text) return fail(text.error());
        *to = *std::move(text);
    }
    return {};
}

Result<Duration> read_bound(const Node& document, std::string_view kind) {
    const auto bound = document.get("bound");
    if (!bound) return fail(bound.error());
    if (auto known = (*bound)->expect_keys({"value_ps", "kind", "certified"}); !known) return fail(known.error());
    const auto value = read_integer(**bound, "value_ps", 0, kLargest);
    if (!value) return fail(value.error());
    const auto claimed = read_text(**bound, "kind");
    if (!claimed) return fail(claimed.error());
    if (*claimed != kind) return wrong(**bound, std::format("the bound is of kind '{}', its witness of kind '{}'", *claimed, kind));
    // The writer's word; only the checker's counts.
    if (const auto certified = read_bool(**bound, "certified"); !certified) return fail(certified.error());
    return Duration{*value};
}

ordered_json bound_object(Duration value, std::string_view kind, bool certified) {
    return {{"value_ps", value.count()}, {"kind", kind}, {"certified", certified}};
}

ordered_json indices_of(const std::vector<NodeId>& nodes) {
    ordered_json indices = ordered_json::array();
    for (const NodeId node : nodes) indices.push_back(node.index());
    return indices;
}

Result<NodeId> read_node(const Node& node) {
    const auto index = node.as_int();
    if (!index) return fail(index.error());
    if (*index < 0 || *index > kLargestIndex) return wrong(node, std::format("node {}, expected 0 to {}", *index, kLargestIndex));
    return NodeId(static_cast<std::size_t>(*index));
}

Result<std::vector<NodeId>> read_nodes(const Node& object, std::string_view key) {
    const auto array = read_array(object, key);
    if (!array) return fail(array.error());
    std::vector<NodeId> nodes;
    nodes.reserve((*array)->size());
    for (const Node& entry : **array) {
        const auto node = read_node(entry);
        if (!node) return fail(node.error());
        nodes.push_back(*node);
    }
    return nodes;
}

Result<SerialTerms> read_terms(const Node& node) {
    SerialTerms terms;
    const auto scale = read_integer(node, "scale", 1, kLargestScale);
    if (!scale) return fail(scale.error());
    terms.scale = *scale;
    for (const auto& [key, to] :
         std::array<std::pair<std::string_view, std::int64_t*>, 2>{{{"work", &terms.work}, {"transfer", &terms.transfer}}}) {
        const auto weight = read_integer(node, key, 0, terms.scale);
        if (!weight) return fail(weight.error());
        *to = *weight;
    }
    const auto merges = read_array(node, "merges");
    if (!merges) return fail(merges.error());
    for (const Node& merge : **merges) {
        const auto pair = merge.as_array();
        if (!pair) return fail(pair.error());
        if ((*pair)->size() != 2) return wrong(merge, std::format("a merge of {} groups, expected 2", (*pair)->size()));
        const auto stays = read_node((**pair)[0]), moved = read_node((**pair)[1]);
        if (!stays) return fail(stays.error());
        if (!moved) return fail(moved.error());
        terms.merges.emplace_back(*stays, *moved);
    }
    return terms;
}

void add_terms(ordered_json& object, const SerialTerms& terms) {
    ordered_json merges = ordered_json::array();
    for (const auto& [stays, moved] : terms.merges) merges.push_back({stays.index(), moved.index()});
    object["scale"] = terms.scale;
    object["work"] = terms.work;
    object["transfer"] = terms.transfer;
    object["merges"] = std::move(merges);
}

}  // namespace sluice::bound::fields
