#include "sluice/bound/mip.hpp"

#include <algorithm>
#include <cmath>
#include <format>
#include <numeric>

#include "sluice/bound/block_program.hpp"
#include "sluice/bound/check_lp.hpp"
#include "sluice/bound/combinatorial.hpp"
#include "sluice/search/poll.hpp"
#include "sluice/search/slice.hpp"

namespace sluice::bound {

namespace {

using cost::StageProblem;

constexpr double kShareOfRelaxations = 0.5;  // of the time
constexpr double kShareOfSearches = 0.96;    // HiGHS looks at its clock now and then only
constexpr double kRoomForSearch = 2;         // a tree search starts when so many relaxations fit: its presolve cannot be stopped
constexpr double kFirstSearchSeconds = 1;    // of one tree search, doubled each round
constexpr std::int64_t kFirstSearchNodes = 64;
constexpr std::int64_t kBisectionSteps = 1 << 12;  // the bisection ends at such a share of the bottleneck, or at 1 ps
constexpr double kTolerance = 2e-6;                // of a claim: HiGHS keeps its rows to 1e-6 of their size

using Blocks = std::vector<std::int64_t>;

/// The same limits with so much of the time that is left.
Limits share_of(Limits limits, double share) {
    if (!limits.deadline) return limits;
    const auto left = std::chrono::duration<double>(*limits.deadline - Limits::Clock::now()) * share;
    limits.deadline = Limits::Clock::now() + std::chrono::duration_cast<Limits::Clock::duration>(left);
    return limits;
}

class ProgramBound {
public:
    ProgramBound(const StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits)
        : problem_(problem),
          options_(options),
          observer_(observer),
          limits_(share_of(limits, kShareOfSearches)),
          relaxation_(relax(problem, options.stages, options.max_replicas)) {}

    Result<BoundResult> run(const std::vector<Blocks>& programs);
    [[nodiscard]] const Relaxation& relaxation() const { return relaxation_; }
    /// More stages than nodes are of no use.
    [[nodiscard]] std::int64_t stages() const {
        return std::min<std::int64_t>(relaxation_.devices, static_cast<std::int64_t>(problem_.node_count()));
    }

private:
    [[nodiscard]] double seconds() const { return std::chrono::duration<double>(Limits::Clock::now() - began_).count(); }
    [[nodiscard]] bool ended(const Limits& limits);
    [[nodiscard]] std::optional<std::int64_t> evaluations_left() const;
    /// No bottleneck above this is of interest: one that is reached, or the sum of everything.
    [[nodiscard]] std::int64_t reached() const;
    void slice_once();
    [[nodiscard]] std::int64_t whole(std::int64_t threshold) const { return threshold * relaxation_.replicas; }

    void prove_relaxations(BlockProgram& program, const Limits& limits);
    bool test(BlockProgram& program, std::int64_t threshold, const Limits& limits);
    bool claim(BlockProgram& program, std::optional<double> seconds, std::optional<std::int64_t> nodes);
    void keep(LinearProgramWitness witness, Duration value);

    const StageProblem& problem_;
    const BoundOptions& options_;
    Observer& observer_;
    const Limits limits_;
    Relaxation relaxation_;
    const Limits::Clock::time_point began_ = Limits::Clock::now();
    BoundResult result_;
    std::int64_t proven_ = 0;   // result_.certificate.value
    std::int64_t reached_ = 0;  // by a partition of our own, or the sum of everything
    std::int64_t evaluations_ = 0;
    double longest_ = 0;  // seconds of a relaxation
    StopReason reason_ = StopReason::finished;
};

bool ProgramBound::ended(const Limits& limits) {
    if (proven_ >= reached())
        reason_ = StopReason::optimal;
    else if (limits_.interrupted())
        reason_ = StopReason::interrupted;
    else if (limits_.evaluations && evaluations_ >= *limits_.evaluations)
        reason_ = StopReason::evaluations;
    else if (limits_.out_of_time())
        reason_ = StopReason::time;
    else
        return limits.out_of_time();
    return true;
}

std::optional<std::int64_t> ProgramBound::evaluations_left() const {
    if (!limits_.evaluations) return std::nullopt;
    return std::max<std::int64_t>(0, *limits_.evaluations - evaluations_);
}

std::int64_t ProgramBound::reached() const {
    std::int64_t best = reached_;
    if (options_.enough) best = std::min(best, options_.enough->count());
    if (options_.other_side)
        if (const auto theirs = options_.other_side->best()) best = std::min(best, theirs->count());
    return best;
}

void ProgramBound::slice_once() {
    Wide all = std::reduce(relaxation_.work.begin(), relaxation_.work.end(), Wide{0});
    for (const auto& device : problem_.classes) {
        Bytes parameters;
        for (Bytes bytes : problem_.weight_bytes) parameters += bytes;
        all += cost::spill_time(device, parameters).count();
    }
    for (Duration transfer : problem_.transfer) all += 2 * transfer.count();
    reached_ = static_cast<std::int64_t>(std::min<Wide>(all, kLargestTotal.count() / relaxation_.replicas));
    if (!search::sliceable(problem_, options_.stages)) return;
    std::vector<NodeId> order;
    for (std::size_t v = 0; v < problem_.node_count(); ++v) order.emplace_back(v);
    const Limits stop{.deadline = limits_.deadline, .evaluations = {}, .stop = limits_.stop};
    if (const auto partition = search::Slicer(problem_).slice(order, {.stages = options_.stages, .limits = &stop}))
        reached_ = std::min(reached_, cost::price(problem_, *partition).bottleneck.count());
}

void ProgramBound::keep(LinearProgramWitness witness, Duration value) {
    if (value.count() <= proven_) return;
    proven_ = value.count();
    result_.certificate.value = value;
    result_.certificate.witness = std::move(witness);
    observer_.on_event({seconds(), "relaxation", std::nullopt, value, "exact-lp"});
}

/// Does the relaxation refute all bottlenecks up to the threshold? Keeps what it proves in any case.
bool ProgramBound::test(BlockProgram& program, std::int64_t threshold, const Limits& limits) {
    ++evaluations_;
    std::vector<double> duals;
    if (program.fix(Duration{whole(threshold)})) {
        const double unit = static_cast<double>(std::max<std::int64_t>(1, whole(threshold)));
        const double began = seconds();
        duals = solve_with_highs(program.without_cutoff(), {.unit = unit, .relaxed = true, .nodes = {}}, limits).duals;
        longest_ = std::max(longest_, seconds() - began);
    }
    LinearProgramWitness witness = program.witness(duals);
    const auto proven = proven_by(problem_, relaxation_.devices, relaxation_.replicas, witness);
    if (!proven) return false;
    keep(std::move(witness), *proven);
    return proven->count() > threshold;
}

void ProgramBound::prove_relaxations(BlockProgram& program, const Limits& limits) {
    // A lower threshold fixes more and proves more, up to itself: where not even the least one of use is refuted, none is.
    if (ended(limits) || !test(program, proven_, limits)) return;
    std::int64_t beyond = reached();  // not refuted, as far as we know
    for (bool first = true; !ended(limits); first = false) {
        beyond = std::min(beyond, reached());
        if (beyond - proven_ <= beyond / kBisectionSteps) return;
        const std::int64_t middle = first ? beyond - 1 : std::midpoint(proven_, beyond - 1);
        if (!test(program, middle, limits)) beyond = middle;
    }
}

/// A tree search for something below what is reached. True when it ended by itself: it has nothing more to say.
bool ProgramBound::claim(BlockProgram& program, std::optional<double> seconds, std::optional<std::int64_t> nodes) {
    const std::int64_t threshold = reached() - 1;
    if (threshold < 0) return true;
    std::int64_t claimed = threshold + 1;
    std::int64_t visited = 1;
    bool done = true;
    if (program.fix(Duration{whole(threshold)})) {
        const double unit = static_cast<double>(std::max<std::int64_t>(1, whole(threshold)));
        const LinearResult found = solve_with_highs(program.with_cutoff(), {.unit = unit, .nodes = nodes, .seconds = seconds}, limits_);
        visited = std::max<std::int64_t>(1, found.nodes);
        done = found.status != LinearStatus::stopped;
        if (found.status == LinearStatus::failed) claimed = 0;
        if (found.status == LinearStatus::optimal || found.status == LinearStatus::stopped) {
            const double value = (found.bound - kTolerance * unit) / static_cast<double>(relaxation_.replicas);
            claimed = value > 0 ? std::min(claimed, static_cast<std::int64_t>(std::ceil(value))) : 0;
        }
    }
    evaluations_ += visited;
    const std::int64_t known = result_.claim ? result_.claim->value.count() : proven_;
    if (claimed <= known) return done;
    Certificate certificate = result_.certificate;
    certificate.value = Duration{claimed};
    certificate.witness = SolverClaimWitness{
        .solver = highs_version(), .blocks = Blocks(program.blocks().begin(), program.blocks().end()), .threshold = Duration{threshold}};
    result_.claim = std::move(certificate);
    return done;
}

Result<BoundResult> ProgramBound::run(const std::vector<Blocks>& programs) {
    auto simple = prove_combinatorial(problem_, options_, observer_, limits_);
    if (!simple) return simple;
    result_ = *std::move(simple);
    proven_ = result_.certificate.value.count();
    slice_once();

    const Limits relaxing = share_of(limits_, kShareOfRelaxations);
    const auto program_of = [&](const Blocks& blocks) { return BlockProgram(problem_, relaxation_, blocks, Duration{whole(reached())}); };
    for (const Blocks& blocks : programs) {
        if (ended(relaxing)) break;
        BlockProgram program = program_of(blocks);
        prove_relaxations(program, relaxing);
    }

    std::vector<Blocks> open = programs;
    double length = kFirstSearchSeconds;
    for (std::int64_t nodes = kFirstSearchNodes; !open.empty(); nodes *= 2, length *= 2)
        std::erase_if(open, [&](const Blocks& blocks) {
            if (ended(limits_)) return true;
            if (limits_.deadline && *limits_.deadline - Limits::Clock::now() < std::chrono::duration<double>(kRoomForSearch * longest_)) {
                reason_ = StopReason::time;
                return true;
            }
            BlockProgram program = program_of(blocks);
            const bool only = programs.size() == 1;
            if (!limits_.evaluations) return claim(program, only ? std::nullopt : std::optional(length), std::nullopt);
            return claim(program, std::nullopt, only ? *evaluations_left() : std::min(nodes, *evaluations_left()));
        });
    (void)ended(limits_);
    result_.termination = {reason_, seconds(), evaluations_};
    return std::move(result_);
}

Result<void> refuse(const StageProblem& problem, const ProgramBound& bound, std::size_t blocks, std::string_view what,
                    std::string_view instead) {
    if (problem.node_count() == 0) return fail(input_error("nothing to bound: the model has no operators"));
    if (bound.relaxation().devices < 1) return fail(input_error("no devices: every device class has a count of 0"));
    const std::uint64_t pairs = std::uint64_t{problem.node_count()} * blocks;
    if (pairs <= kLargestProgram) return {};
    return fail(input_error(std::format("{} of {} operators and {} blocks has {} pairs of these and {} rows; at most {} pairs are solved",
                                        what, problem.node_count(), blocks, pairs, block_program_rows(problem, blocks), kLargestProgram))
                    .fix(std::string(instead)));
}

}  // namespace

Result<BoundResult> prove_mip(const StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits) {
    ProgramBound bound(problem, options, observer, limits);
    const auto stages = static_cast<std::size_t>(std::max<std::int64_t>(bound.stages(), 0));
    if (auto sound = refuse(problem, bound, stages, "the exact program",
                            "use --method superblocks, whose size does not grow with the stages, or cut");
        !sound)
        return fail(std::move(sound.error()));
    return bound.run({Blocks(stages, 1)});
}

Result<BoundResult> prove_superblocks(const StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits) {
    ProgramBound bound(problem, options, observer, limits);
    if (auto sound = refuse(problem, bound, 3, "the relaxation", "use --method cut"); !sound) return fail(std::move(sound.error()));
    const std::int64_t stages = bound.stages();
    std::vector<Blocks> programs;
    for (std::int64_t b = 1; b <= stages; ++b) {
        Blocks blocks{b - 1, 1, stages - b};
        std::erase(blocks, 0);
        programs.push_back(std::move(blocks));
    }
    // Both borders bind in the middle: the strongest first.
    std::ranges::stable_sort(programs, {}, [](const Blocks& blocks) { return std::abs(blocks.front() - blocks.back()); });
    return bound.run(programs);
}

}  // namespace sluice::bound
