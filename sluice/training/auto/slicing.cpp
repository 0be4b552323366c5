#include "sluice/training/auto/slicing.hpp"

#include <algorithm>

#include "sluice/training/evaluate.hpp"

namespace sluice::training {

namespace {

constexpr int kProbes = 40;  // of a bisection: exact to 2^-40 of the first interval
/// Groups are made of this many parts of the platform at most.
constexpr std::int64_t kMostUnits = 64;
/// Slices of one layout.
constexpr std::int64_t kMostSlices = 256;

/// Group sizes go up by one unit to eight, then by four: nodes of four or eight devices stay whole.
std::int64_t grown(std::int64_t count, std::int64_t unit) { return count < 8 * unit ? unit : 4 * unit; }

}  // namespace

Slicer::Slicer(const cost::TrainingProblem& problem, const std::vector<NodeId>& order)
    : problem_(problem), order_(order), devices_(device_count(problem)) {
    std::vector<char> seen(problem.structure.weight_count(), 0);
    parameters_.push_back(0);
    state_.push_back(0);
    for (const NodeId node : order) {
        std::int64_t parameters = parameters_.back(), state = state_.back();
        for (const WeightId weight : problem.structure.weights[node.index()]) {
            if (seen[weight.index()]) continue;
            seen[weight.index()] = 1;
            parameters += problem.structure.weight_bytes[weight.index()].count;
            state += problem.state[weight.index()].count;
        }
        parameters_.push_back(parameters);
        state_.push_back(state);
    }
    find_crossing();
    for (const cost::DeviceCosts& device : problem.structure.classes) {
        std::vector<std::uint32_t>& before = unsupported_.emplace_back(1, 0U);
        for (const NodeId node : order) before.push_back(before.back() + (device.supported.contains(node.index()) ? 0 : 1));
    }
}

std::int64_t Slicer::whole_load(std::int64_t micro_batch) {
    std::int64_t load = 0;
    for (std::size_t c = 0; c < problem_.classes.size(); ++c)
        load += load_of(0, static_cast<std::uint32_t>(order_.size()), ClassId(c), 0, 1, micro_batch);
    return load;
}

void Slicer::find_crossing() {
    // What a cut before place i must carry, there and back: tensors made before and read at or after it.
    const cost::StageProblem& structure = problem_.structure;
    std::vector<std::uint32_t> place(order_.size());
    for (std::uint32_t i = 0; i < order_.size(); ++i) place[order_[i].index()] = i;
    crossing_.assign(order_.size() + 1, 0);
    for (std::size_t e = 0; e < structure.edge_count(); ++e) {
        const NodeId producer = structure.producer[e];
        if (!producer.valid()) continue;
        std::uint32_t last = place[producer.index()];
        for (const NodeId reader : structure.consumers[e]) last = std::max(last, place[reader.index()]);
        const std::int64_t bytes = problem_.activation[e].count + problem_.gradient[e].count;
        crossing_[place[producer.index()] + 1] += bytes;
        crossing_[last + 1 > order_.size() ? order_.size() : last + 1] -= bytes;
    }
    for (std::size_t i = 1; i < crossing_.size(); ++i) crossing_[i] += crossing_[i - 1];
}

const Slicer::Prefix& Slicer::prefix(ClassId device, std::int64_t samples) {
    const auto [place, fresh] = prefixes_.try_emplace({device.index(), samples});
    if (fresh) {
        const auto times = cost::pass_times(problem_, device, samples);
        place->second.push_back(0);
        for (const NodeId node : order_) place->second.push_back(place->second.back() + times[node.index()].total().count());
    }
    return place->second;
}

std::int64_t Slicer::load_of(std::uint32_t begin, std::uint32_t end, ClassId device, std::int64_t first, std::int64_t count,
                             std::int64_t micro_batch) {
    const Prefix& passes = prefix(device, (micro_batch + count - 1) / count);
    std::int64_t load = (passes[end] - passes[begin]) * (problem_.options.mini_batch / micro_batch);
    if (count > 1) load += cost::all_reduce_time(problem_, first, count, {parameters_[end] - parameters_[begin]}).count();
    const ByteRate rate = problem_.classes[device.index()].memory_rate;
    if (rate.bytes_per_second > 0) load += time_for({2 * (state_[end] - state_[begin])}, rate).value_or(kLargestTotal).count();
    return load;
}

std::uint32_t Slicer::reach(std::uint32_t begin, ClassId device, std::int64_t first, std::int64_t count, std::int64_t micro_batch,
                            std::int64_t load) {
    const cost::TrainingDevice& holder = problem_.classes[device.index()];
    auto low = begin, high = static_cast<std::uint32_t>(order_.size());
    while (low < high) {
        const std::uint32_t middle = low + (high - low + 1) / 2;
        const bool runs = unsupported_[device.index()][middle] == unsupported_[device.index()][begin];
        const bool fits = !holder.limited || state_[middle] - state_[begin] <= holder.memory.count;
        if (runs && fits && load_of(begin, middle, device, first, count, micro_batch) <= load)
            low = middle;
        else
            high = middle - 1;
    }
    return std::max(begin, carried(first + count, count, load)[low]);
}

const std::vector<std::uint32_t>& Slicer::carried(std::int64_t end, std::int64_t count, std::int64_t load) {
    // Every replica has a link of its own inside a node, every node one to the others.
    const std::int64_t node = problem_.interconnect.devices_per_node;
    const bool between = node > 0 && end % node == 0;
    const std::int64_t links = between ? std::max<std::int64_t>(1, count / node) : count;
    if (load != carried_load_) carried_.clear();
    carried_load_ = load;
    const auto [place, fresh] = carried_.try_emplace({between, links});
    if (fresh) {
        const ByteRate rate = (between ? problem_.interconnect.between : problem_.interconnect.inside).rate;
        const double most = static_cast<double>(load) * 1e-12 * static_cast<double>(rate.bytes_per_second) * static_cast<double>(links) /
                            static_cast<double>(problem_.options.mini_batch);
        place->second.assign(crossing_.size(), 0);
        for (std::uint32_t i = 1; i < crossing_.size(); ++i)
            place->second[i] = i + 1 == crossing_.size() || static_cast<double>(crossing_[i]) <= most ? i : place->second[i - 1];
    }
    return place->second;
}

bool Slicer::may_group(std::int64_t first, std::int64_t count) const {
    if (class_of(problem_, first) != class_of(problem_, first + count - 1)) return false;
    const std::int64_t node = problem_.interconnect.devices_per_node;
    if (node == 0) return true;
    return first % node + count <= node || (first % node == 0 && count % node == 0);
}

std::optional<Layout> Slicer::by_device(std::int64_t micro_batch) {
    struct Step {
        std::uint32_t reached = 0;
        std::int64_t count = 0;  // of the last group; 0: the device stays idle
    };
    const std::int64_t unit = std::min((devices_ + kMostUnits - 1) / kMostUnits, micro_batch);
    const std::int64_t used = std::min(devices_ / unit, kMostSlices) * unit;  // the rest idles
    std::vector<Step> steps;
    const auto n = static_cast<std::uint32_t>(order_.size());
    const auto fill = [&](std::int64_t load) {
        steps.assign(static_cast<std::size_t>(devices_) + 1, {});
        for (std::int64_t d = 0; d + unit <= used; d += unit) {
            const Step at = steps[static_cast<std::size_t>(d)];
            if (Step& next = steps[static_cast<std::size_t>(d + unit)]; next.reached < at.reached) next = {at.reached, 0};
            const ClassId device = class_of(problem_, d);
            for (std::int64_t count = unit; count <= std::min(micro_batch, used - d); count += grown(count, unit)) {
                if (!may_group(d, count)) continue;
                Step& next = steps[static_cast<std::size_t>(d + count)];
                const std::uint32_t reached = reach(at.reached, device, d, count, micro_batch, load);
                if (reached > next.reached) next = {reached, count};
            }
        }
        return steps[static_cast<std::size_t>(used)].reached == n;
    };
    std::int64_t high = whole_load(micro_batch), low = 0;
    for (int i = 0; i < 3 && !fill(high); ++i) high *= 4;
    if (!fill(high)) return std::nullopt;
    for (int probe = 0; probe < kProbes && high - low > high / 100'000; ++probe) {
        const std::int64_t middle = low + (high - low) / 2;
        (fill(middle) ? high : low) = middle;
    }
    fill(high);
    load_ = high;
    Layout layout{.order = &order_, .micro_batch = micro_batch};
    for (std::int64_t d = used; d > 0;) {
        const Step& step = steps[static_cast<std::size_t>(d)];
        if (step.count == 0) {
            d -= unit;
            continue;
        }
        layout.groups.push_back({d - step.count, step.count});
        layout.cuts.push_back(step.reached);
        d -= step.count;
    }
    std::ranges::reverse(layout.groups);
    std::ranges::reverse(layout.cuts);
    for (std::uint32_t g = 0; g < layout.groups.size(); ++g) layout.group_of.push_back(g);
    return layout;
}

std::optional<Layout> Slicer::in_turn(std::int64_t micro_batch, std::int64_t replicas, std::int64_t slices, bool there_and_back) {
    if (replicas > micro_batch || devices_ < replicas) return std::nullopt;
    Layout layout{.order = &order_, .micro_batch = micro_batch};
    for (std::int64_t d = 0; d + replicas <= devices_ && std::ssize(layout.groups) < kMostSlices / slices; d += replicas) {
        if (!may_group(d, replicas)) return std::nullopt;
        layout.groups.push_back({d, replicas});
    }
    const auto count = static_cast<std::int64_t>(layout.groups.size());
    // Half of the devices idle only where a micro-batch has no samples for more.
    if (2 * count * replicas < devices_ && 2 * replicas <= std::min(devices_, micro_batch)) return std::nullopt;
    const auto n = static_cast<std::uint32_t>(order_.size());
    if (count * slices > n) return std::nullopt;
    for (std::int64_t s = 0; s < count * slices; ++s) {
        const std::int64_t round = s / count, place = s % count;
        layout.group_of.push_back(static_cast<std::uint32_t>(there_and_back && round % 2 == 1 ? count - 1 - place : place));
    }
    const auto fill = [&](std::int64_t load) {
        layout.cuts.clear();
        std::uint32_t at = 0;
        for (const std::uint32_t g : layout.group_of) {
            const DeviceSpan& group = layout.groups[g];
            at = reach(at, class_of(problem_, group.first), group.first, group.count, micro_batch, load);
            layout.cuts.push_back(at);
        }
        return at == n;
    };
    std::int64_t high = whole_load(micro_batch), low = 0;
    if (!fill(high)) return std::nullopt;
    for (int probe = 0; probe < kProbes && high - low > high / 100'000; ++probe) {
        const std::int64_t middle = low + (high - low) / 2;
        (fill(middle) ? high : low) = middle;
    }
    fill(high);
    load_ = high * slices;
    return layout;
}

Layout Slicer::in_pieces(const Layout& layout, std::int64_t pieces) const {
    Layout made{.order = layout.order, .groups = layout.groups, .micro_batch = layout.micro_batch, .whole = layout.whole};
    std::uint32_t begin = 0;
    for (std::size_t slice = 0; slice < layout.cuts.size(); ++slice) {
        const std::uint32_t end = layout.cuts[slice];
        const auto cut = [&](std::uint32_t place) {
            made.cuts.push_back(place);
            made.group_of.push_back(layout.group_of[slice]);
            begin = place;
        };
        const std::int64_t before = parameters_[begin], all = parameters_[end] - before;
        const std::int64_t wanted = layout.groups[layout.group_of[slice]].count > 1 && all > 0 ? pieces : 1;
        for (std::int64_t piece = 1; piece < wanted; ++piece) {
            const auto place =
                static_cast<std::uint32_t>(std::ranges::lower_bound(parameters_, before + all / wanted * piece) - parameters_.begin());
            if (place > begin && place < end) cut(place);
        }
        cut(end);
    }
    return made;
}

}  // namespace sluice::training
