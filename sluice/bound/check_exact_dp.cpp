#include "sluice/bound/check_exact_dp.hpp"

#include <algorithm>
#include <format>

#include "sluice/bound/check_stages.hpp"

namespace sluice::bound {

namespace {

using graph::NodeSet;
__extension__ typedef __int128 Wide;

constexpr std::size_t kMostBytes = std::size_t{1} << 32;  // of kept downsets

Diagnostic objection(std::string message) { return {DiagnosticKind::verification, std::move(message), {}, {}, {}}; }

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

}  // namespace

std::optional<Diagnostic> objection_to(const cost::StageProblem& problem, const ExactDpWitness& witness, std::int64_t devices,
                                       std::int64_t replicas, Duration value, const Limits& limits) {
    const std::span<const NodeId> order = witness.completion.empty() ? std::span<const NodeId>{} : witness.completion.front().order;
    if (!witness.completion.empty() && order.empty()) return objection("an order of the witness is empty");
    const auto groups = check_groups(problem, witness.scale, witness.work, witness.transfer, witness.merges, order);
    if (!groups) return groups.error();
    auto kept = decode(*groups, witness, devices);
    if (!kept) return kept.error();

    const Wide threshold = static_cast<Wide>(witness.scale) * (static_cast<Wide>(value.count()) - 1);
    Wide everything = 0;
    for (std::int64_t work : groups->work) everything += work;
    for (std::int64_t bytes : groups->weight_bytes) everything += groups->transfer_time(bytes);
    if (threshold >= everything) return objection("one stage of everything may cost no more than the bound");

    CheckedSearch search;
    search.groups = &*groups;
    search.threshold = static_cast<std::int64_t>(threshold);
    search.devices = devices;
    search.replicas = replicas;
    search.kept = *std::move(kept);
    if (auto why = objection_to(search, limits)) return objection(*std::move(why));
    return std::nullopt;
}

}  // namespace sluice::bound
