#include "cli/comparing.hpp"

#include <chrono>
#include <utility>

#include "sluice/report/text.hpp"

namespace sluice::cli {

namespace {
constexpr std::chrono::seconds kTimeEach{10};
}  // namespace

Limits limits_of_each(const Arguments& arguments, std::stop_token stop) {
    Limits each{.deadline = std::nullopt, .evaluations = arguments.evaluations, .stop = std::move(stop)};
    if (arguments.time || !arguments.evaluations)
        each.deadline = Limits::Clock::now() + std::chrono::duration_cast<Limits::Clock::duration>(arguments.time.value_or(kTimeEach));
    return each;
}

std::string budget_text(const Arguments& arguments) {
    std::string text;
    if (arguments.evaluations) text = report::counted(static_cast<std::size_t>(*arguments.evaluations), "evaluation");
    if (arguments.evaluations && !arguments.time) return text;
    const double seconds = std::chrono::duration<double>(arguments.time.value_or(kTimeEach)).count();
    return text + (text.empty() ? "" : " or ") + std::format("{:g} s", seconds);
}

}  // namespace sluice::cli
