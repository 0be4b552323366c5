#include "sluice/simulate/inference_outputs.hpp"

#include <algorithm>
#include <format>
#include <limits>
#include <numeric>

namespace sluice::simulate {

void Outputs::add_to(InferenceResult& r, const Tables& tables, Time half, Time end) const {
    r.makespan = Duration{times_.back()};
    r.first_latency = Duration{first_latency_};
    r.largest_latency = Duration{largest_latency_};
    r.mean_latency = Duration{static_cast<std::int64_t>(latencies_ / static_cast<Wide>(times_.size()))};
    const auto at = [&](std::ptrdiff_t i) { return times_[static_cast<std::size_t>(i)]; };
    std::ptrdiff_t first = 0, last = -1;
    if (half >= 0 && end > half) {
        first = std::ranges::lower_bound(times_, half) - times_.begin();
        last = std::ranges::upper_bound(times_, end) - times_.begin() - 1;
    }
    r.steady = last > first && at(last) > at(first);
    if (!r.steady) {
        last = static_cast<std::ptrdiff_t>(times_.size()) - 1;
        first = last / 2;
        if (at(first) == at(last)) first = 0;
    }
    std::int64_t period = 1;
    for (const StageSteps& stage : tables.stages) {
        const std::int64_t factor = stage.replicas / std::gcd(period, stage.replicas);
        if (factor > (last - first) / period) {
            period = 1;
            break;
        }
        period *= factor;
    }
    first = last - (last - first) / period * period;
    r.steady_inputs = last - first;
    r.steady_time = Duration{at(last) - at(first)};
    if (r.steady_time > Duration{0})
        r.throughput_per_s = static_cast<double>(r.steady_inputs) * 1e12 / static_cast<double>(r.steady_time.count());
}

void add_uniform_links(const program::Program& program, InferenceResult& result) {
    struct Pair {
        std::size_t from, to;
        std::int64_t bytes, transfer;
    };
    std::vector<Pair> pairs;
    for (const program::Channel& channel : program.channels)
        if (channel.from.valid() && channel.to.valid())
            pairs.push_back({channel.from.index(), channel.to.index(), channel.bytes.count, channel.transfer.count()});
    std::ranges::stable_sort(pairs, {}, [](const Pair& pair) { return std::pair(pair.from, pair.to); });
    for (std::size_t i = 0; i < pairs.size();) {
        Pair sum{pairs[i].from, pairs[i].to, 0, 0};
        for (; i < pairs.size() && pairs[i].from == sum.from && pairs[i].to == sum.to; ++i) {
            sum.bytes += pairs[i].bytes;
            sum.transfer += pairs[i].transfer;
        }
        const std::int64_t devices = std::lcm(program.stages[sum.from].replicas, program.stages[sum.to].replicas);
        result.links.push_back(
            {.name = std::format("stage {} -> stage {}", sum.from, sum.to),
             .utilisation = static_cast<double>(sum.transfer) * 1e-12 * result.throughput_per_s / static_cast<double>(devices),
             .longest_queue = 0,
             .bytes = {checked_multiply(sum.bytes, result.outputs).value_or(std::numeric_limits<std::int64_t>::max())}});
    }
}

}  // namespace sluice::simulate
