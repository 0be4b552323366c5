#include "sluice/mcm/judge/compile.hpp"

#include <algorithm>
#include <cmath>
#include <format>
#include <functional>
#include <iterator>
#include <numeric>
#include <utility>

#include "sluice/base/distinct.hpp"
#include "sluice/mcm/judge/fusion.hpp"
#include "sluice/mcm/judge/schedule.hpp"

namespace sluice::mcm {

namespace {

constexpr std::size_t kMostFused = 8;  // operators of a kernel: registers and instruction memory hold no more

}  // namespace

/// One chip under way.
class ChipCompilation {
public:
    ChipCompilation(ChipCompiler& compiler, ChipCode& code)
        : compiler_(compiler), costs_(*compiler.problem_.costs), code_(code), turn_(compiler.turn_) {
        if (compiler.problem_.rules.relay) relays_ = code.passing;
    }

    void run() {
        find_tensors();
        fuse_operators();
        order_kernels();
        lay_out();
        time_kernels();
    }

private:
    [[nodiscard]] bool here(NodeId node) const { return compiler_.stamp_[node.index()] == turn_; }

    // --- what there is -------------------------------------------------------------------------------------------------

    std::uint32_t add_tensor(EdgeId edge, std::uint32_t maker, bool sent) {
        const auto tensor = static_cast<std::uint32_t>(graph_.tensors.size());
        graph_.tensors.push_back({edge, maker, sent});
        know(edge, tensor);
        return tensor;
    }
    void know(EdgeId edge, std::uint32_t tensor) {
        compiler_.edge_stamp_[edge.index()] = turn_;
        compiler_.tensor_of_[edge.index()] = tensor;
    }
    [[nodiscard]] bool is_sent(EdgeId edge) const {
        if (costs_.to_host[edge.index()]) return true;
        return !std::ranges::all_of(costs_.consumers[edge.index()], [&](NodeId node) { return here(node); });
    }
    /// Operators are numbered: relays, then nodes.
    [[nodiscard]] std::uint32_t number_of(std::size_t node) const { return static_cast<std::uint32_t>(relays_.size() + node); }
    void find_tensors() {
        std::vector<std::uint32_t> reads;
        for (std::uint32_t r = 0; r < relays_.size(); ++r) {
            reads.assign(1, add_tensor(relays_[r], kNowhere, false));
            graph_.tensors.push_back({relays_[r], r, true});
            graph_.reads.push_row(reads);
            graph_.joins.push_back(0);
            graph_.no_kernel.push_back(0);
        }
        for (std::size_t i = 0; i < code_.nodes.size(); ++i) {
            const std::size_t node = code_.nodes[i].index();
            const NodeEffects& effect = compiler_.effects_[node];
            reads.clear();
            for (const EdgeId edge : costs_.inputs[node]) {
                if (compiler_.edge_stamp_[edge.index()] != turn_) add_tensor(edge, kNowhere, false);
                reads.push_back(compiler_.tensor_of_[edge.index()]);
            }
            keep_distinct(reads);
            const auto inputs = costs_.inputs[node], outputs = costs_.outputs[node];
            const bool nothing_to_do =
                effect.view && effect.work.count() == 0 && inputs.size() == 1 && outputs.size() == 1 && costs_.scratch[node].count == 0 &&
                costs_.bytes[inputs.front().index()] == costs_.bytes[outputs.front().index()] && !is_sent(outputs.front());
            if (nothing_to_do) {
                know(outputs.front(), reads.front());
                reads.clear();
            } else {
                for (const EdgeId edge : outputs) add_tensor(edge, number_of(i), is_sent(edge));
            }
            graph_.reads.push_row(reads);
            graph_.joins.push_back(effect.joins ? 1 : 0);
            graph_.no_kernel.push_back(nothing_to_do ? 1 : 0);
        }
    }

    // --- kernels -------------------------------------------------------------------------------------------------------

    [[nodiscard]] Bytes size_of(const ChipTensor& tensor) const { return compiler_.aligned(costs_.bytes[tensor.edge.index()]); }
    [[nodiscard]] std::uint32_t maker_of(const ChipTensor& tensor) const {
        return tensor.maker == kNowhere ? kNowhere : fusion_.kernel_of[tensor.maker];
    }
    void fuse_operators() {
        fusion_ = fuse(graph_, kMostFused);
        std::vector<std::vector<std::uint32_t>> makes(fusion_.kernels), reads(fusion_.kernels);
        kernels_.scratch.resize(fusion_.kernels);
        nodes_of_.resize(fusion_.kernels);
        relay_of_.resize(fusion_.kernels);
        for (std::uint32_t v = 0; v < fusion_.kernel_of.size(); ++v) {
            const std::uint32_t kernel = fusion_.kernel_of[v];
            if (kernel == kNowhere) continue;
            if (v < relays_.size()) {
                relay_of_[kernel] = relays_[v];
            } else {
                const NodeId node = code_.nodes[v - relays_.size()];
                nodes_of_[kernel].push_back(node);
                kernels_.scratch[kernel] += compiler_.aligned(costs_.scratch[node.index()]);
            }
            for (const std::uint32_t tensor : graph_.reads[v])
                if (maker_of(graph_.tensors[tensor]) != kernel) reads[kernel].push_back(tensor);
        }
        std::vector<char> kept(graph_.tensors.size());  // what only its own kernel reads is nowhere in memory
        for (std::vector<std::uint32_t>& row : reads) {
            keep_distinct(row);
            for (const std::uint32_t tensor : row) kept[tensor] = 1;
        }
        for (std::uint32_t t = 0; t < graph_.tensors.size(); ++t) {
            const ChipTensor& tensor = graph_.tensors[t];
            const std::uint32_t maker = maker_of(tensor);
            kernels_.maker.push_back(maker);
            kernels_.size.push_back(maker != kNowhere && !tensor.sent && kept[t] ? size_of(tensor) : Bytes{});
            if (maker != kNowhere) makes[maker].push_back(t);
        }
        kernels_.makes = Rows<std::uint32_t>(makes);
        kernels_.reads = Rows<std::uint32_t>(reads);
    }

    void order_kernels() {
        const std::vector<std::uint32_t> order = schedule(kernels_);
        position_.resize(order.size());
        first_read_.assign(graph_.tensors.size(), kNowhere);
        last_read_.assign(graph_.tensors.size(), 0);
        for (std::uint32_t at = 0; at < order.size(); ++at) {
            const std::uint32_t kernel = order[at];
            position_[kernel] = at;
            ChipKernel made{.first = static_cast<std::uint32_t>(code_.kernel_nodes.size()),
                            .last = 0,
                            .work = Duration{0},
                            .streamed = {},
                            .hands_on = relay_of_[kernel]};
            code_.kernel_nodes.insert(code_.kernel_nodes.end(), nodes_of_[kernel].begin(), nodes_of_[kernel].end());
            made.last = static_cast<std::uint32_t>(code_.kernel_nodes.size());
            code_.kernels.push_back(made);
            for (const std::uint32_t tensor : kernels_.reads[kernel]) {
                first_read_[tensor] = std::min(first_read_[tensor], at);
                last_read_[tensor] = at;
            }
        }
        for (std::uint32_t t = 0; t < graph_.tensors.size(); ++t) {
            const ChipTensor& tensor = graph_.tensors[t];
            if (tensor.maker == kNowhere && first_read_[t] != kNowhere)
                code_.received.push_back({tensor.edge, first_read_[t], last_read_[t]});
            else if (tensor.sent)
                code_.sent.push_back({tensor.edge, position_[maker_of(tensor)], position_[maker_of(tensor)]});
        }
        std::ranges::sort(code_.received, {}, &ChipMessage::edge);
        std::ranges::sort(code_.sent, {}, &ChipMessage::edge);
    }

    // --- memory --------------------------------------------------------------------------------------------------------

    void note_size(Bytes size, const auto& name) {
        if (size <= code_.memory.largest) return;
        code_.memory.largest = size;
        largest_name_ = name;
    }
    void lay_out() {
        ChipMemory& memory = code_.memory;
        const CompileOptions& options = compiler_.options_;
        const auto buffer = [&](EdgeId edge, std::int64_t count) {
            const Bytes size = compiler_.aligned(costs_.bytes[edge.index()]);
            memory.buffers.count += count * size.count;
            note_size(size, [this, edge] { return compiler_.tensor_name(edge); });
        };
        for (const ChipMessage& message : code_.received) buffer(message.edge, options.receive_buffers);
        for (const ChipMessage& message : code_.sent) buffer(message.edge, options.send_buffers);
        if (relays_.empty())
            for (const EdgeId edge : code_.passing) buffer(edge, options.receive_buffers);
        for (const MoreBuffers& more : code_.more_buffers) buffer(more.edge, more.count);
        for (std::uint32_t t = 0; t < graph_.tensors.size(); ++t)
            if (const Bytes size = kernels_.size[t]; size.count > 0) {
                code_.tensors.push_back({size, position_[kernels_.maker[t]], last_read_[t]});
                note_size(size, [this, t] { return compiler_.tensor_name(graph_.tensors[t].edge); });
            }
        for (std::uint32_t kernel = 0; kernel < kernels_.scratch.size(); ++kernel)
            if (const Bytes size = kernels_.scratch[kernel]; size.count > 0) {
                code_.tensors.push_back({size, position_[kernel], position_[kernel]});
                note_size(size, [this, kernel] { return "scratch of " + compiler_.problem_.names[nodes_of_[kernel].front().index()]; });
            }
        code_.placement = place_best_fit(code_.tensors);
        memory.live = live_peak(code_.tensors);
        memory.fragmented = code_.placement.end - memory.live;
        memory.limit = compiler_.limit_.value_or(Bytes{});
        find_weights();
        for (const Weight& weight : weights_) memory.parameters += weight.size;
        if (memory.largest.count > 0) memory.largest_name = largest_name_();
        if (!compiler_.limit_ || memory.peak() <= *compiler_.limit_) return;
        if (compiler_.spills_ && memory.peak() - memory.parameters <= *compiler_.limit_)
            stream_parameters();
        else
            refuse();
    }

    struct Weight {
        WeightId id;
        Bytes size;
        std::uint32_t kernels = 0;
        std::uint32_t last_kernel = kNowhere;
        std::int64_t streamed = 0;
    };
    void find_weights() {
        for (std::uint32_t at = 0; at < code_.kernels.size(); ++at)
            for (std::uint32_t i = code_.kernels[at].first; i < code_.kernels[at].last; ++i)
                for (const WeightId id : costs_.weights[code_.kernel_nodes[i].index()]) {
                    Weight& weight = know_weight(id);
                    if (std::exchange(weight.last_kernel, at) != at) ++weight.kernels;
                }
    }
    Weight& know_weight(WeightId id) {
        std::uint32_t& at = compiler_.weight_at_[id.index()];
        if (compiler_.weight_stamp_[id.index()] != turn_) {
            compiler_.weight_stamp_[id.index()] = turn_;
            at = static_cast<std::uint32_t>(weights_.size());
            weights_.push_back({.id = id, .size = compiler_.aligned(costs_.weight_bytes[id.index()])});
        }
        return weights_[at];
    }
    /// What the most kernels read stays; of the rest as many bytes as there is room for.
    void stream_parameters() {
        ChipMemory& memory = code_.memory;
        std::int64_t room = (*compiler_.limit_ - (memory.peak() - memory.parameters)).count;
        std::vector<std::uint32_t> order(weights_.size());
        std::iota(order.begin(), order.end(), 0U);
        std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::uint32_t w) { return weights_[w].kernels; });
        memory.parameters = {};
        for (const std::uint32_t w : order) {
            const std::int64_t stays = std::min(room, weights_[w].size.count);
            room -= stays;
            memory.parameters.count += stays;
            // What is aligned away is no data.
            weights_[w].streamed = std::max<std::int64_t>(0, costs_.weight_bytes[weights_[w].id.index()].count - stays);
            memory.streamed.count += weights_[w].streamed;
        }
        std::vector<std::uint32_t> counted(weights_.size(), kNowhere);
        for (std::uint32_t at = 0; at < code_.kernels.size(); ++at)
            for (std::uint32_t i = code_.kernels[at].first; i < code_.kernels[at].last; ++i)
                for (const WeightId id : costs_.weights[code_.kernel_nodes[i].index()]) {
                    const std::uint32_t w = compiler_.weight_at_[id.index()];
                    if (std::exchange(counted[w], at) != at) code_.kernels[at].streamed.count += weights_[w].streamed;
                }
    }

    void refuse() {
        code_.fits = false;
        // Parameters alone that do not fit: operators without any are not to blame.
        if (!compiler_.spills_ && code_.memory.parameters > *compiler_.limit_)
            std::ranges::copy_if(code_.nodes, std::back_inserter(code_.blamed),
                                 [&](NodeId node) { return !costs_.weights[node.index()].empty(); });
        else if (code_.memory.peak() - buffers_for_others() > *compiler_.limit_)
            code_.blamed = code_.nodes;
    }
    /// Of what goes on to other chips: elsewhere the same operators might do without.
    [[nodiscard]] Bytes buffers_for_others() const {
        const CompileOptions& options = compiler_.options_;
        std::int64_t bytes = 0;
        for (const EdgeId edge : code_.passing) {
            const bool read = std::ranges::any_of(costs_.consumers[edge.index()], [&](NodeId node) { return here(node); });
            const std::int64_t count = (read ? 0 : options.receive_buffers) + (relays_.empty() ? 0 : options.send_buffers);
            bytes += count * compiler_.aligned(costs_.bytes[edge.index()]).count;
        }
        for (const MoreBuffers& more : code_.more_buffers) bytes += more.count * compiler_.aligned(costs_.bytes[more.edge.index()]).count;
        return Bytes{bytes};
    }

    // --- time ----------------------------------------------------------------------------------------------------------

    void time_kernels() {
        const EffectOptions& effects = compiler_.options_.effects;
        for (ChipKernel& kernel : code_.kernels) {
            bool issued = false;
            for (std::uint32_t i = kernel.first; i < kernel.last; ++i) {
                const NodeEffects& effect = compiler_.effects_[code_.kernel_nodes[i].index()];
                kernel.work += effect.work;
                if (!effect.issues) continue;
                kernel.work += issued ? effects.fused_issue : effects.issue;
                issued = true;
            }
        }
        const auto wait_for_port = [&](EdgeId edge, std::uint32_t kernel) {
            if (compiler_.port_rate_.bytes_per_second <= 0 || compiler_.free_input(edge)) return;
            const double seconds =
                static_cast<double>(costs_.bytes[edge.index()].count) / static_cast<double>(compiler_.port_rate_.bytes_per_second);
            code_.kernels[kernel].work += Duration{static_cast<std::int64_t>(std::ceil(seconds * 1e12 * effects.port_share))};
        };
        for (const ChipMessage& message : code_.received) wait_for_port(message.edge, message.first);
        for (const ChipMessage& message : code_.sent) wait_for_port(message.edge, message.first);
    }

    ChipCompiler& compiler_;
    const cost::StageProblem& costs_;
    ChipCode& code_;
    std::uint32_t turn_;
    ChipGraph graph_;
    Fusion fusion_;
    KernelGraph kernels_;
    std::vector<EdgeId> relays_;                         // what is handed on: the first operators
    std::vector<std::vector<NodeId>> nodes_of_;          // per kernel
    std::vector<EdgeId> relay_of_;                       // per kernel
    std::vector<std::uint32_t> position_;                // per kernel
    std::vector<std::uint32_t> first_read_, last_read_;  // per tensor: positions
    std::vector<Weight> weights_;
    std::function<std::string()> largest_name_;
};

CompileFailure failure_of(const ChipCode& code, std::size_t chip) {
    const ChipMemory& memory = code.memory;
    Diagnostic why{
        .kind = DiagnosticKind::infeasible,
        .message = std::format("chip {} needs {} of SRAM and has {}: {} too much", chip, to_text(memory.peak()), to_text(memory.limit),
                               to_text(memory.peak() - memory.limit)),
        .where = {},
        .notes = {std::format("{} of parameters, {} of receive and send buffers, {} of activations alive at once, {} lost to "
                              "holes between them",
                              to_text(memory.parameters), to_text(memory.buffers), to_text(memory.live), to_text(memory.fragmented))},
        .help = {}};
    if (memory.largest.count > 0)
        why.notes.push_back(std::format("the largest tensor is '{}' of {}", memory.largest_name, to_text(memory.largest)));
    return {.chip = chip, .why = std::move(why), .nodes = code.blamed};
}

ChipCompiler::ChipCompiler(const graph::Graph& graph, const ChipProblem& problem, const platform::Platform& platform,
                           const CompileOptions& options)
    : graph_(graph),
      problem_(problem),
      options_(options),
      host_link_(platform.host_link.has_value()),
      port_rate_(platform.classes.front().memory_rate),
      effects_(node_effects(graph, *problem.costs, platform, options.effects)),
      stamp_(problem.node_count()),
      edge_stamp_(problem.costs->edge_count()),
      tensor_of_(problem.costs->edge_count()),
      weight_stamp_(problem.costs->weight_count()),
      weight_at_(problem.costs->weight_count()) {
    const cost::DeviceCosts& device = problem.costs->classes.front();
    spills_ = device.overflow == cost::Overflow::spill;
    if (device.overflow != cost::Overflow::unlimited) limit_ = device.fast_memory;
    if (problem.sram) limit_ = limit_ ? std::min(*limit_, *problem.sram) : *problem.sram;
}

Bytes ChipCompiler::aligned(Bytes bytes) const {
    return {(bytes.count + options_.alignment - 1) / options_.alignment * options_.alignment};
}
bool ChipCompiler::free_input(EdgeId edge) const { return !problem_.costs->producer[edge.index()].valid() && !host_link_; }
std::string ChipCompiler::tensor_name(EdgeId edge) const { return graph_[problem_.costs->tensor[edge.index()]].name; }

ChipCode ChipCompiler::compile(std::span<const NodeId> nodes, std::span<const EdgeId> passing, std::span<const MoreBuffers> more_buffers) {
    ++turn_;
    ChipCode code;
    code.nodes.assign(nodes.begin(), nodes.end());
    code.passing.assign(passing.begin(), passing.end());
    code.more_buffers.assign(more_buffers.begin(), more_buffers.end());
    for (const NodeId node : nodes) stamp_[node.index()] = turn_;
    ChipCompilation(*this, code).run();
    return code;
}

std::optional<Diagnostic> ChipCompiler::hopeless() const {
    if (!limit_) return std::nullopt;
    const cost::StageProblem& costs = *problem_.costs;
    for (std::size_t v = 0; v < costs.node_count(); ++v) {
        Bytes parameters, inputs;
        if (!spills_)
            for (const WeightId weight : costs.weights[v]) parameters += aligned(costs.weight_bytes[weight.index()]);
        // What an operator that begins a kernel reads lies in memory, wherever it was made.
        if (!effects_[v].joins)
            for (const EdgeId edge : costs.inputs[v]) inputs += aligned(costs.bytes[edge.index()]);
        const Bytes scratch = aligned(costs.scratch[v]), needed = parameters + inputs + scratch;
        if (needed <= *limit_) continue;
        return Diagnostic{
            .kind = DiagnosticKind::infeasible,
            .message = std::format("operator '{}' needs {} of SRAM wherever it lies, a chip has {}: no partition compiles",
                                   graph_.label(costs.operators[v].front()), to_text(needed), to_text(*limit_)),
            .where = {},
            .notes = {std::format("{} of parameters, {} of inputs, {} of scratch", to_text(parameters), to_text(inputs), to_text(scratch))},
            .help =
                "a chip needs more memory for this model (memory=… of the platform), or parameters that may spill "
                "(overflow=spill)"};
    }
    return std::nullopt;
}

}  // namespace sluice::mcm
