#include "sluice/solve/accept.hpp"

#include <algorithm>
#include <exception>
#include <format>

#include "sluice/bound/check_certificate.hpp"

namespace sluice::solve {

Diagnostic refused(const bound::Certificate& certificate, std::string_view why) {
    return internal_error(std::format("a {} bound of {} was not accepted by the checker and is not used: {}", certificate.kind(),
                                      sluice::to_text(certificate.value), why))
        .fix("this is a defect of sluice: please report it with the model");
}

std::optional<bound::Certificate> first_accepted(const cost::StageProblem& problem, std::vector<bound::Certificate> offered,
                                                 const std::function<Limits()>& checking, std::vector<Diagnostic>& warnings) {
    std::ranges::stable_sort(offered, std::ranges::greater{}, &bound::Certificate::value);
    for (bound::Certificate& certificate : offered) {
        const Limits limits = checking();
        std::vector<Diagnostic> objections;
        try {
            objections = bound::check_certificate(problem, certificate, limits);
        } catch (const std::exception& error) { objections.push_back(internal_error(std::format("the check failed: {}", error.what()))); }
        if (objections.empty()) return std::move(certificate);
        if (limits.out_of_time())
            warnings.push_back(input_error(std::format("a {} bound of {} could not be checked in time and is not used", certificate.kind(),
                                                       sluice::to_text(certificate.value)))
                                   .fix("a larger --time leaves room for the check"));
        else
            warnings.push_back(refused(certificate, objections.front().message));
    }
    return std::nullopt;
}

std::optional<Diagnostic> failed_bound(std::string_view name, Diagnostic failure) {
    if (failure.kind == DiagnosticKind::stopped) return std::nullopt;
    failure.message = std::format("bound '{}': {}", name, failure.message);
    return failure;
}

Result<bound::BoundResult> prove_with(const bound::Bound& bound, const cost::StageProblem& problem, const bound::BoundOptions& options,
                                      Observer& observer, const Limits& limits) {
    try {
        return bound.prove(problem, options, observer, limits);
    } catch (const std::exception& error) { return fail(internal_error(std::format("failed: {}", error.what()))); }
}

}  // namespace sluice::solve
