// Starts the ranks of a job with mpirun and watches over them: everything they say, the first failure made a Diagnostic, nothing left
// behind.
#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "sluice/runtime/job.hpp"
#include "sluice/runtime/messages.hpp"

namespace sluice::runtime {

struct LaunchOptions {
    std::filesystem::path worker;     // empty: sluice-worker beside this program, or $SLUICE_WORKER
    std::filesystem::path hostfile;   // empty: this host, or what Slurm gave
    std::filesystem::path folder;     // where the job's file goes, for all hosts to read; empty: a temporary one of this host
    std::vector<std::string> mpirun;  // further words for mpirun
    std::stop_token stop;
    std::function<void(const WorkerMessage&)> on_message;
};

struct LaunchResult {
    std::vector<Ready> ready;        // by rank
    std::vector<Finished> finished;  // by rank
    double seconds = 0;              // of everything, start to end
    double first_output = 0;         // seconds from start to the first output at the host
    bool interrupted = false;        // stop was asked for; what was done until then is delivered
};

/// Whether ranks may be on other hosts: a hostfile is named, or Slurm gave several nodes.
[[nodiscard]] bool several_hosts(const LaunchOptions& options);

/// Diagnostics: no mpirun, no worker, a host that cannot be reached; a rank that failed or was killed (stage, host, input, its last log
/// lines), a hang; stopped before the ranks were ready. Ends within 5 s of the first of them, with every process gone and no file left.
/// A stop once they are ready drains: what is under way is delivered, and the result says `interrupted`.
[[nodiscard]] Result<LaunchResult> launch(const Job& job, const LaunchOptions& options);

}  // namespace sluice::runtime
