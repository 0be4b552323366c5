#include "cli/running.hpp"

#include <algorithm>
#include <format>
#include <numeric>

#include "cli/planning.hpp"
#include "cli/terminal.hpp"
#include "sluice/onnx/export.hpp"
#include "sluice/program/check.hpp"
#include "sluice/program/lower.hpp"
#include "sluice/report/text.hpp"
#include "sluice/runtime/compare.hpp"
#include "sluice/simulate/inference.hpp"

namespace sluice::cli {

namespace fs = std::filesystem;

namespace {

constexpr double kTolerance = 1e-5;        // of a tensor's largest magnitude: what optimised kernels may differ by at a cut
constexpr std::int64_t kSimulated = 1000;  // inputs: the steady state of 64 stages, well under a second

Result<program::Program> checked(Result<program::Program> program, const graph::Graph& graph) {
    if (!program) return fail(with_labels(std::move(program.error()), graph));
    auto faults = program::faults_of(*program);
    // What a stage without a receive does in simulated time it could do here for ever: nothing would tell it that inputs are over.
    for (const program::InstructionList& list : program->lists)
        if (list.role == program::Role::stage && list.body.front().kind != program::InstructionKind::receive)
            faults.push_back(
                input_error(std::format("stage {} reads neither a model input nor another stage's tensor: its run would never end",
                                        list.stage.index()))
                    .fix("put its operators into a stage that reads one"));
    if (faults.empty()) return program;
    Diagnostic first = std::move(faults.front());
    if (faults.size() > 1) first.notes.push_back(std::format("and {} more", faults.size() - 1));
    return fail(std::move(first));
}

Result<Runnable> exported(const OpenPlan& opened, const fs::path& model, const fs::path& folder, program::Program program,
                          const std::vector<std::vector<OperatorId>>& stages, const std::stop_token& stop) {
    auto manifest = onnx::export_stages(
        model, opened.model.graph, stages, folder,
        {.import = {.dimensions = opened.plan.model.dimensions, .assume_size = opened.plan.model.assume_size}, .stop = stop});
    if (!manifest) return fail(std::move(manifest.error()));
    return Runnable{std::move(program), folder, std::move(*manifest)};
}

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
}

std::vector<std::int64_t> ranks_of(const program::Stage& stage) {
    std::vector<std::int64_t> ranks(static_cast<std::size_t>(stage.replicas));
    std::iota(ranks.begin(), ranks.end(), stage.first_rank);
    return ranks;
}

std::vector<report::RunStage> stages_of(const program::Program& program, const runtime::LaunchResult& result) {
    std::vector<report::RunStage> stages;
    for (const program::Stage& stage : program.stages) {
        report::RunStage& row = stages.emplace_back();
        row.replicas = stage.replicas;
        double inputs = 0;
        for (const std::int64_t rank : ranks_of(stage)) {
            const runtime::Ready& ready = result.ready[static_cast<std::size_t>(rank)];
            const runtime::Finished& finished = result.finished[static_cast<std::size_t>(rank)];
            row.hosts.push_back(ready.host);
            if (const double alone = median(ready.alone_ms); alone > row.alone_ms) {
                row.alone_ms = alone;
                row.alone_cpu_ms = median(ready.alone_cpu_ms);
            }
            const auto done = static_cast<double>(finished.inputs);
            row.forward_ms += finished.forward_mean_ms * done;
            row.forward_cpu_ms += finished.forward_cpu_ms * done;
            inputs += done;
            const double seconds = std::max(result.finished[0].seconds, 1e-9) * static_cast<double>(stage.replicas);
            row.waited_receive += std::min(1.0, finished.waited_receive / seconds);
            row.waited_send += std::min(1.0, finished.waited_send / seconds);
        }
        if (inputs > 0) {
            row.forward_ms /= inputs;
            row.forward_cpu_ms /= inputs;
        }
    }
    return stages;
}

std::vector<std::string> why_busy(const runtime::Job& job, const std::vector<report::RunStage>& stages, std::optional<int> processors) {
    std::vector<std::string> reasons;
    const std::int64_t wanted = (job.program.ranks - 1) * job.threads;
    if (processors && wanted > *processors) reasons.push_back(std::format("{} stage threads share {} processors", wanted, *processors));
    std::ranges::move(report::busy_stages(stages), std::back_inserter(reasons));
    return reasons;
}

/// The line of a terminal while ranks work: rate over the last seconds, share of time each stage computes.
class LiveLine {
public:
    LiveLine(Session& session, std::string title, const runtime::Job& job) : session_(session), title_(std::move(title)), job_(job) {
        before_.resize(static_cast<std::size_t>(job.program.ranks));
        now_.resize(before_.size());
    }

    void on_message(const runtime::WorkerMessage& message) {
        if (!session_.terminal.live()) return;
        if (const auto* ready = std::get_if<runtime::Ready>(&message)) {
            ready_ += ready->rank >= 0 ? 1 : 0;
        } else if (const auto* status = std::get_if<runtime::Status>(&message)) {
            if (status->rank < 0 || status->rank >= job_.program.ranks) return;
            now_[static_cast<std::size_t>(status->rank)] = *status;
        } else if (const auto* delivered = std::get_if<runtime::Delivered>(&message)) {
            delivered_ = delivered->inputs;
        }
        const double seconds = session_.seconds();
        if (seconds - shown_ < 0.1) return;
        shown_ = seconds;
        if (seconds - window_start_ > 1) {  // utilisation over the last second or so
            shares_.clear();
            for (const program::Stage& stage : job_.program.stages) {
                double busy = 0, passed = 0;
                for (const std::int64_t rank : ranks_of(stage)) {
                    const std::size_t r = static_cast<std::size_t>(rank);
                    busy += now_[r].busy - before_[r].busy;
                    passed += now_[r].seconds - before_[r].seconds;
                }
                shares_.push_back(passed > 0 ? std::clamp(busy / passed, 0.0, 1.0) : 0.0);
            }
            rate_ = static_cast<double>(delivered_ - delivered_before_) / (seconds - window_start_);
            before_ = now_;
            delivered_before_ = delivered_;
            window_start_ = seconds;
        }
        show(seconds);
    }

private:
    void show(double seconds) {
        std::string text = std::format("{} {:.1f}s  ", title_, seconds);
        if (ready_ < job_.program.ranks) {
            text += std::format("{} of {} ranks ready", ready_, job_.program.ranks);
        } else {
            text += job_.inputs ? std::format("{} of {} inputs", delivered_, *job_.inputs) : std::format("{} inputs", delivered_);
            if (rate_ > 0) text += std::format("  {}/s", report::rate_text(rate_));
            if (!shares_.empty()) text += "  busy";
            for (const double share : shares_) text += std::format(" {:.0f}%", share * 100);
        }
        session_.terminal.show_line(report::clip(text, session_.terminal.width() - 1));
    }

    Session& session_;
    std::string title_;
    const runtime::Job& job_;
    std::vector<runtime::Status> before_, now_;
    std::vector<double> shares_;
    std::int64_t ready_ = 0, delivered_ = 0, delivered_before_ = 0;
    double shown_ = 0, window_start_ = 0, rate_ = 0;
};

}  // namespace

Result<Runnable> make_runnable(const OpenPlan& opened, const fs::path& model, const fs::path& folder, const std::stop_token& stop) {
    auto program = checked(program::lower(opened.model.graph, opened.frozen.problem, opened.partition), opened.model.graph);
    if (!program) return fail(std::move(program.error()));
    return exported(opened, model, folder, std::move(*program), operators_of(opened.plan), stop);
}

Result<program::Program> program_of_whole(const OpenPlan& opened, std::int64_t replicas) {
    // The platform's devices are those of the plan; a whole model on one of them is a what-if, without its limits.
    cost::StageProblem problem = opened.frozen.problem;
    problem.classes.resize(1);
    problem.classes[0].count = replicas;
    problem.classes[0].overflow = cost::Overflow::unlimited;
    cost::Stage whole;
    whole.replicas = replicas;
    for (std::size_t node = 0; node < problem.node_count(); ++node) {
        whole.nodes.push_back(NodeId{node});
        problem.classes[0].supported.insert(node);
    }
    return checked(program::lower(opened.model.graph, problem, {{std::move(whole)}}), opened.model.graph);
}

Result<Runnable> make_whole(const OpenPlan& opened, const fs::path& model, const fs::path& folder, const std::stop_token& stop) {
    auto program = program_of_whole(opened, 1);
    if (!program) return fail(std::move(program.error()));
    std::vector<OperatorId> all;
    for (const std::vector<OperatorId>& stage : operators_of(opened.plan)) all.insert(all.end(), stage.begin(), stage.end());
    return exported(opened, model, folder, std::move(*program), {std::move(all)}, stop);
}

runtime::Job job_of(const Runnable& runnable, runtime::Job settings) {
    settings.program = runnable.program;
    settings.stages = fs::absolute(runnable.stages);
    return settings;
}

Result<runtime::LaunchResult> launch_live(Session& session, const std::string& title, const runtime::Job& job,
                                          runtime::LaunchOptions options) {
    LiveLine line(session, title, job);
    options.on_message = [&](const runtime::WorkerMessage& message) { line.on_message(message); };
    auto result = runtime::launch(job, options);
    session.terminal.clear_line();
    return result;
}

Result<report::RunCheck> compare_with_whole(Session& session, const Runnable& whole, runtime::Job settings, const fs::path& outputs,
                                            const fs::path& reference, const runtime::LaunchOptions& options) {
    settings.output = reference;
    settings.deliver = true;
    const runtime::Job job = job_of(whole, std::move(settings));
    auto result = launch_live(session, "check", job, options);
    if (!result) return fail(std::move(result.error()).note("while the unsplit model was run to compare with"));
    if (result->interrupted) return fail(Diagnostic{DiagnosticKind::stopped, "interrupted while outputs were compared", {}, {}, {}});
    auto compared = runtime::compare_outputs(outputs, reference, options.stop);
    if (!compared) return fail(std::move(compared.error()));
    std::error_code ignored;  // goes with its folder anyway
    fs::remove(reference, ignored);
    return report::RunCheck{result->finished.front().inputs, compared->values, compared->bitwise,
                            compared->largest_error,         compared->worst,  kTolerance};
}

Result<report::RunView> view_of(const OpenPlan& opened, const runtime::Job& job, const runtime::LaunchResult& result,
                                std::optional<int> processors, const std::stop_token& stop) {
    report::RunView view;
    view.model = opened.plan.model.name;
    view.platform = opened.plan.platform.name;
    view.library = result.ready.back().library;
    view.ranks = job.program.ranks;
    view.threads = job.threads;
    view.stages = stages_of(job.program, result);
    for (std::size_t s = 0; s < view.stages.size(); ++s) {
        view.stages[s].predicted = opened.plan.stages[s].predicted;
        view.stages[s].predicted_time = cost::stage_time(opened.plan.platform.model, view.stages[s].predicted);
    }
    const runtime::Finished& host = result.finished[0];
    view.inputs = host.inputs;
    view.seconds = host.seconds;
    view.first_output = result.first_output;
    view.throughput_per_s = host.steady_per_s;
    view.latency_min_ms = host.latency_min_ms;
    view.latency_mean_ms = host.latency_mean_ms;
    view.latency_max_ms = host.latency_max_ms;
    view.busy = why_busy(job, view.stages, processors);
    const auto simulated = simulate::simulate_inference(job.program, opened.plan.platform, {.inputs = kSimulated, .stop = stop});
    if (!simulated) return fail(simulated.error());
    view.predicted_per_s = simulated->throughput_per_s;
    view.predicted_latency = simulated->first_latency;
    return view;
}

report::RunRival rival_of(std::string name, std::string what, const runtime::Job& job, const runtime::LaunchResult& result,
                          std::optional<int> processors) {
    return {std::move(name), std::move(what), result.finished[0].steady_per_s, result.finished[0].latency_mean_ms,
            !why_busy(job, stages_of(job.program, result), processors).empty()};
}

}  // namespace sluice::cli
