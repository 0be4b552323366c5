// Private to this layer. What a traced inference run keeps: names, tracks, every task, memory over time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/simulate/inference.hpp"
#include "sluice/simulate/inference_tables.hpp"

namespace sluice::simulate {

/// Tasks of an input, with its messages on their links as the first input's are: more than a trace may have is refused.
[[nodiscard]] Result<void> check_trace(const Tables& tables, const Wires& wires, const InferenceOptions& options);

/// Tracks are processes, in the run's order (one a list, or three), then links.
class InferenceTrace {
public:
    InferenceTrace(const program::Program& program, const Tables& tables, const Wires& wires);

    void step(std::uint32_t process, const Step& step, std::int64_t input, Time start, Time end);
    void carried(LinkId link, std::uint32_t channel, std::int64_t input, Time start, Time end);
    /// Of the device of a list, from `now` on; `process` is the one of its compute.
    void memory(std::uint32_t list, std::uint32_t process, Bytes in_use, Time now);

    void move_to(InferenceResult& result);

private:
    [[nodiscard]] std::uint64_t flow_of(std::uint32_t channel, std::int64_t input) const {
        return static_cast<std::uint64_t>(input) * tables_.channels.size() + flow_group_[channel] + 1;
    }
    void add(std::uint32_t track, std::uint32_t name, std::int64_t input, Time start, Time end, std::uint64_t flow) {
        if (start < end) tasks_.push_back({track, name, input, Duration{start}, Duration{end}, flow});
    }

    const Tables& tables_;
    std::uint32_t work_name_ = 0, link_tracks_ = 0;
    std::vector<std::uint32_t> last_counter_;  // per list
    std::vector<std::uint32_t> flow_group_;    // per channel
    std::vector<std::string> names_;
    std::vector<TraceTrack> tracks_;
    std::vector<TraceTask> tasks_;
    std::vector<TraceCounter> counters_;
};

}  // namespace sluice::simulate
