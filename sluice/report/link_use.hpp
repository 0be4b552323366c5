// Private to this layer. How busy links were in a simulated run, of any job.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>

#include "sluice/report/table.hpp"
#include "sluice/simulate/inference.hpp"

namespace sluice::report {

/// The `most` busiest.
[[nodiscard]] Table link_table(std::span<const simulate::LinkUse> links, std::size_t most);
/// All of them.
[[nodiscard]] nlohmann::ordered_json links_json(std::span<const simulate::LinkUse> links);

}  // namespace sluice::report
