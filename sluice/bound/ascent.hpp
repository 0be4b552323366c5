// Raising a bound by refuting thresholds: the part that chain, counting and later kinds share. Each method that can refute is tried just
// above what is known; where it can, at what is enough, and then by bisection.
// The result is within 1/4096 of what the method proves. Deterministic unless another side's best is given.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>

#include "sluice/bound/registry.hpp"

namespace sluice::bound {

class Ascent {
public:
    Ascent(const cost::StageProblem& problem, const BoundOptions& options, Observer& observer, const Limits& limits, Duration floor,
           std::string_view kind)
        : problem_(problem), options_(options), observer_(observer), limits_(limits), best_(floor), kind_(kind) {}

    /// Enough is proven, or a limit is reached.
    [[nodiscard]] bool ended();
    /// Nothing above it can be proven, or need be.
    [[nodiscard]] std::optional<Duration> enough() const;
    [[nodiscard]] Duration best() const { return best_; }

    /// Tries a method: `refutes(v)` says that no partition has a bottleneck below v (never wrongly; nullopt: stopped), and no v above
    /// `most` is worth asking. `hint`, when above what is known, is asked first: a value that the method likely proves. Where it proves
    /// more than is known, `witness` makes the certificate's.
    void raise(Duration hint, Duration most, const std::function<std::optional<bool>(Duration)>& refutes,
               const std::function<Witness()>& witness);

    /// The same for a method that has its own way up: kept, and told, when it is above what is known.
    void prove(Duration value, Witness witness);
    void count_evaluation() { ++evaluations_; }
    [[nodiscard]] std::int64_t evaluations() const { return evaluations_; }

    /// The best certificate above the floor, if any.
    [[nodiscard]] std::optional<Certificate> take() { return std::move(certificate_); }
    [[nodiscard]] Certificate certificate(Duration value, Witness witness) const {
        return {problem_.fingerprint, {}, options_.stages, options_.max_replicas, value, std::move(witness), options_.objective};
    }
    [[nodiscard]] Termination termination() const { return {reason_, seconds(), evaluations_}; }

private:
    [[nodiscard]] double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }

    const cost::StageProblem& problem_;
    const BoundOptions& options_;
    Observer& observer_;
    const Limits& limits_;
    Duration best_;
    std::string_view kind_;
    std::optional<Certificate> certificate_;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    std::int64_t evaluations_ = 0;
    StopReason reason_ = StopReason::finished;
};

}  // namespace sluice::bound
