#include "sluice/bound/registry.hpp"

#include <array>
#include <format>
#include <vector>

#include "sluice/bound/anchored_cut.hpp"
#include "sluice/bound/combinatorial.hpp"
#include "sluice/bound/mip.hpp"

namespace sluice::bound {

namespace {

constexpr std::array kBounds{
    Bound{"auto", "the better of combinatorial and cut", "design §5", prove_best},
    Bound{"combinatorial", "the largest operator; all work, and what fast memory cannot hold, shared by all devices",
          "Archer, Fahrbach, Liu, Prabhu, ICML 2024, simple bounds", prove_combinatorial},
    Bound{"mip", "the exact integer program and its relaxation, by HiGHS: small models only",
          "Archer, Fahrbach, Liu, Prabhu, ICML 2024, the exact mixed-integer program", prove_mip},
    Bound{"superblocks", "three superblocks, before, at and after each stage in turn, by HiGHS",
          "Archer, Fahrbach, Liu, Prabhu, ICML 2024, the three-superblock relaxation", prove_superblocks},
    Bound{"cut", "the cheapest stage around each operator, by minimum cuts", "anchored minimum cut, notes/inference 7.1", prove_cut},
};

}  // namespace

std::span<const Bound> bounds() { return kBounds; }

Result<const Bound*> find_bound(std::string_view name) {
    std::vector<std::string_view> names;
    for (const Bound& bound : kBounds) {
        if (bound.name == name) return &bound;
        names.push_back(bound.name);
    }
    Diagnostic diagnostic = usage_error(std::format("unknown bound '{}'", name));
    if (const auto near = nearest_match(name, names); !near.empty()) diagnostic.help = std::format("did you mean '{}'?", near);
    return fail(std::move(diagnostic));
}

}  // namespace sluice::bound
