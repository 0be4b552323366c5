// What a plan file must say to be true, written from design §3.1 by plain enumeration over the graph: shares nothing with cost/, plan/ and
// solve/ but the graph, the platform's fields and time_for. For small models with given costs, and measured ones as the document has them.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sluice/graph/graph.hpp"
#include "sluice/platform/platform.hpp"

namespace sluice::oracle {

using Unit = std::vector<std::size_t>;  // operators that share a stage, ascending

struct Stage {
    std::vector<Unit> units;  // in execution order
    std::size_t device = 0;
    std::int64_t replicas = 1;
};

struct Terms {
    std::int64_t work = 0, in = 0, out = 0, spill = 0, parameters = 0, peak = 0;
};

class Oracle {
public:
    /// `costs`: the document's "costs", or null.
    Oracle(const graph::Graph& graph, platform::Platform platform, std::int64_t k, const nlohmann::ordered_json& costs = nullptr);

    [[nodiscard]] const std::vector<Unit>& units() const { return units_; }
    [[nodiscard]] const platform::Platform& platform() const { return platform_; }

    /// Legal: every unit once, stages and units in order, devices within counts, support and memory.
    [[nodiscard]] bool legal(const std::vector<Stage>& stages) const;
    [[nodiscard]] Terms terms(const Stage& stage) const;
    [[nodiscard]] std::int64_t time(const Terms& terms) const;
    /// The largest stage time over its replicas, rounded up.
    [[nodiscard]] std::int64_t bottleneck(const std::vector<Stage>& stages) const;
    [[nodiscard]] std::int64_t latency(const std::vector<Stage>& stages) const;
    /// The least bottleneck of any legal plan with one replica a stage; by enumeration.
    [[nodiscard]] std::int64_t optimum() const;

    /// Writes stages and every number that follows from them into a plan document.
    void fill(nlohmann::ordered_json& document, const std::vector<Stage>& stages) const;
    /// Everything the document says about stages and costs is so.
    [[nodiscard]] bool is_true(const nlohmann::ordered_json& document) const;

private:
    [[nodiscard]] bool in(const Stage& stage, std::size_t op) const;
    [[nodiscard]] std::optional<std::int64_t> time_on(std::size_t op, std::size_t device) const;
    [[nodiscard]] std::int64_t transfer(TensorId tensor) const;
    [[nodiscard]] bool feeds(const Stage& from, const Stage& to) const;
    [[nodiscard]] std::int64_t devices_of(std::size_t device) const;
    void measure(const nlohmann::ordered_json& costs);
    /// Units that feed each other, directly or through others, are one.
    void close_units();
    [[nodiscard]] std::string cost_source() const;

    const graph::Graph& graph_;
    platform::Platform platform_;
    std::int64_t k_;
    std::vector<Unit> units_;
    bool has_measured_ = false;
    std::size_t measured_class_ = 0;
    std::vector<std::optional<std::int64_t>> measured_;  // per operator
};

}  // namespace sluice::oracle
