#include "sluice/bound/certificate_linear.hpp"

#include <nlohmann/json.hpp>

#include "sluice/bound/certificate_fields.hpp"

namespace sluice::bound {

namespace {

using json::Node;
using nlohmann::ordered_json;
using namespace fields;

/// `blocks` and `threshold_ps`.
template <typename Witness>
Result<void> read_program(const Node& node, Witness& witness) {
    const auto blocks = read_array(node, "blocks");
    if (!blocks) return fail(blocks.error());
    for (const Node& entry : **blocks) {
        const auto size = entry.as_int();
        if (!size) return fail(size.error());
        if (*size < 1 || *size > kLargestIndex)
            return wrong(entry, std::format("a block of {} stages, expected 1 to {}", *size, kLargestIndex));
        witness.blocks.push_back(*size);
    }
    if (witness.blocks.empty()) return wrong(node, "no blocks: at least 1 is needed");
    const auto threshold = read_integer(node, "threshold_ps", 0, kLargest);
    if (!threshold) return fail(threshold.error());
    witness.threshold = Duration{*threshold};
    return {};
}

}  // namespace

ordered_json to_json(const LinearProgramWitness& witness) {
    ordered_json rows = ordered_json::array(), multipliers = ordered_json::array();
    for (const auto& [row, multiplier] : witness.rows) {
        rows.push_back(row);
        multipliers.push_back(multiplier);
    }
    return {{"type", kLinearProgram}, {"blocks", witness.blocks}, {"threshold_ps", witness.threshold.count()},
            {"unit", witness.unit},   {"rows", std::move(rows)},  {"multipliers", std::move(multipliers)}};
}

ordered_json to_json(const SolverClaimWitness& witness) {
    return {{"type", kSolverClaim}, {"solver", witness.solver}, {"blocks", witness.blocks}, {"threshold_ps", witness.threshold.count()}};
}

Result<LinearProgramWitness> read_linear_program(const Node& node) {
    if (auto known = node.expect_keys({"type", "blocks", "threshold_ps", "unit", "rows", "multipliers"}); !known)
        return fail(known.error());
    LinearProgramWitness witness;
    if (auto program = read_program(node, witness); !program) return fail(program.error());
    const auto unit = read_integer(node, "unit", 1, kLargest);
    if (!unit) return fail(unit.error());
    witness.unit = *unit;
    const auto rows = read_array(node, "rows"), multipliers = read_array(node, "multipliers");
    if (!rows) return fail(rows.error());
    if (!multipliers) return fail(multipliers.error());
    if ((*rows)->size() != (*multipliers)->size())
        return wrong(node, std::format("{} rows and {} multipliers: each row needs its own", (*rows)->size(), (*multipliers)->size()));
    witness.rows.reserve((*rows)->size());
    std::int64_t before = -1;
    for (std::size_t i = 0; i < (*rows)->size(); ++i) {
        const auto row = (**rows)[i].as_int(), multiplier = (**multipliers)[i].as_int();
        if (!row) return fail(row.error());
        if (!multiplier) return fail(multiplier.error());
        if (*row <= before || *row > kLargestIndex)
            return wrong((**rows)[i],
                         std::format("row {} after row {}: rows are distinct, ascending and at most {}", *row, before, kLargestIndex));
        if (*multiplier < 1)
            return wrong((**multipliers)[i], std::format("the multiplier of row {} is {}, expected at least 1", *row, *multiplier));
        witness.rows.push_back({static_cast<std::uint32_t>(*row), *multiplier});
        before = *row;
    }
    return witness;
}

Result<SolverClaimWitness> read_solver_claim(const Node& node) {
    if (auto known = node.expect_keys({"type", "solver", "blocks", "threshold_ps"}); !known) return fail(known.error());
    SolverClaimWitness witness;
    if (auto program = read_program(node, witness); !program) return fail(program.error());
    auto solver = read_text(node, "solver");
    if (!solver) return fail(solver.error());
    witness.solver = *std::move(solver);
    return witness;
}

}  // namespace sluice::bound
