#include "sluice/runtime/worker/run_job.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <format>

#include "sluice/runtime/job_io.hpp"
#include "sluice/runtime/pipeline.hpp"
#include "sluice/runtime/reporter.hpp"
#include "sluice/runtime/worker/ort.hpp"
#include "sluice/runtime/worker/ort_kernel.hpp"

namespace sluice::runtime {

namespace {

// A stage alone: at least 3 runs, at most 20; all ranks together take about two seconds of the start, since they take turns.
constexpr std::int64_t kLeastAlone = 3, kMostAlone = 20;
constexpr int kTurn = kFirstReservedTag - 1;  // no channel has this number
constexpr double kSecondsAlone = 0.2, kSecondsAloneOfAll = 2;

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::chrono::nanoseconds patience_of(const Job& job) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(std::min(job.patience, 1e8)));
}

struct Rank {
    const Job& job;
    const onnx::Manifest& manifest;
    Transport& transport;
    const RankOptions& options;
    mutable std::atomic<std::int64_t> input = -1;

    [[nodiscard]] Result<void> check() const {
        if (transport.size() != job.program.ranks)
            return fail(input_error(std::format("the job has {} ranks, and {} were started", job.program.ranks, transport.size())));
        if (manifest.stages.size() != job.program.stages.size())
            return fail(input_error(std::format("the program has {} stages, the folder '{}' holds {}", job.program.stages.size(),
                                                job.stages.string(), manifest.stages.size()))
                            .fix("export the plan again: program and stages are of different plans"));
        return {};
    }

    [[nodiscard]] PipelineOptions pipeline() const {
        return {.patience = patience_of(job),
                .deliver = job.deliver || job.output.has_value(),
                .stop = {},
                .status = [this](const Status& status) {
                    input = status.input;  // the last one is said when the pipeline ends, well or not
                    options.say(status);
                }};
    }

    /// Once all ranks are here, stage after stage calls `measure`, an empty message going round; the others sleep.
    template <typename Measure>
    [[nodiscard]] Result<void> in_turn(Measure measure) const {
        transport.barrier();
        const std::int64_t self = transport.rank(), next = self + 1;
        if (self == 0) return {};
        const auto whole = [&](const std::shared_ptr<Request>& request) {
            return transport.wait(*request, {}, std::chrono::nanoseconds::max());
        };
        bool done = self == 1 || whole(transport.irecv({}, self - 1, kTurn));
        if (done) measure();
        if (done && next < transport.size()) done = whole(transport.isend({}, next, kTurn));
        if (done) return {};
        return fail(transport.failure().value_or(
            Diagnostic{DiagnosticKind::internal, std::format("rank {} never had its turn to measure its stage", self), {}, {}, {}}));
    }

    void ready(const std::vector<StageTime>& alone) const {
        Ready message{.rank = transport.rank(),
                      .host = host_name(),
                      .process = ::getpid(),
                      .seconds = options.since_main.seconds(),
                      .library = ort_name(),
                      .alone_ms = {},
                      .alone_cpu_ms = {}};
        for (const StageTime& time : alone) {
            message.alone_ms.push_back(time.wall_ms);
            message.alone_cpu_ms.push_back(time.cpu_ms);
        }
        options.say(message);
        transport.barrier();
    }

    [[nodiscard]] Result<void> host() const {
        auto io = JobIo::make(job, manifest, [say = options.say](const Delivered& delivered) { say(delivered); });
        if (!io) return fail(std::move(io.error()));
        if (auto done = in_turn([] {}); !done) return done;
        ready({});
        (*io)->begin();
        const std::stop_callback drain(options.drain, [&] { (*io)->drain(); });
        const auto finished = run_host(job.program, transport, **io, pipeline());
        if (!finished) return fail(finished.error());
        {
            Reporter writing(0, pipeline().status);  // outputs may be many gigabytes, and who is silent is taken for hung
            writing.at("write outputs", finished->inputs - 1);
            if (auto whole = (*io)->finish(); !whole) return whole;
        }
        options.say(*finished);
        return {};
    }

    [[nodiscard]] Result<void> stage(const program::InstructionList& list) const {
        std::vector<std::string> inputs, outputs;
        for (const program::Instruction& instruction : list.body)
            if (instruction.kind == program::InstructionKind::receive) inputs.push_back(tensor(instruction.channel));
        for (const program::ChannelId channel : outputs_of(job.program, list)) outputs.push_back(tensor(channel));
        auto kernel = OrtKernel::make(manifest.stages[list.stage.index()], job.stages, inputs, outputs,
                                      {.threads = job.threads, .optimisation = job.optimisation});
        if (!kernel) return fail(std::move(kernel.error()));
        static_cast<void>((*kernel)->rehearse(job.warm_up, job.warm_up, 0));
        std::vector<StageTime> alone;
        const double seconds = std::min(kSecondsAlone, kSecondsAloneOfAll / static_cast<double>(transport.size()));
        if (auto done = in_turn([&] { alone = (*kernel)->rehearse(kLeastAlone, kMostAlone, seconds); }); !done) return done;
        ready(alone);
        const auto finished = run_stage(job.program, list, transport, **kernel, pipeline());
        if (!finished) return fail(finished.error());
        options.say(*finished);
        return {};
    }

    [[nodiscard]] Result<void> run() const {
        if (auto fine = check(); !fine) return fine;
        if (transport.rank() == 0) return host();
        const auto list = std::ranges::find(job.program.lists, transport.rank(), &program::InstructionList::rank);
        if (list == job.program.lists.end())
            return fail(input_error(std::format("the program has no instructions for rank {}", transport.rank())));
        return stage(*list);
    }

    [[nodiscard]] const std::string& tensor(program::ChannelId channel) const { return job.program.channels[channel.index()].tensor; }
};

}  // namespace

std::expected<void, Failed> run_rank(const Job& job, const onnx::Manifest& manifest, Transport& transport, const RankOptions& options) {
    const Rank rank{job, manifest, transport, options};
    auto done = rank.run();
    if (done) return {};
    return std::unexpected(Failed{.rank = transport.rank(), .input = rank.input, .diagnostic = std::move(done.error())});
}

}  // namespace sluice::runtime
