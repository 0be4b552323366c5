// Private to this layer. A few consecutive chips solved again while all others stay: the operators of the window, in some order, sliced
// so that the p-norm of the chips' times is least.
// A slice's time is that of the planners' cost with each operator's work multiplied by what the judge says its chip needs over what was
// planned, so that a machine that disagrees is heard. Under the triangle or adjacent only slices are made whose tensors go to the next
// chip; what lies outside the window may still forbid the result: whoever asks repairs it. O(m^2 (degree + chips)) for m operators.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sluice/base/random.hpp"
#include "sluice/mcm/chip_problem.hpp"

namespace sluice::mcm {

struct Window {
    std::size_t first = 0, count = 1;  // chips
    std::size_t most = 1;              // chips that its operators may take; those behind move along
};

class WindowSolver {
public:
    explicit WindowSolver(const ChipProblem& problem);

    /// The whole assignment with the window solved anew; empty when it cannot be sliced. `chips`: edges go forward. `factor`: of work, per
    /// chip, empty: none. `spread`: how far an operator may move in the window's order, of its length.
    [[nodiscard]] Assignment solve(const ChipProblem& problem, std::span<const std::uint8_t> chips, const Window& window,
                                   std::span<const double> factor, double spread, RandomStream& random);

private:
    void make_order(std::span<const std::uint8_t> chips, const Window& window, double spread, RandomStream& random);
    void measure_borders();
    void forbid_nogoods(const ChipProblem& problem);
    /// Of slice [i, j) for all j.
    template <typename F>
    void slices_from(std::size_t i, std::span<const std::uint8_t> chips, std::span<const double> factor, F&& slice);

    static constexpr std::uint32_t kBefore = ~std::uint32_t{0};
    const cost::StageProblem& costs_;
    enum class Form { relay, adjacent, free } form_;
    std::int64_t most_parameters_;
    std::vector<NodeId> order_;
    std::vector<std::uint32_t> position_;     // per node: in the order; kBefore, or the order's length behind it
    std::vector<std::uint32_t> last_reader_;  // per edge
    std::vector<std::int64_t> alive_;         // per border
    std::vector<std::uint32_t> needed_until_, least_start_;
    std::vector<std::uint32_t> edge_stamp_, weight_stamp_;
    std::uint32_t stamp_ = 0;
    std::vector<std::uint32_t> waiting_;
};

}  // namespace sluice::mcm
