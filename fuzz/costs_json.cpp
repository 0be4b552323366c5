// The costs reader on any bytes: no crash, no sanitizer report; what it accepts it writes and reads back the same, and freezing takes it or
// says why not.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sluice/cost/stage_problem.hpp"
#include "tests/unit/plan/sample.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const sluice::graph::Graph kModel = sluice::sample::model();
    static const sluice::platform::Platform kMachine = sluice::sample::machine();
    const auto document = sluice::json::parse({reinterpret_cast<const char*>(data), size}, "fuzz");
    if (!document) return 0;
    const auto costs = sluice::cost::read_costs(*document);
    if (!costs) return 0;
    const auto again = sluice::json::parse(sluice::cost::to_json_text(*costs), "again");
    if (!again || sluice::cost::read_costs(*again) != *costs) std::abort();
    const auto frozen = sluice::cost::freeze(kModel, kMachine, sluice::sample::kStages, &*costs);
    if (frozen && !frozen->costs) std::abort();
    return 0;
}
