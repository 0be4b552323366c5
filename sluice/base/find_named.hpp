// Registries: entries found by their names.
#pragma once

#include <format>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/base/diagnostic.hpp"

namespace sluice {

/// Usage Diagnostic with the nearest match when there is none of that name; `what` they are: "method".
template <typename Entry>
[[nodiscard]] Result<const Entry*> find_named(std::span<const Entry> entries, std::string_view name, std::string_view what) {
    std::vector<std::string_view> names;
    for (const Entry& entry : entries) {
        if (entry.name == name) return &entry;
        names.push_back(entry.name);
    }
    Diagnostic diagnostic = usage_error(std::format("unknown {} '{}'", what, name));
    if (const auto near = nearest_match(name, names); !near.empty()) diagnostic.help = std::format("did you mean '{}'?", near);
    return fail(std::move(diagnostic));
}

}  // namespace sluice
