// Prices under which the cheapest options of all nodes cost more than there is, for one time that they refute: subgradient steps for
// paths, windows and device classes, then roundings of shares. Floating point; bound/check_training.hpp has the last word. Private to this
// layer.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "sluice/bound/training_options.hpp"
#include "sluice/bound/training_paths.hpp"

namespace sluice::bound {

/// The prices while they are looked for; those of paths per picosecond of C.
struct TrainingPrices {
    struct Class {
        double price = 1, work = 1, links = 0, memory = 0;
        std::array<std::int64_t, kDense> roundings{};
    };
    std::vector<Class> classes;
    std::vector<TrainingPath> paths;
};

class TrainingRefutation {
public:
    TrainingRefutation(const cost::TrainingProblem& problem, TrainingObjective objective, std::optional<std::int64_t> micro_batch);

    /// Whether prices were found, from `start` on, under which no plan takes `limit` of C or less.
    bool refute(double limit, const TrainingPrices& start);
    /// Of the last call that returned true.
    [[nodiscard]] const TrainingPrices& prices() const { return prices_; }
    [[nodiscard]] const NodeOptions& options() const { return options_; }
    [[nodiscard]] double devices() const { return paths_.devices(); }

private:
    struct Candidate {
        double devices = 0;
        const Option* option = nullptr;
    };
    /// What the paths' multipliers charge a node.
    struct Charges {
        double forward = 0, input = 0, weight = 0, end = 0;
        double repeated_forward = 0, repeated_input = 0, repeated_weight = 0;
        double all_forward = 0, all_backward = 0;
        [[nodiscard]] double of(const Option& o) const {
            return forward * o.forward + input * o.input + weight * o.weight + end * (o.reduce + o.step) +
                   o.times * (repeated_forward * o.forward + repeated_input * o.input + repeated_weight * o.weight) +
                   static_cast<double>(o.replicas) * (all_forward * o.times * o.forward + all_backward * o.behind());
        }
        friend bool operator==(const Charges&, const Charges&) = default;
    };

    static double rounded(double share, std::int64_t k);
    [[nodiscard]] double share_of(const Option& option) const;
    [[nodiscard]] double device_cost(const Option& option, double share, std::int64_t k) const;
    [[nodiscard]] std::int64_t rounding_of(const Option& option) const;
    /// Options within the limit that something can still speak for. False: a node has none.
    bool find_candidates();
    void charge_nodes();
    [[nodiscard]] double budget() const;
    /// What the cheapest options cost beyond what there is.
    double excess();
    /// Subgradient steps; true: more than `enough` in excess. Leaves the best prices met.
    bool raise_paths(double enough);
    void scale_candidates(std::size_t c, double factor);
    /// For each number of replicas in turn the rounding under which the cheapest options cost most.
    bool choose_roundings();

    const cost::TrainingProblem& problem_;
    const TrainingObjective objective_;
    const NodeOptions options_;
    const TrainingPaths paths_;
    std::vector<std::vector<Candidate>> candidates_;  // per kind
    Choice choice_;                                   // per node
    std::vector<double> chosen_devices_;              // the same: what the option costs on devices
    std::vector<Charges> charges_;
    double limit_ = 1;
    TrainingPrices prices_;
};

}  // namespace sluice::bound
