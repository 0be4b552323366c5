#include "sluice/report/link_use.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sluice/report/text.hpp"

namespace sluice::report {

Table link_table(std::span<const simulate::LinkUse> links, std::size_t most) {
    std::vector<const simulate::LinkUse*> busiest;
    for (const simulate::LinkUse& link : links) busiest.push_back(&link);
    std::ranges::stable_sort(busiest, [](const auto* a, const auto* b) { return a->utilisation > b->utilisation; });
    Table table{{{"link", Align::left}, {"busy"}, {"", Align::left}, {"longest queue"}, {"carried"}}, {}};
    for (std::size_t i = 0; i < std::min(busiest.size(), most); ++i)
        table.rows.push_back({busiest[i]->name, percent(busiest[i]->utilisation), bar(busiest[i]->utilisation, kBarWidth),
                              busiest[i]->longest_queue == 0 ? "" : std::to_string(busiest[i]->longest_queue),
                              sluice::to_text(busiest[i]->bytes)});
    return table;
}

nlohmann::ordered_json links_json(std::span<const simulate::LinkUse> links) {
    auto list = nlohmann::ordered_json::array();
    for (const simulate::LinkUse& link : links)
        list.push_back(
            {{"name", link.name}, {"utilisation", link.utilisation}, {"longest_queue", link.longest_queue}, {"bytes", link.bytes.count}});
    return list;
}

}  // namespace sluice::report
