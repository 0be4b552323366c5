#include "sluice/runtime/map_kernels.hpp"

#include <algorithm>
#include <cmath>
#include <format>
#include <numeric>
#include <string_view>
#include <unordered_map>

namespace sluice::runtime {

namespace {

constexpr std::uint32_t kNone = static_cast<std::uint32_t>(-1);
constexpr std::string_view kBlocked = "_nchwc";  // kernels on blocked layouts are called after the tensor they make, which gets a new name

class Mapping {
public:
    Mapping(const graph::Graph& graph, const RawProfile& profile)
        : graph_(graph),
          kernels_(profile.kernels),
          anchors_(kernels_.size()),
          renamed_(kernels_.size()),
          home_(graph.operator_count(), kNone),
          set_(graph.operator_count()) {
        std::iota(set_.begin(), set_.end(), 0U);
        for (std::size_t t = 0; t < graph.tensor_count(); ++t) {
            tensor_.emplace(graph[TensorId(t)].name, TensorId(t));
            if (const OperatorId producer = graph.producer(TensorId(t)); producer.valid())
                producer_.emplace(graph[TensorId(t)].name, producer);
        }
        for (std::size_t k = 0; k < kernels_.size(); ++k)
            for (const std::string& output : kernels_[k].outputs)
                if (!output.empty()) maker_.try_emplace(output, k);
    }

    /// False: nothing of the profile is of this graph.
    bool run() {
        anchor_by_tensors();
        if (std::ranges::all_of(anchors_, [](const auto& anchors) { return anchors.empty(); })) return false;
        anchor_by_names();
        claim_main_operators();
        place_epilogues();
        place_helpers();
        place_vanished();
        for (const auto& anchors : anchors_)
            for (const OperatorId id : anchors) join(anchors.front(), id);
        return true;
    }

    [[nodiscard]] std::vector<KernelGroup> groups() {
        std::vector<KernelGroup> groups;
        std::vector<std::uint32_t> group_of(set_.size(), kNone);
        const auto group = [&](OperatorId id) -> KernelGroup& {
            std::uint32_t& index = group_of[find(static_cast<std::uint32_t>(id.index()))];
            if (index == kNone) {
                index = static_cast<std::uint32_t>(groups.size());
                groups.emplace_back();
            }
            return groups[index];
        };
        for (std::size_t o = 0; o < graph_.operator_count(); ++o) {
            KernelGroup& own = group(OperatorId(o));
            if (!graph_[OperatorId(o)].replicated) own.operators.emplace_back(o);
        }
        for (std::size_t k = 0; k < kernels_.size(); ++k) {
            KernelGroup& own = group(anchors_[k].front());
            own.kernels.push_back(k);
            own.min_us += kernels_[k].min_us;
            own.median_us += kernels_[k].median_us;
        }
        return groups;
    }

private:
    void anchor(std::size_t kernel, OperatorId id) {
        if (!std::ranges::contains(anchors_[kernel], id)) anchors_[kernel].push_back(id);
        if (home_[id.index()] == kNone) home_[id.index()] = static_cast<std::uint32_t>(kernel);
    }

    void anchor_by_tensors() {
        for (std::size_t k = 0; k < kernels_.size(); ++k)
            for (const std::string& output : kernels_[k].outputs)
                if (const auto found = producer_.find(output); found != producer_.end()) anchor(k, found->second);
    }

    void anchor_by_names() {
        const cost::OperatorNames names(graph_);
        for (std::size_t k = 0; k < kernels_.size(); ++k) {
            if (!anchors_[k].empty()) continue;
            renamed_[k] = 1;
            const std::string& name = kernels_[k].name;
            OperatorId id = names.lookup(name);
            if (id.valid() && !graph_[id].type.ends_with(kernels_[k].op_type)) id = {};
            if (name.ends_with(kBlocked))
                if (const auto found = producer_.find(std::string_view(name).substr(0, name.size() - kBlocked.size()));
                    found != producer_.end())
                    id = found->second;
            if (!id.valid()) id = only_reader_of_its_type(kernels_[k]);
            if (id.valid() && home_[id.index()] == kNone) anchor(k, id);
        }
    }

    /// Of what the kernel reads, by an operator without a kernel; invalid: none, or several.
    [[nodiscard]] OperatorId only_reader_of_its_type(const RawKernel& kernel) const {
        OperatorId only;
        for (const std::string& input : kernel.inputs) {
            const auto tensor = tensor_.find(input);
            if (tensor == tensor_.end()) continue;
            for (const OperatorId id : graph_.consumers(tensor->second)) {
                if (home_[id.index()] != kNone || id == only || !graph_[id].type.ends_with(kernel.op_type)) continue;
                if (only.valid()) return {};
                only = id;
            }
        }
        return only;
    }

    /// From the anchor of a kernel with new names back to the operator that the kernel is of (Conv behind its normalisation and Relu),
    /// along tensors that nothing else reads; false: not there.
    bool claim_main_operator(std::uint32_t kernel, OperatorId id) {
        if (graph_[id].type.ends_with(kernels_[kernel].op_type)) return true;
        for (const TensorId tensor : graph_.inputs(id)) {
            const OperatorId producer = graph_.producer(tensor);
            if (!producer.valid() || home_[producer.index()] != kNone || graph_[producer].replicated ||
                graph_.consumers(tensor).size() != 1)
                continue;
            if (!claim_main_operator(kernel, producer)) continue;
            home_[producer.index()] = kernel;
            join(producer, id);
            return true;
        }
        return false;
    }
    void claim_main_operators() {
        for (std::size_t k = 0; k < kernels_.size(); ++k)
            if (renamed_[k] && !anchors_[k].empty()) claim_main_operator(static_cast<std::uint32_t>(k), anchors_[k].front());
    }

    /// What a kernel reads, through helpers, by the kernels that make it.
    [[nodiscard]] std::vector<std::vector<std::uint32_t>> find_sources() const {
        std::vector<std::vector<std::uint32_t>> sources(kernels_.size());
        for (std::size_t k = 0; k < kernels_.size(); ++k)
            for (const std::string& input : kernels_[k].inputs) {
                const auto made = maker_.find(input);
                if (made == maker_.end() || made->second >= k) continue;
                if (anchors_[made->second].empty())
                    sources[k].insert(sources[k].end(), sources[made->second].begin(), sources[made->second].end());
                else
                    sources[k].push_back(static_cast<std::uint32_t>(made->second));
            }
        return sources;
    }

    /// Operators that a kernel with new names does after the one it is anchored at.
    void place_epilogues() {
        const auto sources = find_sources();
        const auto reads = [&](std::uint32_t kernel, TensorId tensor) {
            const OperatorId producer = graph_.producer(tensor);
            if (!producer.valid()) return std::ranges::contains(kernels_[kernel].inputs, graph_[tensor].name);
            const std::uint32_t home = home_[producer.index()];
            if (graph_[producer].replicated || home == kernel) return true;
            if (home == kNone) return false;
            if (std::ranges::contains(sources[kernel], home)) return true;
            // Its own layout may have been made for others, while this one reads the blocked form.
            return kernels_[home].op_type == "ReorderOutput" &&
                   std::ranges::any_of(sources[home], [&](std::uint32_t made) { return std::ranges::contains(sources[kernel], made); });
        };
        for (std::size_t o = 0; o < graph_.operator_count(); ++o) {
            if (home_[o] != kNone || graph_[OperatorId(o)].replicated) continue;
            const auto inputs = graph_.inputs(OperatorId(o));
            for (const TensorId tensor : inputs) {
                const OperatorId producer = graph_.producer(tensor);
                if (!producer.valid() || graph_[producer].replicated || graph_.consumers(tensor).size() != 1) continue;
                const std::uint32_t kernel = home_[producer.index()];
                if (kernel == kNone || !renamed_[kernel]) continue;
                if (!std::ranges::all_of(inputs, [&](TensorId other) { return reads(kernel, other); })) continue;
                home_[o] = kernel;
                join(producer, OperatorId(o));
                break;
            }
        }
    }

    /// Kernels without an anchor: backwards from those that read them, then forwards from those they read, then in the order of execution.
    void place_helpers() {
        std::vector<std::uint32_t> reader(kernels_.size(), kNone);
        for (std::size_t k = kernels_.size(); k-- > 0;)
            for (const std::string& input : kernels_[k].inputs)
                if (const auto made = maker_.find(input); made != maker_.end() && made->second < k)
                    reader[made->second] = static_cast<std::uint32_t>(k);
        for (std::size_t k = kernels_.size(); k-- > 0;)
            if (anchors_[k].empty() && reader[k] != kNone && !anchors_[reader[k]].empty()) anchors_[k] = {anchors_[reader[k]].front()};
        for (std::size_t k = 0; k < kernels_.size(); ++k)
            for (const std::string& input : kernels_[k].inputs)
                if (const auto made = maker_.find(input); anchors_[k].empty() && made != maker_.end() && !anchors_[made->second].empty())
                    anchors_[k] = {anchors_[made->second].front()};
        for (std::size_t k = 1; k < kernels_.size(); ++k)
            if (anchors_[k].empty() && !anchors_[k - 1].empty()) anchors_[k] = {anchors_[k - 1].front()};
        for (std::size_t k = kernels_.size(); k-- > 1;)
            if (anchors_[k - 1].empty()) anchors_[k - 1] = {anchors_[k].front()};
    }

    /// Operators without a kernel.
    void place_vanished() {
        std::vector<char> placed(graph_.operator_count());
        const auto place = [&](OperatorId id, std::span<const OperatorId> neighbours) {
            if (placed[id.index()]) return;
            const auto host =
                std::ranges::find_if(neighbours, [&](OperatorId other) { return placed[other.index()] && !graph_[other].replicated; });
            if (host == neighbours.end()) return;
            join(*host, id);
            placed[id.index()] = 1;
        };
        for (std::size_t o = 0; o < placed.size(); ++o) placed[o] = home_[o] != kNone || graph_[OperatorId(o)].replicated;
        for (std::size_t o = placed.size(); o-- > 0;) place(OperatorId(o), graph_.successors(OperatorId(o)));
        for (std::size_t o = 0; o < placed.size(); ++o) place(OperatorId(o), graph_.predecessors(OperatorId(o)));
    }

    std::uint32_t find(std::uint32_t o) {
        while (set_[o] != o) o = set_[o] = set_[set_[o]];
        return o;
    }
    void join(OperatorId a, OperatorId b) {
        const auto [low, high] = std::minmax({find(static_cast<std::uint32_t>(a.index())), find(static_cast<std::uint32_t>(b.index()))});
        set_[high] = low;
    }

    const graph::Graph& graph_;
    const std::vector<RawKernel>& kernels_;
    std::unordered_map<std::string_view, TensorId> tensor_;
    std::unordered_map<std::string_view, OperatorId> producer_;  // of a tensor
    std::unordered_map<std::string_view, std::size_t> maker_;    // of a tensor of the optimised graph
    std::vector<std::vector<OperatorId>> anchors_;               // per kernel
    std::vector<char> renamed_;                                  // per kernel: its outputs are no tensors of the graph
    std::vector<std::uint32_t> home_;                            // per operator: the kernel that does it
    std::vector<std::uint32_t> set_;                             // per operator: disjoint sets, a root is the smallest
};

}  // namespace

Result<MappedKernels> map_kernels(const graph::Graph& graph, const RawProfile& profile) {
    Mapping mapping(graph, profile);
    if (!mapping.run())
        return fail(
            input_error(std::format("none of the {} kernels of the profile makes a tensor of '{}'", profile.kernels.size(), graph.name()))
                .fix("profile the same model file"));
    MappedKernels mapped;
    double placed_us = 0;
    for (KernelGroup& group : mapping.groups()) {
        mapped.kernels_us += group.min_us;
        if (group.operators.empty()) {
            mapped.free_us += group.min_us;
            continue;
        }
        placed_us += group.min_us;
        mapped.groups.push_back(std::move(group));
    }
    // The scheduler can make a wall time longer, never shorter; it cannot make CPU time much longer, and one thread needs no more than it.
    mapped.whole_us = profile.whole_min_us;
    if (profile.threads == 1 && profile.whole_cpu_us > 0) mapped.whole_us = std::min(mapped.whole_us, profile.whole_cpu_us);
    if (!(placed_us > 0) || !(mapped.whole_us > 0) || !std::isfinite(placed_us) || !std::isfinite(mapped.whole_us))
        return fail(input_error(
            std::format("the profile of '{}' has no time: {} us in its kernels, {} us a run", graph.name(), placed_us, mapped.whole_us)));
    mapped.scale = mapped.whole_us / placed_us;
    return mapped;
}

cost::MeasuredCosts to_costs(const graph::Graph& graph, const RawProfile& profile, const MappedKernels& mapped) {
    constexpr double kPicoseconds = 1e6;
    const cost::OperatorNames names(graph);
    cost::MeasuredCosts costs;
    costs.model = graph.fingerprint();
    costs.machine = {{"processor", profile.processor},
                     {"threads", std::to_string(profile.threads)},
                     {"library", profile.library},
                     {"optimisation", std::to_string(profile.optimisation)},
                     {"runs", std::to_string(profile.runs)},
                     {"whole_run_ms", std::format("{:.3f}", profile.whole_min_us / 1000)},
                     {"whole_run_cpu_ms", std::format("{:.3f}", profile.whole_cpu_us / 1000)},
                     {"kernels_ms", std::format("{:.3f}", mapped.kernels_us / 1000)},
                     {"scale", std::format("{:.4f}", mapped.scale)}};
    for (const KernelGroup& group : mapped.groups) {
        cost::MeasuredEntry entry;
        for (const OperatorId id : group.operators)
            if (const std::string_view name = names.name_of(id); !name.empty()) entry.operators.emplace_back(name);
        if (entry.operators.empty()) continue;
        entry.time = Duration{std::llround(group.min_us * mapped.scale * kPicoseconds)};
        if (group.min_us > 0) entry.spread = std::round((group.median_us / group.min_us - 1) * 1000) / 1000;
        costs.entries.push_back(std::move(entry));
    }
    return costs;
}

double share_above(const MappedKernels& mapped, double spread) {
    double all = 0, above = 0;
    for (const KernelGroup& group : mapped.groups) {
        all += group.min_us;
        if (group.median_us - static_cast<double>(group.kernels.size()) > group.min_us * (1 + spread)) above += group.min_us;
    }
    return all > 0 ? above / all : 0;
}

}  // namespace sluice::runtime
