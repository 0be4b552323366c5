// The members of a certificate's JSON objects.
// Private to this layer.
#pragma once

#include <cstdint>
#include <format>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "sluice/base/json.hpp"
#include "sluice/bound/certificate.hpp"

namespace sluice::bound::fields {

inline constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t kLargestIndex = std::numeric_limits<std::uint32_t>::max() - 1;  // the value above means "none"

inline std::unexpected<Diagnostic> wrong(const json::Node& node, std::string message) {
    return fail(input_error(std::move(message)).at(node.where()));
}

inline Result<std::int64_t> read_integer(const json::Node& object, std::string_view key, std::int64_t least, std::int64_t most) {
    const auto member = object.get(key);
    if (!member) return fail(member.error());
    const auto value = (*member)->as_int();
    if (!value) return fail(value.error());
    if (*value < least || *value > most) return wrong(**member, std::format("'{}' is {}, expected {} to {}", key, *value, least, most));
    return *value;
}

inline Result<std::string> read_text(const json::Node& object, std::string_view key) {
    const auto member = object.get(key);
    if (!member) return fail(member.error());
    return (*member)->as_string();
}

inline Result<bool> read_bool(const json::Node& object, std::string_view key) {
    const auto member = object.get(key);
    if (!member) return fail(member.error());
    return (*member)->as_bool();
}

inline Result<const json::Array*> read_array(const json::Node& object, std::string_view key) {
    const auto member = object.get(key);
    if (!member) return fail(member.error());
    return (*member)->as_array();
}

/// What the certificates of all jobs have in common: their problem and model, and the object of the bound itself. What read_bound returns
/// is the value; `kind` is the witness', which the file must agree with.
[[nodiscard]] Result<void> read_names(const json::Node& document, std::string& problem, std::string& model);
[[nodiscard]] Result<Duration> read_bound(const json::Node& document, std::string_view kind);
[[nodiscard]] nlohmann::ordered_json bound_object(Duration value, std::string_view kind, bool certified);

[[nodiscard]] nlohmann::ordered_json indices_of(const std::vector<NodeId>& nodes);
[[nodiscard]] Result<NodeId> read_node(const json::Node& node);
[[nodiscard]] Result<std::vector<NodeId>> read_nodes(const json::Node& object, std::string_view key);

[[nodiscard]] Result<SerialTerms> read_terms(const json::Node& object);
void add_terms(nlohmann::ordered_json& object, const SerialTerms& terms);

}  // namespace sluice::bound::fields
