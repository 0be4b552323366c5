// What comparisons of any job share: the list of methods, and what each of them gets.
#pragma once

#include <algorithm>
#include <format>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments.hpp"
#include "sluice/base/diagnostic.hpp"
#include "sluice/base/stop.hpp"

namespace sluice::cli {

/// What "a,b,c" names, each once.
template <typename Entry>
Result<std::vector<const Entry*>> entries_of(std::string_view list, Result<const Entry*> (*find)(std::string_view),
                                             std::span<const Entry> all) {
    std::vector<const Entry*> entries;
    for (std::size_t at = 0; at <= list.size();) {
        const std::size_t end = std::min(list.find(',', at), list.size());
        auto found = find(list.substr(at, end - at));
        if (!found) {
            std::string names;
            for (const Entry& entry : all) names += std::format("{}{}", names.empty() ? "" : ", ", entry.name);
            if (!found.error().notes.empty()) return fail(std::move(found.error()));  // it says so itself
            return fail(std::move(found.error()).note(std::format("it is one of: {}", names)));
        }
        if (std::ranges::find(entries, *found) == entries.end()) entries.push_back(*found);
        at = end + 1;
    }
    return entries;
}

/// Of one method, from now on: --time and --evals.
[[nodiscard]] Limits limits_of_each(const Arguments& arguments, std::stop_token stop);
/// "10 s", "200 evaluations": the same in words.
[[nodiscard]] std::string budget_text(const Arguments& arguments);

}  // namespace sluice::cli
