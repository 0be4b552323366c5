// A model as a person wants it before planning (`inspect`): what it is made of, how deep and wide, what is heavy. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "sluice/graph/graph.hpp"
#include "sluice/graph/summary.hpp"
#include "sluice/mcm/rewrite/usable_chips.hpp"

namespace sluice::report {

/// Times of operators on one platform, the fastest of its classes; nullopt: replicated for free.
struct OperatorTimes {
    std::string platform;
    std::vector<std::optional<Duration>> time;  // per operator
};

/// How many chips of a module a plan can use, every reader being on its tensor's chip or the next one; before rewrites and with clones.
struct ChipsView {
    struct Use {
        mcm::UsableChips usable;
        std::string tensor;  // that blocks; empty: none does
    };
    std::size_t chips = 0;  // of the module
    Use before, after;
    std::size_t clones = 0;
    Duration clone_work{0}, work{0};  // of the clones; of the model
};

struct ModelView {
    const graph::Graph* graph = nullptr;
    graph::Summary summary;
    std::string format;                                      // "onnx", "msr"
    std::vector<std::pair<std::string, std::string>> facts;  // what import says, in the order to print
    std::vector<std::string> warnings;
    std::optional<OperatorTimes> times;
    std::optional<ChipsView> chips;
    std::size_t heaviest = 8;  // rows of each table of heavy things
};

/// Heaviest first (by time when there are times, else FLOPs, else bytes written); ties by index. Operators of no weight are left out.
[[nodiscard]] std::vector<OperatorId> heaviest_operators(const ModelView& view);
/// Largest first; ties by index.
[[nodiscard]] std::vector<TensorId> heaviest_tensors(const ModelView& view);

[[nodiscard]] std::string model_text(const ModelView& view);
[[nodiscard]] nlohmann::ordered_json model_json(const ModelView& view);

}  // namespace sluice::report
