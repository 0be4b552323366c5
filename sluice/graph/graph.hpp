// The model as a hypergraph: operators joined by activation tensors, parameters apart (design §1, §3).
// A tensor has at most one producer and any number of consumers; a parameter shared by several operators is one parameter.
// Built once by a GraphBuilder, immutable afterwards; operators are numbered in a topological order. Adjacency is compressed rows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sluice/base/csr.hpp"
#include "sluice/base/diagnostic.hpp"
#include "sluice/base/ids.hpp"
#include "sluice/base/units.hpp"
#include "sluice/graph/features.hpp"

namespace sluice::graph {

struct Operator {
    std::string name;  // may be empty or repeated: operators are identified by index and first output
    std::string type;  // "Conv", "com.microsoft.Attention"; "" for profiled layers
    Features features;
    /// A shape chain or a small constant: computed again in every stage that needs it, free, and no part of the stage problem.
    bool replicated = false;
    std::int64_t source = -1;             // index of the node in the file it came from (after function inlining); -1: none
    std::optional<std::uint32_t> colour;  // operators of one colour must share a stage (msr `colorClass`)
    friend bool operator==(const Operator&, const Operator&) = default;
};

struct Tensor {
    std::string name;
    DataType type = DataType::f32;
    std::vector<std::int64_t> shape;  // empty with shape_known: a scalar
    bool shape_known = false;
    bool shape_assumed = false;  // some dimension came from --dim or --assume-size
    Bytes bytes;                 // what crosses a stage border
    bool model_output = false;
    friend bool operator==(const Tensor&, const Tensor&) = default;
};

struct Parameter {
    std::string name;
    DataType type = DataType::f32;
    std::vector<std::int64_t> shape;
    Bytes bytes;
    friend bool operator==(const Parameter&, const Parameter&) = default;
};

/// Devices, times and transfers that came with a profile (design §4: "a workload file that carries its own devices…").
struct GivenCosts {
    struct DeviceClass {
        std::string name;  // "fpga", "cpu"
        std::int64_t count = 0;
        std::optional<Bytes> memory;                // hard limit; none: unlimited
        std::vector<std::optional<Duration>> time;  // per operator; nullopt: not supported on this class
        std::vector<Duration> backward = {};        // per operator: both gradients together; empty: the file has none
        friend bool operator==(const DeviceClass&, const DeviceClass&) = default;
    };
    std::vector<DeviceClass> classes;  // the first is what -k counts
    std::vector<Duration> transfer;    // per tensor; empty: from `link`
    std::optional<ByteRate> link;      // the file's own bandwidth
    friend bool operator==(const GivenCosts&, const GivenCosts&) = default;
};

struct Derivation;  // rewrite.hpp

class Graph {
public:
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] std::size_t operator_count() const { return operators_.size(); }
    [[nodiscard]] std::size_t tensor_count() const { return tensors_.size(); }
    [[nodiscard]] std::size_t parameter_count() const { return parameters_.size(); }

    [[nodiscard]] const Operator& operator[](OperatorId id) const { return operators_[id.index()]; }
    [[nodiscard]] const Tensor& operator[](TensorId id) const { return tensors_[id.index()]; }
    [[nodiscard]] const Parameter& operator[](ParameterId id) const { return parameters_[id.index()]; }
    [[nodiscard]] std::span<const Operator> operators() const { return operators_; }
    [[nodiscard]] std::span<const Tensor> tensors() const { return tensors_; }
    [[nodiscard]] std::span<const Parameter> parameters() const { return parameters_; }

    [[nodiscard]] std::span<const TensorId> inputs(OperatorId id) const { return inputs_[id.index()]; }  // distinct
    [[nodiscard]] std::span<const TensorId> outputs(OperatorId id) const { return outputs_[id.index()]; }
    [[nodiscard]] std::span<const ParameterId> parameters(OperatorId id) const { return operator_parameters_[id.index()]; }  // distinct
    /// The operator that makes the tensor; invalid for a model input.
    [[nodiscard]] OperatorId producer(TensorId id) const { return producers_[id.index()]; }
    [[nodiscard]] std::span<const OperatorId> consumers(TensorId id) const { return consumers_[id.index()]; }  // distinct, ascending
    [[nodiscard]] std::span<const OperatorId> users(ParameterId id) const { return users_[id.index()]; }       // distinct, ascending
    [[nodiscard]] std::span<const OperatorId> predecessors(OperatorId id) const {
        return predecessors_[id.index()];
    }  // distinct, ascending
    [[nodiscard]] std::span<const OperatorId> successors(OperatorId id) const { return successors_[id.index()]; }  // distinct, ascending

    [[nodiscard]] const std::optional<GivenCosts>& given_costs() const { return given_costs_; }
    /// What had to be assumed to make this graph, in words, for the plan file and `inspect` ("dimension 'batch' = 1", "link 16 GB/s: the
    /// file has none").
    [[nodiscard]] std::span<const std::string> assumptions() const { return assumptions_; }
    /// Identity of structure, shapes, bytes and given costs (not of features, which we derive): what a plan is a plan for.
    [[nodiscard]] const std::string& fingerprint() const { return fingerprint_; }
    /// How it came from the model's graph (rewrite.hpp); null: it is that.
    [[nodiscard]] const Derivation* derivation() const { return derivation_.get(); }
    /// The fingerprint of the model's own graph: what a plan names.
    [[nodiscard]] const std::string& model_fingerprint() const;

    /// "layer4.0.conv2", or "Conv -> 'y'" when the operator has no name.
    [[nodiscard]] std::string label(OperatorId id) const;
    /// Name of the first output, empty when it has none.
    [[nodiscard]] std::string_view first_output_name(OperatorId id) const;

private:
    friend class GraphBuilder;
    friend class Rewriter;
    std::string name_;
    std::vector<Operator> operators_;
    std::vector<Tensor> tensors_;
    std::vector<Parameter> parameters_;
    Rows<TensorId> inputs_, outputs_;
    Rows<ParameterId> operator_parameters_;
    std::vector<OperatorId> producers_;
    Rows<OperatorId> consumers_, users_, predecessors_, successors_;
    std::optional<GivenCosts> given_costs_;
    std::vector<std::string> assumptions_;
    std::string fingerprint_;
    std::shared_ptr<const Derivation> derivation_;  // shared by copies, none changes it
};

/// Collects in any order; `build` sorts topologically (stable: the smallest insertion number first among the ready), checks and freezes.
class GraphBuilder {
public:
    /// A graph is named after its file, whose name may be any bytes: where they are no UTF-8, those above ASCII become "?".
    explicit GraphBuilder(std::string name);

    TensorId add_tensor(Tensor tensor);
    ParameterId add_parameter(Parameter parameter);
    /// Duplicated inputs and parameters are kept once. A tensor may be listed before its producer is added.
    OperatorId add_operator(Operator op, std::span<const TensorId> inputs, std::span<const TensorId> outputs,
                            std::span<const ParameterId> parameters = {});
    /// Where the file describes the operator: diagnostics about it say so.
    void set_location(OperatorId id, Location where);
    void set_given_costs(GivenCosts costs) { given_costs_ = std::move(costs); }  // in insertion numbers; build renumbers
    void add_assumption(std::string text) { assumptions_.push_back(std::move(text)); }

    /// Tensors and parameters without a name get one ("t17", "p3").
    /// Diagnostics: no operators; a cycle (the operators on it and the tensors along it named); a tensor with two producers;
    /// two tensors, or two parameters, of one name; names that are not UTF-8; negative bytes or known dimensions; sums of bytes
    /// beyond int64; FLOPs that are no number >= 0; given costs of the wrong length, below zero, or of two classes of one name.
    [[nodiscard]] Result<Graph> build() &&;

private:
    [[nodiscard]] Result<std::vector<OperatorId>> sort(const std::vector<OperatorId>& producers) const;
    [[nodiscard]] Diagnostic describe_cycle(const std::vector<OperatorId>& producers, const std::vector<std::uint32_t>& waiting) const;
    [[nodiscard]] Result<void> check() const;
    [[nodiscard]] Location location(OperatorId id) const;
    [[nodiscard]] Graph freeze(const std::vector<OperatorId>& order);

    std::string name_;
    std::vector<Operator> operators_;
    std::vector<Tensor> tensors_;
    std::vector<Parameter> parameters_;
    std::vector<std::vector<TensorId>> inputs_, outputs_;
    std::vector<std::vector<ParameterId>> operator_parameters_;
    std::vector<Location> locations_;  // of the first operators; may be shorter
    std::optional<GivenCosts> given_costs_;
    std::vector<std::string> assumptions_;
};

}  // namespace sluice::graph
