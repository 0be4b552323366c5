#include "sluice/plan/members.hpp"

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

std::vector<OperatorReference> read_operators(const Members& members, std::string_view key) {
    std::vector<OperatorReference> operators;
    for (const json::Node& item : members.array(key)) {
        const auto* pair = members.take(item.as_array());
        if (members.failure()) break;
        if (pair->size() != 2) {
            members.refuse(input_error(std::format("an operator is [index, \"first output\"], this list has {} entries", pair->size()))
                               .at(item.where()));
            break;
        }
        const std::int64_t index = members.take((*pair)[0].as_count());
        if (index >= std::numeric_limits<std::uint32_t>::max()) {
            members.refuse(input_error(std::format("{} is no operator's index", index)).at(item.where()));
            break;
        }
        operators.push_back({OperatorId(static_cast<std::size_t>(index)), members.take((*pair)[1].as_string())});
    }
    return operators;
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
