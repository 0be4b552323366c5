// What a verb gets and gives back. A verb never writes to stdout itself: main does, once the whole verb has succeeded.
#pragma once

#include <chrono>
#include <string>

#include "cli/arguments.hpp"
#include "sluice/base/diagnostic.hpp"
#include "sluice/base/stop.hpp"

namespace sluice::cli {

class Terminal;

/// Design §6.
enum class ExitCode { done = 0, input = 1, usage = 2, infeasible = 3, short_of_gap = 4, verification = 5, interrupted = 130 };

[[nodiscard]] constexpr ExitCode exit_code_of(DiagnosticKind kind) {
    switch (kind) {
        case DiagnosticKind::usage:
            return ExitCode::usage;
        case DiagnosticKind::infeasible:
            return ExitCode::infeasible;
        case DiagnosticKind::verification:
            return ExitCode::verification;
        case DiagnosticKind::stopped:
            return ExitCode::interrupted;
        case DiagnosticKind::input:
        case DiagnosticKind::internal:
            break;
    }
    return ExitCode::input;
}

struct Outcome {
    std::string out;  // for stdout
    ExitCode code = ExitCode::done;
};

struct Session {
    const Arguments& arguments;
    Terminal& terminal;
    Limits::Clock::time_point start;  // of the process: what --time counts from

    [[nodiscard]] double seconds() const { return std::chrono::duration<double>(Limits::Clock::now() - start).count(); }
};

using VerbFunction = Result<Outcome> (*)(Session&);

}  // namespace sluice::cli
