// Private to this layer. When the inputs of an inference run came out, and what follows from it: latencies, the steady part, throughput.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "sluice/base/wide.hpp"
#include "sluice/simulate/inference.hpp"
#include "sluice/simulate/inference_tables.hpp"

namespace sluice::simulate {

class Outputs {
public:
    Outputs(const Tables& tables, std::int64_t inputs) : inputs_(inputs) {
        const bool collects = tables.stages.back().messages > 0;
        lists_an_input_ = static_cast<std::uint32_t>(tables.stages.size()) - (collects ? 0 : 1);
        times_.reserve(static_cast<std::size_t>(std::min<std::int64_t>(inputs, 1 << 24)));
        grow(64);
    }

    /// A list begins with the input.
    void begin(std::int64_t input, Time now) {
        UnderWay& record = under_way(input);
        if (record.start < 0) record.start = now;
    }
    /// A list has done with it.
    void end(std::int64_t input, Time now) {
        --under_way(input).open;
        while (static_cast<std::int64_t>(times_.size()) < inputs_) {
            UnderWay& next = under_way(static_cast<std::int64_t>(times_.size()));
            if (next.open > 0) break;
            const Time latency = now - next.start;
            if (times_.empty()) first_latency_ = latency;
            largest_latency_ = std::max(largest_latency_, latency);
            latencies_ += latency;
            next = {.start = -1, .open = lists_an_input_};
            times_.push_back(now);
        }
    }

    /// When each input's last part was out, in input order.
    [[nodiscard]] std::span<const Time> times() const { return times_; }
    /// Makespan, latencies, the steady part between two times (negative: none) and its throughput. At least one input is out.
    void add_to(InferenceResult& result, const Tables& tables, Time half, Time end) const;

private:
    struct UnderWay {
        Time start = -1;
        std::uint32_t open = 0;  // lists that have not done with it
    };

    UnderWay& under_way(std::int64_t input) {
        const auto ahead = static_cast<std::size_t>(input) - times_.size();
        if (ahead >= under_way_.size()) grow(ahead + 1);
        return under_way_[static_cast<std::size_t>(input) & (under_way_.size() - 1)];
    }
    void grow(std::size_t least) {
        std::vector<UnderWay> grown(std::bit_ceil(least), UnderWay{.start = -1, .open = lists_an_input_});
        for (std::size_t i = times_.size(); i < times_.size() + under_way_.size(); ++i)
            grown[i & (grown.size() - 1)] = under_way_[i & (under_way_.size() - 1)];
        under_way_ = std::move(grown);
    }

    const std::int64_t inputs_;
    std::uint32_t lists_an_input_ = 0;
    std::vector<UnderWay> under_way_;  // a ring, from the next output on
    std::vector<Time> times_;
    Time first_latency_ = 0, largest_latency_ = 0;
    Wide latencies_ = 0;
};

/// For links that nothing shares, which follow from the messages alone: per pair of stages, mean over the pairs of devices.
void add_uniform_links(const program::Program& program, InferenceResult& result);

}  // namespace sluice::simulate
