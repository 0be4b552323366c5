// The judge of the multi-chip job when there is no machine: an opaque compile step (compile.hpp), then the ring in the event simulator
// (simulate/ring.hpp). Its code and effects are apart from the planners' and richer on purpose (notes/mcm.md §8); it is nobody's chip, so
// what is found about it says nothing about a real one.
// Never better than planned: period >= bottleneck(problem, assignment), and each chip time >= the planners' (without noise).
// Deterministic; with noise, for a seed and the assignment's how-manieth verdict. A chip that was compiled before is not compiled again:
// a verdict costs the compilation of what is new and the simulation, which ends early where the machine is seen to repeat itself.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "sluice/mcm/judge/compile.hpp"
#include "sluice/simulate/inference.hpp"

namespace sluice::mcm {

struct EventJudgeOptions {
    CompileOptions compile;
    Duration message_overhead{200'000};  // descriptor, header and acknowledgement of a transfer, 0.2 us
    std::int64_t inputs_per_chip = 4;   // of the steady part
    double noise = 0;                    // standard deviation of what a measurement adds, as a share; 0: none
    std::uint64_t seed = 0;              // of the noise
    std::size_t kept_chips = 4096;       // compiled chips in memory, at least
    std::stop_token stop = {};
};

struct ChipUse {
    std::size_t operators = 0, kernels = 0;
    Duration planned{0};                 // the planners' stage time
    Duration compute{0}, in{0}, out{0};  // engine time of an input; compute: with streaming
    Duration streaming{0};               // parameters over the memory channel
    double utilisation = 0;              // of the busiest engine
    ChipMemory memory;
};

struct RingLinkUse {
    std::size_t from = 0;  // to the next
    Duration busy{0};      // of an input
    Bytes bytes;           // of an input
    std::int64_t tensors = 0, longest_queue = 0;
    double utilisation = 0;
};

struct JudgeDetail {
    Verdict verdict;  // without noise
    std::vector<ChipUse> chips;
    std::vector<RingLinkUse> links;
    Duration channel{0};                  // busy for an input
    bool repeats = false;                 // the period is proven, not measured
    std::int64_t inputs = 0, events = 0;  // simulated
    // As report/trace.hpp takes them
    std::vector<std::string> names;
    std::vector<simulate::TraceTrack> tracks;
    std::vector<simulate::TraceTask> tasks;
};

/// A Judge: `judge` gives a CompileFailure where a chip does not compile, or where a tensor would have to move backwards (only with the
/// acyclic rule off). Diagnostics: an assignment of the wrong length or with a chip that there is not; stopped.
class EventJudge final : public Judge {
public:
    ~EventJudge() override;
    [[nodiscard]] Result<Verdict> judge(std::span<const std::uint8_t> assignment) override;
    /// The same with all that a report shows; the first `trace_inputs` inputs as tasks.
    [[nodiscard]] Result<JudgeDetail> detail(std::span<const std::uint8_t> assignment, std::int64_t trace_inputs = 0);
    /// The compiled chip, for tests and reports: what the compile step made of these operators, ascending, with nothing passing through.
    [[nodiscard]] ChipCode compile(std::span<const NodeId> nodes);
    [[nodiscard]] std::size_t compiled() const;  // chips so far, without those that were known

private:
    friend Result<std::unique_ptr<EventJudge>> event_judge(const graph::Graph&, const ChipProblem&, const platform::Platform&,
                                                           const EventJudgeOptions&);
    class State;
    explicit EventJudge(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// `problem` made from `graph` and `platform`; all but the options outlive the judge. Diagnostics: an operator that fits no chip; options
/// out of range.
[[nodiscard]] Result<std::unique_ptr<EventJudge>> event_judge(const graph::Graph& graph, const ChipProblem& problem,
                                                              const platform::Platform& platform, const EventJudgeOptions& options = {});

}  // namespace sluice::mcm
