#include "cli/stage_list.hpp"

#include <algorithm>
#include <charconv>
#include <format>
#include <optional>

#include "sluice/plan/plan.hpp"

namespace sluice::cli {

namespace {

/// A part of an item of the list that a flag has.
Result<std::int64_t> number(std::string_view flag, std::string_view text, std::string_view item, std::int64_t least) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error == std::errc::invalid_argument || end != text.data() + text.size())
        return fail(
            usage_error(std::format("{}: '{}' is neither a number nor a range", flag, item)).fix("for example 1..16, 2,4,8 or 2..64*2"));
    if (error == std::errc::result_out_of_range || value > plan::kMostDevices)
        return fail(usage_error(std::format("{}: {} is more than {}, the most there can be", flag, text, plan::kMostDevices)));
    if (value < least) return fail(usage_error(std::format("{}: {} in '{}' must be at least {}", flag, value, item, least)));
    return value;
}

Result<void> add_item(std::string_view flag, std::string_view item, std::vector<std::int64_t>& list) {
    const std::size_t dots = item.find("..");
    auto first = number(flag, item.substr(0, dots), item, 1);
    if (!first) return fail(std::move(first.error()));
    if (dots == std::string_view::npos) {
        list.push_back(*first);
        return {};
    }
    std::string_view rest = item.substr(dots + 2);
    const std::size_t sign = std::min(rest.find_first_of("*+"), rest.size());
    auto last = number(flag, rest.substr(0, sign), item, 1);
    if (!last) return fail(std::move(last.error()));
    const bool factor = sign < rest.size() && rest[sign] == '*';
    auto step = sign < rest.size() ? number(flag, rest.substr(sign + 1), item, factor ? 2 : 1) : Result<std::int64_t>(1);
    if (!step) return fail(std::move(step.error()));
    if (*first > *last) return fail(usage_error(std::format("{}: nothing is in {}..{}", flag, *first, *last)));
    for (std::int64_t k = *first; k <= *last && list.size() <= kMostPoints; k = factor ? k * *step : k + *step) list.push_back(k);
    return {};
}

}  // namespace

Result<std::vector<std::int64_t>> parse_list(std::string_view flag, std::string_view text) {
    std::vector<std::int64_t> list;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find(',', at), text.size());
        if (auto added = add_item(flag, text.substr(at, end - at), list); !added) return fail(std::move(added.error()));
        at = end + 1;
    }
    std::ranges::sort(list);
    list.erase(std::ranges::unique(list).begin(), list.end());
    if (list.size() > kMostPoints) return fail(usage_error(std::format("{}: more than {} numbers", flag, kMostPoints)));
    return list;
}

std::vector<std::int64_t> usual_stages(std::int64_t devices) {
    std::vector<std::int64_t> list;
    for (std::int64_t k = 1; k < devices; k *= 2) list.push_back(k);
    list.push_back(std::max<std::int64_t>(devices, 1));
    return list;
}

}  // namespace sluice::cli
