#include "sluice/bound/check_groups.hpp"

#include <algorithm>
#include <map>
#include <queue>

namespace sluice::bound {

namespace {

using Index = CheckedGroups::Index;
using Wide = CheckedWide;

Wide time_of(Wide charge, Wide bytes, Wide rate) { return round_up(charge * bytes * kPicosecondsPerSecond, rate); }

}  // namespace

std::int64_t CheckedGroups::stream_time(std::int64_t bytes) const {
    return spills ? static_cast<std::int64_t>(time_of(charged_work, bytes, rate)) : 0;
}

std::int64_t CheckedGroups::value_of(const graph::NodeSet& downset) const {
    std::int64_t value = 0;
    downset.for_each([&](std::size_t g) {
        value += work[g];
        for (Index t : outputs[g])
            if (std::ranges::any_of(consumers[t], [&](Index reader) { return !downset.contains(reader); })) value -= transfer[t];
    });
    return value;
}

std::vector<std::uint32_t> lowest_first(const CheckedSerial& serial) {
    std::vector<std::size_t> waiting(serial.group_count());
    std::priority_queue<Index, std::vector<Index>, std::greater<>> ready;  // groups ascend by their first nodes
    for (Index g = 0; g < waiting.size(); ++g)
        if ((waiting[g] = serial.predecessors[g].size()) == 0) ready.push(g);
    std::vector<Index> order;
    while (!ready.empty()) {
        order.push_back(ready.top());
        ready.pop();
        for (Index next : serial.successors[order.back()])
            if (--waiting[next] == 0) ready.push(next);
    }
    return order;
}

Result<CheckedGroups> numbered(const CheckedSerial& serial, std::span<const std::uint32_t> order) {
    std::vector<Index> number(serial.group_count());
    for (std::size_t i = 0; i < order.size(); ++i) number[order[i]] = static_cast<Index>(i);
    const auto renumbered = [&](const std::vector<Index>& list) {
        std::vector<Index> row;
        for (Index g : list) row.push_back(number[g]);
        std::ranges::sort(row);
        return row;
    };
    CheckedGroups groups;
    for (Index g : order) {
        groups.work.push_back(serial.work[g]);
        groups.predecessors.push_row(renumbered(serial.predecessors[g]));
        groups.successors.push_row(renumbered(serial.successors[g]));
    }

    std::map<std::pair<Index, std::vector<Index>>, std::int64_t> tensors;
    for (const auto& tensor : serial.tensors) tensors[{number[tensor.producer], renumbered(tensor.consumers)}] += tensor.transfer;
    std::vector<std::vector<Index>> inputs(groups.size()), outputs(groups.size()), users(serial.weight_bytes.size()),
        weights(groups.size());
    for (const auto& [ends, transfer] : tensors) {
        const auto t = static_cast<Index>(groups.producer.size());
        groups.producer.push_back(ends.first);
        groups.consumers.push_row(ends.second);
        groups.transfer.push_back(transfer);
        outputs[ends.first].push_back(t);
        for (Index reader : ends.second) inputs[reader].push_back(t);
    }
    groups.inputs = Rows<Index>(inputs);
    groups.outputs = Rows<Index>(outputs);

    Wide parameters = 0;
    for (std::size_t g = 0; g < groups.size(); ++g)
        for (Index w : serial.weights[g]) users[w].push_back(number[g]);
    for (std::size_t w = 0; w < users.size(); ++w)
        if (!users[w].empty()) parameters += serial.weight_bytes[w];
    groups.spills = serial.floor && parameters > serial.floor->memory;
    if (groups.spills) {
        if (time_of(serial.charged_work, parameters, serial.floor->rate) > kAnyCost / 2)
            return fail(objection("the parameters are too large to check"));
        groups.charged_work = serial.charged_work;
        groups.memory = static_cast<std::int64_t>(serial.floor->memory);
        groups.rate = static_cast<std::int64_t>(serial.floor->rate);
        std::map<std::vector<Index>, std::int64_t> joined;
        for (std::size_t w = 0; w < users.size(); ++w) {
            std::ranges::sort(users[w]);
            if (!users[w].empty() && serial.weight_bytes[w] > 0) joined[users[w]] += serial.weight_bytes[w];
        }
        for (const auto& [of, bytes] : joined) {
            for (Index g : of) weights[g].push_back(static_cast<Index>(groups.weight_bytes.size()));
            groups.weight_bytes.push_back(bytes);
        }
    }
    groups.weights = Rows<Index>(weights);
    return groups;
}

}  // namespace sluice::bound
