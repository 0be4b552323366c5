// Where training stands, as one file: written whole under a temporary name, so that a killed training loses what came after the last one
// and nothing else. `sluice.checkpoint/2`, little-endian, with a checksum; refused when it belongs to other settings.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sluice/mcm/policy/policy.hpp"
#include "sluice/trainer/ppo.hpp"

namespace sluice::trainer {

struct CurvePoint {
    std::uint64_t updates = 0, evaluations = 0;
    double value = 0;  // training: the validation score; fine-tuning: the best period, in seconds
    friend bool operator==(const CurvePoint&, const CurvePoint&) = default;
};

struct State {
    std::string settings;  // whatever decides the course of the training, in words
    mcm::policy::Policy now, best;
    Adam adam{0};
    std::uint64_t updates = 0, evaluations = 0;
    double best_value = 0;
    std::vector<CurvePoint> curve;
    std::vector<CurvePoint> drawn;  // fine-tuning: the same of what was drawn alone, without the likeliest of each update
    mcm::Assignment best_chips;     // fine-tuning
};

[[nodiscard]] Result<void> write_checkpoint(const std::filesystem::path& path, const State& state);
/// Diagnostics: unreadable, not one, another version, cut short, damaged, `settings` other than those.
[[nodiscard]] Result<State> read_checkpoint(const std::filesystem::path& path, const std::string& settings);

}  // namespace sluice::trainer
