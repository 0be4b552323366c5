#include "sluice/plan/members.hpp"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>

namespace sluice::plan {

using nlohmann::ordered_json;

ordered_json to_json(std::span<const OperatorReference> operators) {
    ordered_json list = ordered_json::array();
    for (const OperatorReference& reference : operators)
        list.push_back(ordered_json::array({static_cast<std::int64_t>(reference.id.index()), reference.output}));
    return list;
}

namespace {

/// [index, "first output"]; nullopt after a failure.
std::optional<OperatorReference> read_operator(const Members& members, const json::Node& item) {
    const auto* pair = members.take(item.as_array());
    if (members.failure()) return std::nullopt;
    if (pair->size() != 2) {
        members.refuse(
            input_error(std::format("an operator is [index, \"first output\"], this list has {} entries", pair->size())).at(item.where()));
        return std::nullopt;
    }
    const std::int64_t index = members.take((*pair)[0].as_count());
    if (index >= std::numeric_limits<std::uint32_t>::max()) {
        members.refuse(input_error(std::format("{} is no operator's index", index)).at(item.where()));
        return std::nullopt;
    }
    OperatorReference reference{OperatorId(static_cast<std::size_t>(index)), members.take((*pair)[1].as_string())};
    if (members.failure()) return std::nullopt;
    return reference;
}

}  // namespace

std::vector<OperatorReference> read_operators(const Members& members, std::string_view key) {
    std::vector<OperatorReference> operators;
    for (const json::Node& item : members.array(key)) {
        auto reference = read_operator(members, item);
        if (!reference) break;
        operators.push_back(*std::move(reference));
    }
    return operators;
}

ordered_json to_json(std::span<const graph::Rewrite> rewrites) {
    const auto name = [](const graph::OperatorName& op) -> ordered_json {
        if (!op.id.valid()) return op.output;
        return ordered_json::array({static_cast<std::int64_t>(op.id.index()), op.output});
    };
    ordered_json list = ordered_json::array();
    for (const graph::Rewrite& rewrite : rewrites) {
        ordered_json& item = list.emplace_back(ordered_json::object());
        item["kind"] = graph::to_text(rewrite.kind);
        if (rewrite.kind == graph::RewriteKind::relay)
            item["tensor"] = rewrite.tensor;
        else
            item["operator"] = name(rewrite.copied);
        item["makes"] = rewrite.makes;
        item["readers"] = ordered_json::array();
        for (const graph::OperatorName& reader : rewrite.readers) item["readers"].push_back(name(reader));
    }
    return list;
}

namespace {

graph::Rewrite read_rewrite(const json::Node& node, std::optional<Diagnostic>& failure) {
    graph::Rewrite rewrite;
    const json::Node* tag = node.find("kind");
    const auto kind = tag ? tag->as_string() : Result<std::string>();
    const bool relay = kind && *kind == graph::to_text(graph::RewriteKind::relay);
    const Members members = relay ? Members(node, {"kind", "tensor", "makes", "readers"}, failure)
                                  : Members(node, {"kind", "operator", "makes", "readers"}, failure);
    const std::string text = members.text("kind");
    constexpr std::array kKinds{graph::RewriteKind::clone, graph::RewriteKind::recompute, graph::RewriteKind::relay};
    std::vector<std::string_view> names;
    for (const graph::RewriteKind known : kKinds) {
        names.push_back(graph::to_text(known));
        if (text == names.back()) rewrite.kind = known;
    }
    if (!failure && !std::ranges::contains(names, text)) {
        const auto near = nearest_match(text, names);
        members.refuse(input_error(std::format("'{}' is no kind of rewrite", text))
                           .at(members.where("kind"))
                           .fix(near.empty() ? "clone, recompute and relay are" : std::format("did you mean '{}'?", near)));
    }
    if (failure) return rewrite;
    if (relay)
        rewrite.tensor = members.text("tensor");
    else if (const auto copied = read_operator(members, members.node("operator")))
        rewrite.copied = {copied->id, copied->output};
    for (const json::Node& name : members.array("makes")) rewrite.makes.push_back(members.take(name.as_string()));
    for (const json::Node& item : members.array("readers")) {
        if (failure) break;
        if (!item.is_array()) {
            rewrite.readers.push_back({{}, members.take(item.as_string())});
        } else if (const auto reader = read_operator(members, item)) {
            rewrite.readers.push_back({reader->id, reader->output});
        }
    }
    return rewrite;
}

}  // namespace

std::vector<graph::Rewrite> read_rewrites(const Members& members, std::string_view key) {
    std::vector<graph::Rewrite> rewrites;
    for (const json::Node& item : members.array(key)) {
        if (members.failure()) break;
        rewrites.push_back(read_rewrite(item, members.failure()));
    }
    return rewrites;
}

ordered_json to_json(const std::optional<BoundClaim>& bound) {
    if (!bound) return nullptr;
    return {{"value_ps", bound->value.count()}, {"kind", bound->kind}, {"certified", bound->certified}};
}

std::optional<BoundClaim> read_bound(const json::Node& node, std::optional<Diagnostic>& failure) {
    if (node.is_null()) return std::nullopt;
    const Members members(node, {"value_ps", "kind", "certified"}, failure);
    BoundClaim bound{.value = members.duration("value_ps"), .kind = members.text("kind"), .certified = members.truth("certified")};
    if (!failure && !std::ranges::contains(kBoundKinds, std::string_view(bound.kind))) {
        const auto near = nearest_match(bound.kind, std::span<const std::string_view>(kBoundKinds));
        members.refuse(input_error(std::format("no bound is of kind '{}'", bound.kind))
                           .at(members.where("kind"))
                           .fix(near.empty() ? std::string{} : std::format("did you mean '{}'?", near)));
    }
    return bound;
}

}  // namespace sluice::plan
