// `sluice-worker run`: a rank under mpirun, or every rank as a thread.
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>

#include "sluice/runtime/worker/mpi_transport.hpp"
#include "sluice/runtime/worker/ort.hpp"
#include "sluice/runtime/worker/run_job.hpp"
#include "sluice/runtime/worker/verbs.hpp"

namespace sluice::runtime {

namespace {

/// One write a line: lines of several ranks come through one mpirun.
void say(const WorkerMessage& message) {
    static std::mutex mutex;
    const std::string line = to_line(message) + "\n";
    const std::lock_guard lock(mutex);
    for (std::size_t done = 0; done < line.size();) {
        const ssize_t written = ::write(STDOUT_FILENO, line.data() + done, line.size() - done);
        if (written < 0 && errno != EINTR) return;  // nobody listens any more; mpirun is about to end us
        if (written > 0) done += static_cast<std::size_t>(written);
    }
}

/// Asks for a drain when a line "stop" comes in; the end of stdin means nothing.
void listen(const std::stop_token& stop, std::stop_source& drain) {
    std::string text;
    while (!stop.stop_requested()) {
        pollfd wait{STDIN_FILENO, POLLIN, 0};
        if (::poll(&wait, 1, 100) <= 0) continue;
        char byte = 0;
        const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
        if (got <= 0) return;
        if (byte != '\n') {
            text += byte;
            continue;
        }
        if (text == "stop") drain.request_stop();
        text.clear();
    }
}

/// What went wrong is said once; the process ends without waiting for its threads or for the other ranks, which cannot go on: mpirun
/// ends them.
[[noreturn]] void give_up(const Failed& failed) {
    say(failed);
    std::_Exit(1);
}

/// Channels carry tensors as they are; the program has their sizes as the cost model counts them, which may be another data type's.
void take_sizes(program::Program& program, const onnx::Manifest& manifest) {
    std::map<std::string_view, Bytes> sizes;
    const auto take = [&](std::span<const onnx::StageTensor> tensors) {
        for (const onnx::StageTensor& tensor : tensors) sizes[tensor.name] = tensor.bytes;
    };
    take(manifest.inputs);
    for (const onnx::StageModel& stage : manifest.stages) {
        take(stage.inputs);
        take(stage.outputs);
    }
    for (program::Channel& channel : program.channels)
        if (const auto found = sizes.find(channel.tensor); found != sizes.end()) channel.bytes = found->second;
}

void run_in_process(const Job& job, const onnx::Manifest& manifest, const RankOptions& options) {
    const auto transports = make_local_transports(job.program.ranks, {.synchronous_sends = job.synchronous_sends});
    std::vector<std::jthread> ranks;
    for (const auto& transport : transports)
        ranks.emplace_back([&job, &manifest, &options, &transport] {
            if (auto done = run_rank(job, manifest, *transport, options); !done) give_up(done.error());
        });
}

}  // namespace

void run_job(const JobRun& run, const StopWatch& since_main) {
    const char* named = std::getenv("OMPI_COMM_WORLD_RANK");  // until MPI is there to ask
    const std::int64_t rank = named != nullptr && !run.in_process ? std::atoll(named) : 0;
    // MPI starts while the files are read and the library registers its operators.
    Result<std::unique_ptr<Transport>> transport;
    std::jthread starting;
    auto job = read_job_file(run.job);
    if (!job) give_up({.rank = rank, .input = -1, .diagnostic = job.error()});
    if (!run.in_process) starting = std::jthread([&] { transport = make_mpi_transport({.synchronous_sends = job->synchronous_sends}); });
    const auto manifest = onnx::read_manifest_file(job->stages / onnx::kManifestName);
    if (!manifest) give_up({.rank = rank, .input = -1, .diagnostic = manifest.error()});
    take_sizes(job->program, *manifest);
    static_cast<void>(ort_env());
    if (starting.joinable()) starting.join();
    if (!transport) give_up({.rank = rank, .input = -1, .diagnostic = transport.error()});

    std::stop_source drain;
    std::jthread listener;
    if (rank == 0) listener = std::jthread([&](const std::stop_token& stop) { listen(stop, drain); });
    const RankOptions options{.since_main = since_main, .say = say, .drain = drain.get_token()};
    if (run.in_process) return run_in_process(*job, *manifest, options);
    if (auto done = run_rank(*job, *manifest, **transport, options); !done) give_up(done.error());
}

}  // namespace sluice::runtime
