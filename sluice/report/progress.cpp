#include "sluice/report/progress.hpp"

#include <cmath>
#include <format>
#include <nlohmann/json.hpp>

#include "sluice/report/text.hpp"

namespace sluice::report {

std::string progress_line(std::string_view verb, const Event& event, std::size_t width) {
    std::string line = std::format("{} {:.1f}s", verb, event.seconds);
    if (event.objective) line += std::format("  best {}", to_text(*event.objective));
    if (event.bound) line += std::format("  bound {}", to_text(*event.bound));
    if (event.objective && event.bound) line += std::format("  gap {}", percent(gap_of(*event.objective, *event.bound)));
    const std::string_view what = event.source.empty() ? event.phase : event.source;
    if (!what.empty()) line += std::format("  [{}]", what);
    line = printable(line);
    return width == 0 ? line : clip(line, width);
}

std::string event_line(const Event& event) {
    const auto count = [](const std::optional<Duration>& time) {
        return time ? nlohmann::ordered_json(time->count()) : nlohmann::ordered_json();
    };
    nlohmann::ordered_json line{{"t", std::round(event.seconds * 1e6) / 1e6},
                                {"phase", std::string(event.phase)},
                                {"objective_ps", count(event.objective)},
                                {"bound_ps", count(event.bound)},
                                {"gap", nullptr},
                                {"source", std::string(event.source)}};
    if (event.objective && event.bound) line["gap"] = gap_of(*event.objective, *event.bound);
    return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace sluice::report
