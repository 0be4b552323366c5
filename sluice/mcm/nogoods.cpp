#include "sluice/mcm/nogoods.hpp"

#include <algorithm>
#include <cassert>

namespace sluice::mcm {

void Nogoods::add(std::span<const NodeId> members) {
    assert(members.size() >= 2);
    const auto number = static_cast<std::uint32_t>(nogoods_.size());
    const auto count = static_cast<std::uint32_t>(members.size());
    nogoods_.push_back({members_.size(), count, 0, {members.front(), members.back()}});
    members_.insert(members_.end(), members.begin(), members.end());
    watching_[members.front().index()].push_back(number);
    watching_[members.back().index()].push_back(number);
}

/// A member that is neither on the chip nor `other`, open or not; invalid: there is none. The search goes on where the last one ended.
NodeId Nogoods::elsewhere(Nogood& nogood, NodeId other, std::uint8_t chip, std::span<const std::uint8_t> chips) const {
    for (std::uint32_t left = nogood.count; left > 0; --left) {
        const NodeId member = members_[nogood.first + nogood.next];
        if (chips[member.index()] != chip && member != other) return member;
        if (++nogood.next == nogood.count) nogood.next = 0;
    }
    return {};
}

std::span<const Nogoods::Last> Nogoods::place(NodeId node, std::span<const std::uint8_t> chips) {
    last_.clear();
    auto& watching = watching_[node.index()];
    if (watching.empty()) return last_;
    const std::uint8_t chip = chips[node.index()];
    std::size_t kept = 0;
    for (const std::uint32_t number : watching) {
        Nogood& nogood = nogoods_[number];
        const std::size_t own = nogood.watched[0] == node ? 0 : 1;
        const NodeId other = nogood.watched[1 - own];
        if (chips[other.index()] == kOpen) {
            const NodeId member = elsewhere(nogood, other, chip, chips);
            if (member.valid() && chips[member.index()] == kOpen) {
                nogood.watched[own] = member;
                watching_[member.index()].push_back(number);
                continue;
            }
            if (!member.valid()) last_.push_back({number, other});
        }
        watching[kept++] = number;
    }
    watching.resize(kept);
    std::ranges::sort(last_, {}, &Last::nogood);
    return last_;
}

}  // namespace sluice::mcm
