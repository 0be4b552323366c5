// The plan reader on any bytes: no crash, no sanitizer report; what it accepts it writes and reads back the same, and verify judges it.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sluice/plan/plan_file.hpp"
#include "sluice/solve/verify.hpp"
#include "tests/unit/plan/sample.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const sluice::graph::Graph kModel = sluice::sample::model();
    const auto document = sluice::json::parse({reinterpret_cast<const char*>(data), size}, "fuzz");
    if (!document) return 0;
    const auto plan = sluice::plan::read_plan(*document);
    if (!plan) return 0;
    const auto again = sluice::json::parse(sluice::plan::to_json_text(*plan), "again");
    if (!again || sluice::plan::read_plan(*again) != *plan) std::abort();
    const auto report = sluice::solve::verify(kModel, *plan);
    if (report.valid != report.failures.empty()) std::abort();
    return 0;
}
