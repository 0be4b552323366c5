// A lower bound on the iteration time, or on the bottleneck time per sample, of every training plan, with what makes it checkable. File:
// `sluice.certificate/1` JSON, as bound/certificate.hpp has it, told apart by its objective. A type of its own: it speaks of another
// problem, and neither stages, replicas nor witnesses of the other kind mean anything here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/diagnostic.hpp"
#include "sluice/base/ids.hpp"
#include "sluice/base/json.hpp"
#include "sluice/base/units.hpp"

namespace sluice::bound {

enum class TrainingObjective : std::uint8_t {
    iteration,  // from the first forward pass to the end of the last optimiser's step
    bottleneck  // cost::TrainingCost::bottleneck
};
[[nodiscard]] std::string_view to_text(TrainingObjective objective);

inline constexpr std::string_view kWorkAndPath = "work-and-path";
/// Of ClassPrice::work, links and memory together.
inline constexpr std::int64_t kTrainingShares = 1024;
inline constexpr std::int64_t kLargestTrainingPrice = std::int64_t{1} << 40;
inline constexpr std::int64_t kLargestRounding = 1024;

/// Prices under which every plan below the value would have to pay more than there is (docs/formats/certificate.md, `work-and-path`).
struct TrainingWitness {
    struct ClassPrice {
        std::int64_t price = 0;                        // of a device
        std::int64_t work = 0, links = 0, memory = 0;  // which parts of a device are counted, in 1/kTrainingShares
        std::vector<std::int64_t> roundings;           // for 1, 2, … replicas: shares are rounded with this; 0, and beyond: as they are
        friend bool operator==(const ClassPrice&, const ClassPrice&) = default;
    };
    /// Each node feeds the next; before `turn` their forward passes count, from there on the way back too.
    struct Path {
        std::int64_t price = 0;
        std::size_t turn = 0;  // position in `nodes`
        std::vector<NodeId> nodes;
        friend bool operator==(const Path&, const Path&) = default;
    };
    /// Forward passes along nodes that feed each other; then everything that cannot begin before.
    struct Window {
        std::int64_t price = 0;
        std::vector<NodeId> nodes;
        friend bool operator==(const Window&, const Window&) = default;
    };
    std::vector<ClassPrice> classes;  // of the problem
    std::vector<Path> paths;          // objective iteration alone
    std::vector<Window> windows;      // the same
    friend bool operator==(const TrainingWitness&, const TrainingWitness&) = default;
};

struct TrainingCertificate {
    std::string problem;  // TrainingProblem::fingerprint
    std::string model;    // Graph::fingerprint; bounds leave it to their caller, who has the graph
    TrainingObjective objective = TrainingObjective::iteration;
    /// Says nothing about a plan with a stage whose micro-batches are of another size; none: about every plan.
    std::optional<std::int64_t> micro_batch = {};
    Duration value{0};
    TrainingWitness witness;
    friend bool operator==(const TrainingCertificate&, const TrainingCertificate&) = default;
};

/// Whether a certificate's document is of a training plan: then read_training_certificate reads it, else read_certificate.
[[nodiscard]] bool is_of_training(const json::Node& document);
[[nodiscard]] std::string to_json_text(const TrainingCertificate& certificate, bool certified);
[[nodiscard]] Result<TrainingCertificate> read_training_certificate(const json::Node& document);

}  // namespace sluice::bound
