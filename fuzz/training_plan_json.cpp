// Any bytes as a training plan: no crash, no sanitizer report; what is accepted is written and read back the same, and verify judges it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sluice/plan/plan_file.hpp"
#include "sluice/solve/verify.hpp"
#include "tests/unit/plan/training_sample.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const sluice::graph::Graph kModel = sluice::sample::training_model();
    const auto document = sluice::json::parse({reinterpret_cast<const char*>(data), size}, "fuzz.json");
    if (!document) return 0;
    const auto plan = sluice::plan::read_plan(*document);
    if (!plan || !plan->training) return 0;
    const auto again = sluice::json::parse(sluice::plan::to_json_text(*plan), "again.json");
    if (!again || sluice::plan::read_plan(*again) != *plan) std::abort();
    const auto report = sluice::solve::verify_training(kModel, *plan);
    if (report.valid != report.failures.empty()) std::abort();
    return 0;
}
