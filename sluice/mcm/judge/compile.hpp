// The compile step: what lies on one chip -> kernels in an order, offsets in its SRAM, or why not (design §3.2: memory is "known only from
// the compile step"). Opaque to planners, deterministic. Under rule relay a tensor that goes on from here is handed on by a kernel of its
// own, as by the operator that the finished plan has there (rewrite/finish.hpp): first in the order of the model. In this order:
//   fusion      (fusion.hpp) element-wise operators and views run in the kernel of what makes their input
//   schedule    (schedule.hpp) a list schedule that keeps little alive
//   allocation  (allocation.hpp) offsets, best fit; resident parameters below, then buffers of messages, then activations
// SRAM holds: parameters, each once, aligned; of each tensor that is received or passes through, the receive buffers; of each that is sent,
// the send buffers; activations from the kernel that makes them to the last that reads them; scratch of a kernel while it runs.
// Overflow: hard: does not fit, fails. spill: parameters that do not fit are streamed by the kernels that read them, and only activations
// and buffers can fail. unlimited: never fails.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "sluice/mcm/chip_problem.hpp"
#include "sluice/mcm/judge/allocation.hpp"
#include "sluice/mcm/judge/effects.hpp"
#include "sluice/mcm/judge/judge.hpp"

namespace sluice::mcm {

struct CompileOptions {
    std::int64_t receive_buffers = 2, send_buffers = 2;
    std::int64_t alignment = 128;  // of parameters and tensors: a line of all banks
    EffectOptions effects;
};

struct ChipKernel {
    std::uint32_t first = 0, last = 0;  // of ChipCode::kernel_nodes
    Duration work{0};                   // effects, issue and waiting for the SRAM's port in it
    Bytes streamed;                     // parameters that are not resident
    EdgeId hands_on;                    // under rule relay: a tensor of others; then it has no nodes
};

/// A tensor that crosses the chip's border.
struct ChipMessage {
    EdgeId edge;
    std::uint32_t first = 0, last = 0;  // received: kernels that read it first and last. Sent: both the kernel that makes it
};

/// A tensor received, or passing through, for which the chip has more buffers than usual.
struct MoreBuffers {
    EdgeId edge;
    std::int64_t count = 0;
    friend bool operator==(const MoreBuffers&, const MoreBuffers&) = default;
};

struct ChipMemory {
    Bytes limit;       // 0: none
    Bytes parameters;  // resident, aligned
    Bytes streamed;    // parameters that are not resident
    Bytes buffers;     // receive and send
    Bytes live;        // activations and scratch alive at once, at most
    Bytes fragmented;  // holes: the placement's end beyond that
    Bytes largest;     // of the tensors, a buffer counted once
    std::string largest_name;
    [[nodiscard]] Bytes peak() const { return parameters + buffers + live + fragmented; }
};

struct ChipCode {
    std::vector<NodeId> nodes;    // ascending
    std::vector<EdgeId> passing;  // tensors that go on from here to other chips and are not made here, ascending
    std::vector<MoreBuffers> more_buffers;
    std::vector<NodeId> kernel_nodes;
    std::vector<ChipKernel> kernels;          // in the order of execution
    std::vector<ChipMessage> received, sent;  // ascending edges
    ChipMemory memory;
    std::vector<LiveTensor> tensors;  // activations and scratch; steps are kernels
    Placement placement;              // of these, from the end of parameters and buffers
    bool fits = true;
    std::vector<NodeId> blamed;  // where it does not fit: these together are too much
};

/// Of code that does not fit.
[[nodiscard]] CompileFailure failure_of(const ChipCode& code, std::size_t chip);

/// Compiles chips of one problem; keeps its workspaces.
class ChipCompiler {
public:
    /// `graph` and what `problem` points to outlive it. `sram`: none where nothing is limited.
    ChipCompiler(const graph::Graph& graph, const ChipProblem& problem, const platform::Platform& platform, const CompileOptions& options);

    /// `nodes` ascending. O(nodes log nodes + allocation) and O(kernels x 32) for the schedule.
    [[nodiscard]] ChipCode compile(std::span<const NodeId> nodes, std::span<const EdgeId> passing,
                                   std::span<const MoreBuffers> more_buffers);

    /// Of any partition: an operator that no chip can hold whatever else lies there. None: there may be a partition that fits.
    [[nodiscard]] std::optional<Diagnostic> hopeless() const;

    /// A model input that the host gives without a link: it needs a buffer and no transfer.
    [[nodiscard]] bool free_input(EdgeId edge) const;
    [[nodiscard]] const NodeEffects& effects(NodeId node) const { return effects_[node.index()]; }
    [[nodiscard]] const CompileOptions& options() const { return options_; }
    [[nodiscard]] std::optional<Bytes> sram() const { return limit_; }
    [[nodiscard]] std::string tensor_name(EdgeId edge) const;

private:
    friend class ChipCompilation;

    [[nodiscard]] Bytes aligned(Bytes bytes) const;

    const graph::Graph& graph_;
    const ChipProblem& problem_;
    CompileOptions options_;
    bool host_link_ = false;
    ByteRate port_rate_;
    std::optional<Bytes> limit_;
    bool spills_ = false;
    std::vector<NodeEffects> effects_;  // per node
    // Of the chip under way
    std::vector<std::uint32_t> stamp_;                   // per node
    std::vector<std::uint32_t> edge_stamp_, tensor_of_;  // per edge
    std::vector<std::uint32_t> weight_stamp_, weight_at_;
    std::uint32_t turn_ = 0;
};

}  // namespace sluice::mcm
