#include "sluice/bound/registry.hpp"

#include <array>

#include "sluice/base/find_named.hpp"
#include "sluice/bound/anchored_cut.hpp"
#include "sluice/bound/best.hpp"
#include "sluice/bound/combinatorial.hpp"
#include "sluice/bound/counting.hpp"
#include "sluice/bound/covering.hpp"
#include "sluice/bound/downset_bound.hpp"
#include "sluice/bound/mip.hpp"
#include "sluice/bound/relaxation.hpp"
#include "sluice/bound/waypoints.hpp"

namespace sluice::bound {

namespace {

constexpr std::array kBounds{
    Bound{"auto", "the best of all: combinatorial, waypoints, cut, chain, counting, covering, exact-dp, each only for what it adds",
          "design §5", prove_best},
    Bound{"combinatorial", "the largest operator; all work, and what fast memory cannot hold, shared by all devices",
          "Archer, Fahrbach, Liu, Prabhu, ICML 2024, simple bounds", prove_combinatorial},
    Bound{"waypoints", "operators on one way, and the stages that the work and the hard memory of all between them take",
          "heads and tails of machine scheduling; docs/explanation/bounds.md", prove_waypoints},
    Bound{"cut", "the cheapest stage around each operator, by minimum cuts", "anchored minimum cut, notes/inference 7.1", prove_cut},
    Bound{"chain", "minimum cuts between stages, chained over all of them", "chain of cuts, notes/bounds 2.2", prove_chain},
    Bound{"counting", "shares of stages that operators take, beside the transfers around them", "anchored counting, notes/bounds 2.3",
          prove_counting},
    Bound{"covering", "weights of operators that no stage holds more than its devices' share of, by column generation",
          "docs/explanation/bounds.md", prove_covering},
    Bound{"exact-dp", "complete search over what the first stages can be, by bisection on the bottleneck", "docs/explanation/bounds.md",
          prove_exact_dp},
    Bound{"mip", "the exact integer program and its relaxation, by HiGHS: small models only",
          "Archer, Fahrbach, Liu, Prabhu, ICML 2024, the exact mixed-integer program", prove_mip},
    Bound{"superblocks", "three superblocks, before, at and after each stage in turn, by HiGHS",
          "Archer, Fahrbach, Liu, Prabhu, ICML 2024, the three-superblock relaxation", prove_superblocks},
};

}  // namespace

Result<void> refuse_empty(const cost::StageProblem& problem, const BoundOptions& options) {
    if (problem.node_count() == 0) return fail(input_error("nothing to bound: the model has no operators"));
    if (relax(problem, options.stages, options.max_replicas).devices < 1)
        return fail(input_error("no devices: every device class has a count of 0"));
    return {};
}

std::span<const Bound> bounds() { return kBounds; }

Result<const Bound*> find_bound(std::string_view name) { return find_named(bounds(), name, "bound"); }

}  // namespace sluice::bound
