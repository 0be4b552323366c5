#include "sluice/bound/check_exact_dp.hpp"

#include <algorithm>
#include <format>
#include <functional>
#include <limits>

#include "sluice/bound/check_chain.hpp"
#include "sluice/bound/check_stages.hpp"

namespace sluice::bound {

namespace {

using graph::NodeSet;
using Wide = CheckedWide;

constexpr std::size_t kMostBytes = std::size_t{1} << 32;  // of kept downsets

[[nodiscard]] bool is_downset(const CheckedGroups& groups, const NodeSet& set) {
    bool closed = true;
    set.for_each([&](std::size_t g) {
        closed = closed && std::ranges::all_of(groups.predecessors[g], [&](std::uint32_t before) { return set.contains(before); });
    });
    return closed;
}

/// The empty set and what the witness kept, largest value first.
Result<std::vector<CheckedDownset>> decode(const CheckedGroups& groups, const ExactDpWitness& witness, std::int64_t devices) {
    if (witness.kept.size() > static_cast<std::size_t>(devices - 1))
        return fail(objection(std::format("the witness has {} levels, {} devices have {}", witness.kept.size(), devices, devices - 1)));
    std::vector<CheckedDownset> kept{{NodeSet(groups.size()), 0, 0}};
    std::size_t bytes = 0;
    for (std::size_t level = 0; level < witness.kept.size(); ++level) {
        std::vector<char> flips(groups.size(), 0);  // 1: membership changes here
        for (const ExactDpWitness::Changes& changes : witness.kept[level]) {
            bytes += sizeof(CheckedDownset) + groups.size() / 8;
            if (bytes > kMostBytes) return fail(objection("the witness has more downsets than can be checked"));
            for (std::uint32_t at : changes) {
                if (at >= groups.size())
                    return fail(objection(std::format("a kept downset changes at group {}, there are {}", at, groups.size())));
                flips[at] ^= 1;
            }
            CheckedDownset downset{NodeSet(groups.size()), static_cast<std::int64_t>(level) + 1, 0};
            std::size_t size = 0;
            char inside = 0;
            for (std::size_t g = 0; g < groups.size(); ++g)
                if ((inside ^= flips[g]) != 0) downset.set.insert(g), ++size;
            if (size == groups.size()) return fail(objection("a kept downset holds everything: there is nothing left to refute"));
            if (!is_downset(groups, downset.set)) return fail(objection("a kept set lacks a predecessor of one of its groups"));
            downset.value = groups.value_of(downset.set);
            kept.push_back(std::move(downset));
        }
    }
    std::ranges::stable_sort(kept, std::ranges::greater{}, &CheckedDownset::value);
    return kept;
}

/// The needs of a table, for groups numbered along `numbers`.
Result<CheckedTable> table_of(const CheckedSerial& serial, std::span<const std::uint32_t> numbers, const ExactDpWitness::Table& table,
                              Duration value, const Limits& until) {
    const auto order = check_order(serial, table.order);
    if (!order) return fail(order.error());
    const auto charge = check_charge(serial, table.theta_halves);
    if (!charge) return fail(charge.error());
    const auto needs = completion_needs(serial, *charge, *order, table.mirrored, stage_limits(serial, *charge, value), until);
    if (!needs) return fail(needs.error());

    std::vector<std::uint32_t> number(numbers.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) number[numbers[i]] = static_cast<std::uint32_t>(i);
    CheckedTable checked;
    checked.mirrored = table.mirrored;
    checked.factor = charge->factor;
    checked.allowance = charge->allowance;
    checked.position.resize(numbers.size());
    for (std::size_t p = 0; p < order->size(); ++p) {
        checked.order.push_back(number[(*order)[p]]);
        checked.position[checked.order.back()] = static_cast<std::uint32_t>(p);
    }
    for (std::uint32_t g : numbers) {
        checked.everything += charge->work[g];
        if (table.theta_halves > 0) checked.share.push_back(charge->work[g] - charge->factor * serial.work[g]);
    }
    checked.width = needs->size();
    const std::size_t rows = static_cast<std::size_t>(serial.devices) + 1;
    checked.need.resize(rows * checked.width);
    constexpr Wide kMost = std::numeric_limits<std::int64_t>::max();
    for (std::size_t type = 0; type < needs->size(); ++type)
        for (std::size_t left = 0; left < rows; ++left)
            checked.need[left * checked.width + type] = static_cast<std::int64_t>(std::clamp((*needs)[type][left], -kMost, kMost));
    checked.settle();
    return checked;
}

}  // namespace

Result<void> check_exact_dp(const Claim& claim, const ExactDpWitness& witness) {
    const Duration value = claim.value;
    const auto serial = check_serial(claim, witness.serial);
    if (!serial) return fail(serial.error());
    auto order = witness.completion.empty() ? lowest_first(*serial) : check_order(*serial, witness.completion.front().order);
    if (!order) return fail(order.error());
    const auto groups = numbered(*serial, *order);
    if (!groups) return fail(groups.error());
    auto kept = decode(*groups, witness, serial->devices);
    if (!kept) return fail(kept.error());
    if (value <= Duration{0}) return {};

    const Wide threshold = static_cast<Wide>(serial->scale) * (value.count() - 1);
    Wide everything = groups->stream_time(std::ranges::fold_left(groups->weight_bytes, std::int64_t{0}, std::plus{}));
    for (std::int64_t work : groups->work) everything += work;
    if (threshold >= everything) return fail(objection("one stage of everything may cost less than the bound"));

    CheckedSearch search;
    search.groups = &*groups;
    search.threshold = static_cast<std::int64_t>(threshold);
    search.devices = serial->devices;
    search.replicas = serial->replicas;
    search.kept = *std::move(kept);
    for (const auto& table : witness.completion) {
        auto checked = table_of(*serial, *order, table, value, claim.limits);
        if (!checked) return fail(checked.error());
        search.tables.push_back(*std::move(checked));
    }
    if (witness.counting) {
        const auto charge = check_charge(*serial, 0);
        if (!charge) return fail(charge.error());
        const auto weights = counting_weights(*serial, *charge, stage_limits(*serial, *charge, value), claim.limits);
        if (!weights) return fail(weights.error());
        if (!*weights) return {};  // some group fits no stage
        for (std::uint32_t g : *order) search.counting.push_back((**weights)[g]);
    }
    if (auto why = objection_to(search, claim.limits)) return fail(objection(*std::move(why)));
    return {};
}

}  // namespace sluice::bound
