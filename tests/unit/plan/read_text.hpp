// A plan from the text of its file.
#pragma once

#include <string_view>

#include "sluice/base/json.hpp"
#include "sluice/plan/plan_file.hpp"

namespace sluice::test {

inline Result<plan::Plan> read_text(std::string_view text) {
    auto document = json::parse(text, "plan.json");
    if (!document) return fail(document.error());
    return plan::read_plan(*document);
}

}  // namespace sluice::test
