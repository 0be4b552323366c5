// Private to this layer. An inference program as flat arrays for the simulation: per stage the steps of its list, per list and channel the
// places of their counters. Built once, O(instructions).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sluice/platform/platform.hpp"
#include "sluice/program/program.hpp"
#include "sluice/simulate/wires.hpp"

namespace sluice::simulate {

enum class StepKind : std::uint8_t { enter, work, leave };

struct Step {
    StepKind kind = StepKind::work;
    std::uint32_t first = 0, count = 0;  // enter: the channel; leave: of `leaving`, the channels of one tensor
    Time duration = 0;
};

/// What all replicas of a stage share; the host's collecting is one more, the last.
struct StageSteps {
    std::uint32_t enter = 0, work = 0, leave = 0, end = 0;  // of `steps`: where each part begins
    std::uint32_t messages = 0;                             // channels from other stages
    std::uint32_t sends = 0;                                // channels that leave
    std::uint32_t window = 1;                               // power of two: most turns of which a message may be there
    std::int64_t replicas = 1;
    std::uint32_t first_list = 0;
    std::uint32_t slots = 1;
    std::int64_t in_bytes = 0, out_bytes = 0, scratch = 0;  // scratch: activations beyond inputs and outputs
    Time busy = 0;                                          // f: of the busiest engine
};

struct ChannelPlace {
    std::uint32_t from = 0, to = 0;  // of `stages`
    std::uint32_t credits = 1;
    bool from_host = false;
    std::int64_t bytes = 0;
    Time on_wire = 0;         // 0: nothing to simulate between these stages
    std::uint64_t flags = 0;  // first of its receivers' arrival flags
};

struct Tables {
    bool overlap = false;
    std::vector<StageSteps> stages;
    std::vector<Step> steps;
    std::vector<std::uint32_t> leaving;
    std::vector<ChannelPlace> channels;
    std::uint64_t flags = 0;
    std::uint32_t lists = 0;  // list 0 is collect, list r the stage replica of rank r
};

/// `program` sound. Credits and slots beyond what `inputs` can use are cut, so that sizes are bounded.
/// Diagnostics: times or buffers beyond what is counted.
[[nodiscard]] Result<Tables> tables_of(const program::Program& program, const platform::Platform& platform, const Wires& wires,
                                       LinkSharing sharing, std::int64_t inputs);

}  // namespace sluice::simulate
