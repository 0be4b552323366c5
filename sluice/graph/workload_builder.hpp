// What the workload readers share: nodes with an id of their own and parameter bytes, and tensors that leave them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sluice/graph/decimal.hpp"
#include "sluice/graph/graph.hpp"
#include "sluice/graph/json_fields.hpp"

namespace sluice::graph {

/// A tensor that leaves a node: its readers may repeat.
struct WorkloadOutput {
    std::size_t producer = 0;  // nodes by insertion number
    Bytes bytes;
    std::vector<std::size_t> readers;
    bool model_output = false;
};

class WorkloadBuilder {
public:
    explicit WorkloadBuilder(std::string name) : builder_(std::move(name)) {}

    /// Its number. Names that repeat are made unique by the id; above 0 bytes the node has a parameter of its own.
    Result<std::size_t> add_node(const std::string& id, std::string name, Bytes parameters, Location where);
    /// The node of an id, for an edge that stands at `where`.
    [[nodiscard]] Result<std::size_t> node(const std::string& id, const Location& where) const;
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }
    Operator& operator[](std::size_t node) { return nodes_[node].op; }
    void assume(std::string text) { builder_.add_assumption(std::move(text)); }

    /// Tensors are numbered as `outputs` lists them; `file` is where complaints about the whole stand.
    Result<Graph> build(const std::vector<WorkloadOutput>& outputs, GivenCosts costs, const Location& file) &&;

private:
    struct Node {
        Operator op;
        Bytes parameters;
        Location where;
    };
    GraphBuilder builder_;
    std::vector<Node> nodes_;
    std::unordered_map<std::string, std::size_t> numbers_;
    std::unordered_set<std::string> names_;
};

/// A member >= 0, times 10^power, as an integer: kMilliseconds or kSeconds to picoseconds, kWholeBytes for fractional bytes.
[[nodiscard]] std::int64_t scaled_member(Fields& fields, std::string_view key, int power, Rounding rounding = Rounding::up);

}  // namespace sluice::graph
