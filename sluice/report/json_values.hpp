// Private to this layer. Values as members of a JSON object.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

namespace sluice::report {

/// null where there is no value.
template <typename Value>
[[nodiscard]] nlohmann::ordered_json or_null(const std::optional<Value>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

}  // namespace sluice::report
