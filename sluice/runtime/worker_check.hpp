// Whether this machine can run stages: the worker, what it is linked to, and a message between two ranks.
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "sluice/base/diagnostic.hpp"

namespace sluice::runtime {

struct WorkerVersions {
    std::string onnxruntime, mpi, onnx;  // "1.21.0", "Open MPI v5.0.7", "1.17.0"
    std::vector<std::string> providers;  // what ONNX Runtime was built with; stages run on its CPU provider
};
/// Diagnostics: a worker that cannot be started (a library is missing), in the loader's words.
[[nodiscard]] Result<WorkerVersions> worker_versions(const std::filesystem::path& worker);

/// Seconds for 1 MiB from one rank to another of this host and back. Diagnostics: no mpirun; what mpirun or a rank says; 30 s without an
/// end.
[[nodiscard]] Result<double> check_loopback(const std::filesystem::path& worker, const std::stop_token& stop = {});

}  // namespace sluice::runtime
