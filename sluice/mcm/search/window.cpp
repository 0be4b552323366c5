#include "sluice/mcm/search/window.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "sluice/cost/stage_cost.hpp"

namespace sluice::mcm {

namespace {

constexpr double kNorm = 8;

}  // namespace

WindowSolver::WindowSolver(const ChipProblem& problem)
    : costs_(*problem.costs),
      form_(problem.rules.relay && !problem.rules.adjacent     ? Form::relay
            : problem.rules.triangle || problem.rules.adjacent ? Form::adjacent
                                                               : Form::free),
      most_parameters_(problem.rules.memory && problem.sram ? problem.sram->count : std::numeric_limits<std::int64_t>::max()),
      position_(costs_.node_count()),
      last_reader_(costs_.edge_count()),
      edge_stamp_(costs_.edge_count(), 0),
      weight_stamp_(costs_.weight_count(), 0),
      waiting_(costs_.node_count()) {}

/// Kahn's algorithm inside the window, by places in the order of the chips that are moved at random.
void WindowSolver::make_order(std::span<const std::uint8_t> chips, const Window& window, double spread, RandomStream& random) {
    const auto inside = [&](NodeId node) {
        return chips[node.index()] >= window.first && chips[node.index()] < window.first + window.count;
    };
    order_.clear();
    for (std::size_t v = 0; v < chips.size(); ++v)
        if (inside(NodeId(v))) order_.emplace_back(v);
    std::ranges::stable_sort(order_, {}, [&](NodeId node) { return chips[node.index()]; });
    const auto length = static_cast<double>(order_.size());
    std::vector<std::pair<double, std::uint32_t>> ready;
    std::vector<double> key(chips.size());
    const auto push = [&](NodeId node) {
        ready.emplace_back(key[node.index()], static_cast<std::uint32_t>(node.index()));
        std::ranges::push_heap(ready, std::greater{});
    };
    for (std::size_t i = 0; i < order_.size(); ++i) {
        const std::size_t v = order_[i].index();
        key[v] = static_cast<double>(i) + (2 * random.unit() - 1) * spread * length;
        waiting_[v] = static_cast<std::uint32_t>(std::ranges::count_if(costs_.predecessors[v], inside));
        if (waiting_[v] == 0) push(NodeId(v));
    }
    order_.clear();
    while (!ready.empty()) {
        std::ranges::pop_heap(ready, std::greater{});
        const NodeId node(ready.back().second);
        ready.pop_back();
        order_.push_back(node);
        for (const NodeId next : costs_.successors[node.index()])
            if (inside(next) && --waiting_[next.index()] == 0) push(next);
    }
    for (std::size_t v = 0; v < chips.size(); ++v)
        position_[v] = chips[v] < window.first ? kBefore : static_cast<std::uint32_t>(order_.size());
    for (std::uint32_t i = 0; i < order_.size(); ++i) position_[order_[i].index()] = i;
}

void WindowSolver::measure_borders() {
    const std::size_t m = order_.size();
    alive_.assign(m + 2, 0);
    needed_until_.assign(m + 1, 0);
    for (std::size_t e = 0; e < costs_.edge_count(); ++e) {
        std::uint32_t last = 0;  // one more than where it is read last in the window; m + 1 behind it
        bool behind = false;
        for (const NodeId reader : costs_.consumers[e]) {
            const std::uint32_t at = position_[reader.index()];
            if (at == kBefore) continue;
            last = std::max(last, at + 1);
            behind = behind || at == m;
        }
        last_reader_[e] = last;
        const NodeId producer = costs_.producer[e];
        if (!producer.valid() || last == 0 || position_[producer.index()] == m) continue;
        const bool before = position_[producer.index()] == kBefore;
        const std::uint32_t from = before ? 0 : position_[producer.index()] + 1;  // the first border that it crosses
        if (from < last) {
            alive_[from] += costs_.transfer[e].count();
            alive_[last] -= costs_.transfer[e].count();
        }
        // What jumps the whole window is nothing that the window decides.
        std::uint32_t needed = last;
        if (before && behind) {
            needed = 0;
            for (const NodeId reader : costs_.consumers[e])
                if (const std::uint32_t at = position_[reader.index()]; at != kBefore && at < m) needed = std::max(needed, at + 1);
        }
        if (from <= m) needed_until_[from] = std::max(needed_until_[from], needed);
    }
    for (std::size_t b = 1; b <= m; ++b) {
        alive_[b] += alive_[b - 1];
        needed_until_[b] = std::max(needed_until_[b], needed_until_[b - 1]);
    }
}

void WindowSolver::forbid_nogoods(const ChipProblem& problem) {
    const std::size_t m = order_.size();
    least_start_.assign(m + 1, 0);
    for (const auto& nogood : problem.nogoods) {
        std::uint32_t first = static_cast<std::uint32_t>(m), last = 0;
        bool all = true;
        for (const NodeId node : nogood) {
            const std::uint32_t at = position_[node.index()];
            all = all && at < m;
            first = std::min(first, at);
            last = std::max(last, at);
        }
        if (all) least_start_[last + 1] = std::max(least_start_[last + 1], first + 1);
    }
    for (std::size_t j = 1; j <= m; ++j) least_start_[j] = std::max(least_start_[j], least_start_[j - 1]);
}

template <typename F>
void WindowSolver::slices_from(std::size_t i, std::span<const std::uint8_t> chips, std::span<const double> factor, F&& slice) {
    const cost::DeviceCosts& device = costs_.classes.front();
    const auto time_of = [](double work, std::int64_t spill, std::int64_t in, std::int64_t out, cost::StageModel model) {
        const double inside = work + static_cast<double>(spill);
        if (model == cost::StageModel::serial) return inside + static_cast<double>(in) + static_cast<double>(out);
        return std::max({inside, static_cast<double>(in), static_cast<double>(out)});
    };
    ++stamp_;
    double work = 0;
    std::int64_t in = form_ == Form::relay ? alive_[i] : 0, out = 0, parameters = 0;
    for (std::size_t j = i + 1; j <= order_.size(); ++j) {
        const std::size_t v = order_[j - 1].index();
        work += static_cast<double>(device.work[v].count()) * (factor.empty() ? 1 : factor[chips[v]]);
        for (const WeightId weight : costs_.weights[v])
            if (std::exchange(weight_stamp_[weight.index()], stamp_) != stamp_) parameters += costs_.weight_bytes[weight.index()].count;
        if (parameters > most_parameters_) return;
        for (const EdgeId edge : costs_.inputs[v]) {
            const std::size_t e = edge.index();
            const NodeId producer = costs_.producer[e];
            const std::uint32_t made = producer.valid() ? position_[producer.index()] : kBefore;
            if (made != kBefore && made >= i && made < order_.size()) {
                // Made here: with its last reader it leaves no more, but to the host.
                if (last_reader_[e] != j) continue;
                if (form_ == Form::relay && costs_.to_host[e] != 0) out += costs_.transfer[e].count();
                if (form_ != Form::relay && costs_.to_host[e] == 0) out -= costs_.transfer[e].count();
            } else if (form_ != Form::relay || !producer.valid()) {
                if (std::exchange(edge_stamp_[e], stamp_) != stamp_) in += costs_.transfer[e].count();
            }
        }
        for (const EdgeId edge : costs_.outputs[v]) {
            const std::size_t e = edge.index();
            const bool read = last_reader_[e] != 0;
            if (form_ == Form::relay ? costs_.to_host[e] != 0 && !read : costs_.to_host[e] != 0 || read) out += costs_.transfer[e].count();
        }
        const std::int64_t spill = cost::spill_time(device, Bytes{parameters}).count();
        slice(j, time_of(work, spill, in, out + (form_ == Form::relay ? alive_[j] : 0), costs_.model));
    }
}

Assignment WindowSolver::solve(const ChipProblem& problem, std::span<const std::uint8_t> chips, const Window& window,
                               std::span<const double> factor, double spread, RandomStream& random) {
    make_order(chips, window, spread, random);
    const std::size_t m = order_.size();
    if (m == 0) return {};
    measure_borders();
    forbid_nogoods(problem);
    double total = 1;
    for (const NodeId node : order_) total += static_cast<double>(costs_.classes.front().work[node.index()].count());
    const double scale = static_cast<double>(window.most) / total;  // of an even share
    constexpr double kNone = std::numeric_limits<double>::infinity();
    const std::size_t width = m + 1;
    std::vector<double> least((window.most + 1) * width, kNone);  // chips used x end
    std::vector<std::uint32_t> from(least.size(), 0);
    least[0] = 0;
    // Every slice once: those that begin at i, when all that end there are known.
    for (std::size_t i = 0; i < m; ++i) {
        bool reached = false;
        for (std::size_t d = 0; d < window.most; ++d) reached = reached || least[d * width + i] < kNone;
        if (!reached) continue;
        slices_from(i, chips, factor, [&](std::size_t j, double time) {
            if (i < least_start_[j]) return;
            if (form_ == Form::adjacent && needed_until_[i] > j) return;
            const double price = std::pow(time * scale, kNorm);
            for (std::size_t d = 0; d < window.most; ++d) {
                const double sum = least[d * width + i] + price;
                if (sum >= least[(d + 1) * width + j]) continue;
                least[(d + 1) * width + j] = sum;
                from[(d + 1) * width + j] = static_cast<std::uint32_t>(i);
            }
        });
    }
    std::size_t used = 0;
    double best = kNone;
    for (std::size_t d = 1; d <= window.most; ++d)
        if (least[d * width + m] < best) best = least[d * width + m], used = d;
    if (used == 0) return {};
    Assignment result(chips.begin(), chips.end());
    for (std::uint8_t& chip : result)
        if (chip >= window.first + window.count) chip = static_cast<std::uint8_t>(chip + used - window.count);
    for (std::size_t d = used, end = m; d > 0; end = from[d * width + end], --d)
        for (std::size_t i = from[d * width + end]; i < end; ++i)
            result[order_[i].index()] = static_cast<std::uint8_t>(window.first + d - 1);
    return result;
}

}  // namespace sluice::mcm
