#include "sluice/bound/certificate_exact_dp.hpp"

#include "sluice/base/base64.hpp"
#include "sluice/bound/certificate_fields.hpp"

namespace sluice::bound {

namespace {

using json::Node;
using nlohmann::ordered_json;
using namespace fields;
using Changes = ExactDpWitness::Changes;

void append_number(std::vector<std::uint8_t>& bytes, std::uint64_t number) {
    for (; number >= 128; number >>= 7) bytes.push_back(static_cast<std::uint8_t>(number | 128));
    bytes.push_back(static_cast<std::uint8_t>(number));
}

/// The next number of at most 35 bits, in its shortest form; nullopt: there is none.
std::optional<std::uint64_t> take_number(std::span<const std::uint8_t>& bytes) {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < 5 && i < bytes.size(); ++i) {
        number |= std::uint64_t{bytes[i] & 127U} << (7 * i);
        if (bytes[i] >= 128) continue;
        if (i > 0 && bytes[i] == 0) return std::nullopt;
        bytes = bytes.subspan(i + 1);
        return number;
    }
    return std::nullopt;
}

/// For each downset how many changes, then the first and the distance from each to the next.
std::string level_text(const std::vector<Changes>& level) {
    std::vector<std::uint8_t> bytes;
    for (const Changes& changes : level) {
        append_number(bytes, changes.size());
        std::uint32_t before = 0;
        for (std::uint32_t change : changes) {
            append_number(bytes, change - before);
            before = change;
        }
    }
    return to_base64(bytes);
}

Result<std::vector<Changes>> read_level(const Node& node) {
    const auto text = node.as_string();
    if (!text) return fail(text.error());
    const auto bytes = from_base64(*text);
    if (!bytes) return wrong(node, "the kept downsets of a level are not in base64");
    std::span<const std::uint8_t> rest(*bytes);
    std::vector<Changes> level;
    while (!rest.empty()) {
        const auto broken = [&](std::string_view why) {
            return wrong(node, std::format("kept downset {} of a level {}", level.size(), why));
        };
        const auto count = take_number(rest);
        if (!count) return broken("does not say how many changes it has");
        if (*count == 0) return broken("is the one before it");
        if (*count > rest.size()) return broken("has more changes than there are bytes");
        Changes changes;
        changes.reserve(*count);
        for (std::uint64_t i = 0, at = 0; i < *count; ++i) {
            const auto step = take_number(rest);
            if (!step) return broken("ends in the middle of a number");
            at += *step;
            if ((i > 0 && *step == 0) || at > static_cast<std::uint64_t>(kLargestIndex)) return broken("has changes out of order");
            changes.push_back(static_cast<std::uint32_t>(at));
        }
        level.push_back(std::move(changes));
    }
    return level;
}

Result<ExactDpWitness::Table> read_table(const Node& node) {
    if (auto known = node.expect_keys({"order", "theta_halves", "mirrored"}); !known) return fail(known.error());
    ExactDpWitness::Table table;
    auto order = read_nodes(node, "order");
    if (!order) return fail(order.error());
    table.order = *std::move(order);
    const auto theta = read_integer(node, "theta_halves", 0, 2);
    if (!theta) return fail(theta.error());
    table.theta_halves = *theta;
    const auto mirrored = read_bool(node, "mirrored");
    if (!mirrored) return fail(mirrored.error());
    table.mirrored = *mirrored;
    return table;
}

}  // namespace

ordered_json to_json(const ExactDpWitness& witness) {
    ordered_json completion = ordered_json::array(), kept = ordered_json::array();
    for (const auto& table : witness.completion) {
        ordered_json order = ordered_json::array();
        for (NodeId node : table.order) order.push_back(node.index());
        completion.push_back({{"order", std::move(order)}, {"theta_halves", table.theta_halves}, {"mirrored", table.mirrored}});
    }
    for (const auto& level : witness.kept) kept.push_back(level_text(level));
    ordered_json object = {{"type", kExactDp}};
    add_terms(object, witness.serial);
    object["completion"] = std::move(completion);
    object["counting"] = witness.counting;
    object["kept"] = std::move(kept);
    return object;
}

Result<ExactDpWitness> read_exact_dp(const Node& node) {
    if (auto known = node.expect_keys({"type", "scale", "work", "transfer", "merges", "completion", "counting", "kept"}); !known)
        return fail(known.error());
    ExactDpWitness witness;
    auto terms = read_terms(node);
    if (!terms) return fail(terms.error());
    witness.serial = *std::move(terms);
    const auto completion = read_array(node, "completion");
    if (!completion) return fail(completion.error());
    for (const Node& entry : **completion) {
        auto table = read_table(entry);
        if (!table) return fail(table.error());
        witness.completion.push_back(*std::move(table));
    }
    const auto counting = read_bool(node, "counting");
    if (!counting) return fail(counting.error());
    witness.counting = *counting;
    const auto kept = read_array(node, "kept");
    if (!kept) return fail(kept.error());
    for (const Node& entry : **kept) {
        auto level = read_level(entry);
        if (!level) return fail(level.error());
        witness.kept.push_back(*std::move(level));
    }
    return witness;
}

}  // namespace sluice::bound
