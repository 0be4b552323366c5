#include "sluice/mcm/judge/judge_trace.hpp"

#include <format>
#include <map>

namespace sluice::mcm {

namespace {

class Names {
public:
    explicit Names(std::vector<std::string>& names) : names_(names) {}
    std::uint32_t of(std::string name) {
        const auto [at, fresh] = index_.try_emplace(std::move(name), static_cast<std::uint32_t>(names_.size()));
        if (fresh) names_.push_back(at->first);
        return at->second;
    }

private:
    std::vector<std::string>& names_;
    std::map<std::string, std::uint32_t> index_;
};

}  // namespace

void describe_trace(JudgeDetail& detail, const graph::Graph& graph, const ChipProblem& problem, const ChipCompiler& compiler,
                    const LoweredRing& ring, std::span<const ChipCode* const> codes, std::span<const simulate::RingTask> tasks) {
    if (tasks.empty()) return;
    const std::uint32_t chips = ring.program.chips, engines = ring.program.serial ? 1 : 3;
    for (std::uint32_t c = 0; c < chips; ++c)
        for (const char* engine : {"compute", "in", "out"})
            if (engines == 3 || engine[0] == 'c') detail.tracks.push_back({std::format("chip {}", c), engines == 3 ? engine : "chip"});
    for (std::uint32_t c = 0; c + 1 < chips; ++c) detail.tracks.push_back({"links", std::format("{} -> {}", c, c + 1)});
    detail.tracks.push_back({"memory", "channel"});
    const auto track_of = [&](const simulate::RingTask& task) {
        switch (task.track) {
            case simulate::RingTrack::link:
                return engines * chips + task.chip;
            case simulate::RingTrack::channel:
                return static_cast<std::uint32_t>(detail.tracks.size() - 1);
            default:
                return engines * task.chip + (engines == 3 ? static_cast<std::uint32_t>(task.track) : 0);
        }
    };
    Names names(detail.names);
    const auto label = [&](const ChipCode& code, const ChipKernel& kernel) {
        if (kernel.hands_on.valid()) return "hands on " + compiler.tensor_name(kernel.hands_on);
        std::string name = graph.label(problem.costs->operators[code.kernel_nodes[kernel.first].index()].front());
        if (kernel.last - kernel.first > 1) name += std::format(" and {} fused", kernel.last - kernel.first - 1);
        return name;
    };
    for (const simulate::RingTask& task : tasks) {
        const auto add = [&](std::uint32_t name, std::int64_t start, std::int64_t end, std::uint64_t flow) {
            detail.tasks.push_back({track_of(task), name, task.input, Duration{start}, Duration{end}, flow});
        };
        const bool computes = task.track == simulate::RingTrack::compute;
        if (!computes && task.track != simulate::RingTrack::channel) {
            // Those of one tensor and input belong together, also where chips hand it on.
            const EdgeId edge = ring.edge_of[task.what];
            const std::uint64_t flow = static_cast<std::uint64_t>(task.input) * problem.costs->edge_count() + edge.index() + 1;
            add(names.of(compiler.tensor_name(edge)), task.start, task.end, flow);
            continue;
        }
        const ChipCode& code = *codes[task.chip];
        const auto [first, last] = ring.kernels_of[task.what];
        if (!computes) {
            add(names.of("parameters of " + label(code, code.kernels[first])), task.start, task.end, 0);
            continue;
        }
        std::int64_t at = task.end - ring.program.segments[task.what].work.count();
        if (at > task.start) add(names.of("waits for parameters"), task.start, at, 0);
        for (std::uint32_t k = first; k < last; ++k) {
            const std::int64_t end = at + code.kernels[k].work.count();
            if (end > at) add(names.of(label(code, code.kernels[k])), at, end, 0);
            at = end;
        }
    }
}

}  // namespace sluice::mcm
