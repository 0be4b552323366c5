#include "cli/flags.hpp"

#include <algorithm>
#include <format>

#include "cli/verbs.hpp"
#include "sluice/bound/registry.hpp"
#include "sluice/cost/training_partition.hpp"
#include "sluice/inference/registry.hpp"
#include "sluice/mcm/registry.hpp"
#include "sluice/onnx/zoo.hpp"
#include "sluice/plan/plan.hpp"
#include "sluice/platform/platform.hpp"
#include "sluice/training/registry.hpp"

namespace sluice::cli {

namespace {

std::vector<std::string> platform_names() {
    const auto names = platform::preset_names();
    return {names.begin(), names.end()};
}

std::vector<std::string> zoo_names() {
    std::vector<std::string> names;
    for (const onnx::ZooEntry& entry : onnx::zoo_entries()) names.emplace_back(entry.name);
    return names;
}

std::vector<std::string> zoo_models() {
    std::vector<std::string> names = zoo_names();
    for (std::string& name : names) name.insert(0, "zoo:");
    return names;
}

/// Of inference, then those of training and for chips that have other names; which of them a job has, its registry says.
std::vector<std::string> planner_names() {
    std::vector<std::string> names;
    for (const inference::Planner& planner : inference::planners()) names.emplace_back(planner.name);
    for (const training::Planner& planner : training::planners())
        if (!std::ranges::contains(names, planner.name)) names.emplace_back(planner.name);
    for (const mcm::Planner& planner : mcm::planners())
        if (!std::ranges::contains(names, planner.name)) names.emplace_back(planner.name);
    return names;
}

template <const auto& values>
std::vector<std::string> texts_of() {
    std::vector<std::string> texts;
    for (const auto value : values) texts.emplace_back(to_text(value));
    return texts;
}

std::vector<std::string> bound_names() {
    std::vector<std::string> names;
    for (const bound::Bound& bound : bound::bounds()) names.emplace_back(bound.name);
    return names;
}

constexpr std::string_view kModelHelp =
    "an ONNX file (.onnx, .onnx.gz), a graph or workload file (JSON, graph.txt), or zoo:NAME[:key=value,...]";

constexpr std::string_view kPlanHelp = "a plan file (sluice.plan/1)";
constexpr std::string_view kWeightsHelp =
    "where weights come from: the model's own file, or made up (random, zero) to run a structure alone";

Positional plan_argument() { return {"PLAN", &Arguments::plan, true, kPlanHelp, nullptr, true, true}; }
Positional model_argument() { return {"MODEL", &Arguments::model, true, kModelHelp, zoo_models, true, true}; }

std::vector<Verb> make_verbs() {
    return {
        {VerbId::inspect,
         "inspect",
         "what a model is made of",
         "Reads a model and shows its operators by class, work, parameters, activations, longest path and width, the heaviest operators "
         "and the "
         "largest tensors, and what import folded or assumed. With -p also the time of each on that platform; with -o the graph as a file.",
         {model_argument()},
         {"inspect zoo:bert-base", "inspect model.onnx -p asic-16", "inspect model.onnx -o graph.json"},
         run_inspect},
        {VerbId::profile,
         "profile",
         "measure a model's operators on this machine",
         "Runs the model in ONNX Runtime at the optimisation level that a pipeline will use, and writes what each operator, or each group "
         "of "
         "operators fused into one kernel, takes. Planning with these times predicts what a run will do.",
         {model_argument()},
         {"profile model.onnx -o costs.json", "profile zoo:resnet50 --threads 2 -o costs.json"},
         run_profile},
        {VerbId::plan,
         "plan",
         "split a model into stages, with a proven bound",
         "Finds a partition of the model into at most k stages whose slowest stage is as fast as possible, and a lower bound on what any "
         "partition "
         "could reach. -o keeps the plan, and its certificate beside it. Ctrl-C once stops at the next check and keeps the best plan so "
         "far.",
         {model_argument()},
         {"plan zoo:bert-base -p asic-16 -k 8", "plan model.onnx -p edge-chain-4 --time 30 -o plan.json", "plan workload.json -k 4 --json",
          "plan edited.onnx --from plan.json -o new.json", "plan zoo:mmt -p v100-summit:devices=8 --for training --batch 64",
          "plan zoo:mmt --for training --from plan.json --time 5min"},
         run_plan},
        {VerbId::bound,
         "bound",
         "only the proven bound",
         "Proves a lower bound on the slowest stage of every partition of the model into at most k stages. -o writes the certificate. "
         "Ctrl-C once "
         "keeps the best bound so far. With --gap or --against also the gap to a plan.",
         {model_argument()},
         {"bound zoo:bert-base -p asic-16 -k 8", "bound model.onnx -p asic-16 -k 16 -o bound.certificate.json",
          "bound model.onnx --against plan.json", "bound model.onnx -k 4 --gap 1%"},
         run_bound},
        {VerbId::compare,
         "compare",
         "run several planners on one problem, one table",
         "Runs planners one after the other on one problem, each with the same limits and without help from a bound, and shows what each "
         "found beside the best certified bound. A planner that fails has a row that says why. With --bounds a second table compares "
         "bounds "
         "against the best plan. Ctrl-C once keeps the rows so far.",
         {model_argument()},
         {"compare zoo:bert-base -p asic-16 -k 8", "compare model.onnx -k 4 --methods auto,heavy-cone,random --time 30",
          "compare zoo:bert-base -p asic-16 -k 8 --evals 200 --bounds combinatorial,cut --json",
          "compare zoo:mmt -p v100-summit:devices=8 --for training --batch 64"},
         run_compare},
        {VerbId::sweep,
         "sweep",
         "plan for several numbers of stages, one table",
         "Plans one model for each of several numbers of stages and shows what each reaches: throughput, latency, memory, bound and gap. "
         "What is found or proven for one number of stages helps the others, so that more stages are never worse. For training: for each "
         "combination of mini-batches, micro-batches, numbers of devices and memories. On a terminal each row ends in a bar of its "
         "throughput. -o keeps every plan with its certificate. Ctrl-C once keeps the rows so far.",
         {model_argument()},
         {"sweep zoo:bert-base -p asic-16 -k 1..16", "sweep model.onnx -k 2,4,8 --time 30", "sweep model.onnx -k 2..64*2 -o plans --json",
          "sweep zoo:mmt -p v100-summit --for training --batch 64,128 --devices 4..32*2"},
         run_sweep},
        {VerbId::verify,
         "verify",
         "check a plan and a certificate from their files",
         "Imports the model as the plan says it was imported, recomputes every number of the plan, and re-checks the certificate in exact "
         "arithmetic with code that shares nothing with the planners.",
         {model_argument(),
          plan_argument(),
          {"CERTIFICATE", &Arguments::certificate, false, "its certificate (sluice.certificate/1)", nullptr, true, true}},
         {"verify model.onnx plan.json plan.certificate.json"},
         run_verify},
        {VerbId::simulate,
         "simulate",
         "run a plan in simulated time",
         "Lowers the plan to its instruction lists and executes them in simulated time on the plan's platform: steady throughput, latency, "
         "utilisation of stages and links, queues, memory. --trace writes a timeline for ui.perfetto.dev.",
         {model_argument(), plan_argument()},
         {"simulate model.onnx plan.json", "simulate model.onnx plan.json --inputs 200 --trace trace.json"},
         run_simulate},
        {VerbId::exporting,
         "export",
         "write each stage as a model file",
         "Writes the stages of a plan as ONNX files whose initializers point into the model's own weight file, and a manifest of what goes "
         "in and out of each. Run one after the other they compute what the whole model computes. Of a training plan it writes the "
         "schedule (--actions).",
         {model_argument(), plan_argument()},
         {"export model.onnx plan.json -o stages", "export model.onnx plan.json -o stages --self-contained",
          "export model.onnx plan.json --actions schedule.csv"},
         run_export},
        {VerbId::run,
         "run",
         "run a plan for real, one process a stage",
         "Exports the stages, starts one process a stage replica with mpirun, and sends inputs through: measured throughput beside the "
         "predicted one, and each stage's own time. Outputs come in input order. Ctrl-C once drains what is under way.",
         {model_argument(), plan_argument()},
         {"run model.onnx plan.json --inputs 200 --check", "run model.onnx plan.json --duration 30 --against single,replicas",
          "run model.onnx plan.json --input x.npz --output y.npz"},
         run_run},
        {VerbId::policy,
         "policy",
         "train, fine-tune or try a policy for chips on a ring",
         "A policy is a small network that proposes where each operator goes; a solver keeps proposals legal (method `policy` of `plan`). "
         "`train` makes one from nothing on a corpus of models, `finetune MODEL` goes on with one on a single model and keeps the best "
         "assignment it saw, `evaluate` shows what one finds without learning, on held-out models or on MODEL. Training runs in "
         "sluice-trainer, keeps a checkpoint beside -o (FILE.checkpoint) and goes on from it when called again with the same settings. "
         "Ctrl-C once ends it after the update under way and keeps the best.",
         {{"ACTION", &Arguments::action, true, "train, finetune or evaluate",
           [] { return std::vector<std::string>{"train", "finetune", "evaluate"}; }},
          {"MODEL", &Arguments::model, false, kModelHelp, zoo_models, true, true}},
         {"policy train -o my.policy", "policy train --corpus models/ --seed 1 -o my.policy",
          "policy finetune zoo:mmt:branches=1,layers=16 -p mcm-36 --evals 1000 -o tuned.policy",
          "policy finetune zoo:inception --policy none --spread wide --evals 5000 -o new.policy", "policy evaluate --policy my.policy"},
         run_policy},
        {VerbId::zoo,
         "zoo",
         "list or make model files of any size",
         "`zoo list` shows the models and their size parameters; `zoo make NAME` writes one as an ONNX file. Wherever a MODEL is "
         "wanted, zoo:NAME[:key=value,...] works without a file.",
         {{"ACTION", &Arguments::action, true, "list or make", [] { return std::vector<std::string>{"list", "make"}; }},
          {"NAME", &Arguments::name, false, "which model; to make it NAME[:key=value,...]", zoo_names, true}},
         {"zoo list", "zoo make bert-base -o bert.onnx", "zoo make mmt:branches=2,layers=4 -o mmt.onnx --weights random"},
         run_zoo},
        {VerbId::demo,
         "demo",
         "a tour in under 90 seconds",
         "Plans BERT-base over 8 devices of asic-16 and proves the plan from its files; then measures ResNet-50 on this machine, plans it "
         "in two stages on what was measured, runs them as two processes, compares every output with the unsplit model's, and leaves a run "
         "folder: model, costs, platform, plan, certificate, events, trace, stage models.",
         {},
         {"demo", "demo -o my-run --time 30"},
         run_demo},
        {VerbId::doctor,
         "doctor",
         "is everything here that sluice needs",
         "Shows the versions compiled in, processors, memory and the cache folder, and runs a small plan with its verification.",
         {},
         {"doctor"},
         run_doctor},
        {VerbId::completions,
         "completions",
         "tab completion for a shell",
         "Prints the completion script of a shell; load it from the shell's start file.",
         {{"SHELL", &Arguments::shell, true, "bash, zsh or fish", [] { return std::vector<std::string>{"bash", "zsh", "fish"}; }}},
         {"completions bash > ~/.local/share/bash-completion/completions/sluice"},
         run_completions},
    };
}

std::vector<Flag> make_flags() {
    constexpr VerbSet kInspect = in(VerbId::inspect), kPlan = in(VerbId::plan), kBound = in(VerbId::bound), kZoo = in(VerbId::zoo),
                      kDemo = in(VerbId::demo), kVerify = in(VerbId::verify), kDoctor = in(VerbId::doctor), kProfile = in(VerbId::profile),
                      kSimulate = in(VerbId::simulate), kExport = in(VerbId::exporting), kRun = in(VerbId::run),
                      kCompare = in(VerbId::compare), kSweep = in(VerbId::sweep), kPolicy = in(VerbId::policy),
                      kPlanners = kPlan | kCompare | kSweep, kSolvers = kPlanners | kBound, kOne = kPlan | kCompare | kBound;
    const Choices weight_sources = [] { return std::vector<std::string>{"file", "random", "zero"}; };
    return {
        {"platform", 'p', "PLATFORM", &Arguments::platform, "the workload's own devices, else cpu",
         "a preset, PRESET:key=value,... (asic-16:link=8GB/s), or a TOML file", kInspect | kSolvers, 0, platform_names, true},
        {"platform", 'p', "PLATFORM", &Arguments::platform, "mcm-36", "finetune, evaluate MODEL: a ring of chips, named as for plan",
         kPolicy, 0, platform_names, true},
        {"policy", 0, "FILE", &Arguments::policy, "the one that comes with sluice; train: none",
         "the policy to start from or to try (sluice.policy/1), shipped for sluice's own, none for an untrained one", kPolicy},
        {"corpus", 0, "PATH", &Arguments::corpus, "98 models of the zoo",
         "train, evaluate: a corpus file (sluice.corpus/1), or a folder of models", kPolicy},
        {"models", 0, "FOLDER", &Arguments::models, "none", "where the models are that the corpus names as files", kPolicy},
        {"skip-broken", 0, "", &Arguments::skip_broken, "", "leave out models of the corpus that cannot be read, instead of stopping",
         kPolicy},
        {"head", 0, "HEAD", &Arguments::head, "ordinal",
         "what a new policy says of an operator: a place and a spread, for any number of chips, or one number a chip (categorical)",
         kPolicy, 0, [] { return std::vector<std::string>{"ordinal", "categorical"}; }},
        {"spread", 0, "WHICH", &Arguments::spread, "narrow", "how far a new ordinal policy looks: 0.37 or 1.33 chips", kPolicy, 0,
         [] { return std::vector<std::string>{"narrow", "wide"}; }},
        {"layers", 0, "N", &Arguments::layers, "4", "layers of a new policy", kPolicy, 1},
        {"width", 0, "N", &Arguments::width, "64", "width of a new policy's layers, a multiple of 16", kPolicy, 1},
        {"passes", 0, "N", &Arguments::passes, "1", "passes over the graph of a new policy", kPolicy, 1},
        {"updates", 0, "N", &Arguments::updates, "100", "train: so many updates of 20 samples each; 0: a policy as it begins", kPolicy, 0},
        {"evals", 0, "N", &Arguments::evaluations, "finetune 1000, evaluate 100", "so many samples are judged", kPolicy, 1},
        {"seed", 0, "N", &Arguments::seed, "0", "of first weights and samples", kPolicy, 0},
        {"threads", 0, "N", &Arguments::threads, "1", "threads of libtorch; results depend on it", kPolicy, 1},
        {"output", 'o', "FILE", &Arguments::output, "", "train, finetune: write the policy to FILE", kPolicy},
        {"stages", 'k', "N", &Arguments::stages, "as many as the platform has devices", "at most so many stages", kPlan | kBound | kCompare,
         1},
        {"stages", 'k', "LIST", &Arguments::stage_list, "1, 2, 4, ... and as many as the platform has devices",
         "the numbers of stages: N, A..B, A..B+STEP or A..B*FACTOR, with commas between", kSweep},
        {"replicas", 0, "R", &Arguments::replicas, "1",
         "at most so many devices for one stage, which then serves as many inputs at a time; each counts against -k", kSolvers, 1},
        {"objective", 0, "WHAT", &Arguments::objective, "throughput",
         "what comes first, the slowest stage or the time of one input through all stages; the other decides between equals", kSolvers, 0,
         [] { return std::vector<std::string>{"throughput", "latency"}; }},
        {"for", 0, "JOB", &Arguments::job, "inference",
         "what the stages are for: training plans a graph of stages and the order of their micro-batches, on all devices of the platform",
         kSolvers, 0, [] { return std::vector<std::string>{std::string(plan::kInference), std::string(plan::kTraining)}; }},
        {"batch", 0, "N", &Arguments::batch, "none; training needs it", "training: samples of a mini-batch, one optimiser's step each",
         kOne, 1},
        {"batch", 0, "LIST", &Arguments::batch_list, "none; training needs it",
         "training: samples of a mini-batch, one optimiser's step each; a list as of -k", kSweep},
        {"micro-batch", 0, "N", &Arguments::micro_batch, "what the method finds best",
         "training: samples of a micro-batch, a divisor of --batch", kOne, 1},
        {"micro-batch", 0, "LIST", &Arguments::micro_batch_list, "what the method finds best",
         "training: samples of a micro-batch; those that divide the mini-batch", kSweep},
        {"devices", 0, "LIST", &Arguments::device_list, "the platform's own",
         "training: the numbers of devices (of the platform's first class)", kSweep},
        {"memory", 0, "LIST", &Arguments::memory_list, "the platform's own",
         "training: the memory of a device, sizes with commas between (8GiB,16GiB)", kSweep},
        {"schedule", 0, "NAME", &Arguments::schedule, "what the method finds best",
         "training: in which order a device works, where the method leaves a choice", kPlanners, 0, texts_of<cost::kSchedules>},
        {"recompute", 0, "", &Arguments::recompute, "",
         "training: run every stage's forward pass again before its backward pass, instead of where the memory asks for it", kPlanners},
        {"optimizer", 0, "NAME", &Arguments::optimizer, "adam", "training: what decides how much is kept for each parameter", kSolvers, 0,
         texts_of<cost::kOptimizers>},
        {"method", 0, "NAME", &Arguments::method, "auto", "the planner", kPlan | kSweep, 0, planner_names},
        {"method", 0, "NAME", &Arguments::method, "auto", "the kind of bound", kBound, 0, bound_names},
        {"methods", 0, "LIST", &Arguments::methods, "every planner that suits the size of the model",
         "the planners to compare, by name, with commas between", kCompare, 0, planner_names, true},
        {"bounds", 0, "LIST", &Arguments::bounds, "auto, without a table",
         "the bounds to compare, by name, with commas between: a second table", kCompare, 0, bound_names, true},
        {"judge", 0, "WHO", &Arguments::judge, "simulator",
         "chips: who says what a plan is worth: simulator, planner (the planners' own cost), or a command that gets a plan file as its "
         "last "
         "word and prints {\"throughput_per_s\": N}",
         kPlan | kCompare},
        {"judge", 0, "WHO", &Arguments::judge, "simulator", "finetune, evaluate MODEL: simulator, or planner (the planners' own cost)",
         kPolicy, 0, [] { return std::vector<std::string>{"simulator", "planner"}; }},
        {"rewrites", 0, "WHICH", &Arguments::rewrites, "all", "finetune, evaluate MODEL: all, as plan rewrites the model, or none", kPolicy,
         0, [] { return std::vector<std::string>{"all", "none"}; }},
        {"judge-time", 0, "TIME", &Arguments::patience, "60s", "chips: how long a command of --judge may take for one plan",
         kPlan | kCompare},
        {"rewrites", 0, "LIST", &Arguments::rewrites, "all",
         "chips: what may be done to the model: all, none, or some of clone, recompute, relay with commas between", kPlan | kCompare},
        {"policy", 0, "FILE", &Arguments::policy, "the one that comes with sluice",
         "chips: what method policy draws from, as `sluice policy` writes it (sluice.policy/1)", kPlan | kCompare},
        {"from", 0, "PLAN", &Arguments::from, "none",
         "start from this plan file, of this model or of one before an edit, and give back nothing worse; what is not said here (platform, "
         "stages, costs, sizes) is as the plan has it",
         kPlan},
        {"time", 0, "TIME", &Arguments::time, "10s",
         "stop after so long, counted from the start of the command (10, 10s, 2min); when given, methods that draw orders use all of it",
         kPlan | kBound | kDemo},
        {"time", 0, "TIME", &Arguments::time, "10s",
         "stop each planner, and each bound, after so long (10, 10s, 2min); when given, methods that draw orders use all of it", kCompare},
        {"time", 0, "TIME", &Arguments::time, "60s",
         "stop after so long (10, 10s, 2min), counted from the start of the command and shared by all numbers of stages; when given, "
         "methods that draw orders use all of it",
         kSweep},
        {"gap", 0, "GAP", &Arguments::gap, "0", "stop once 1 - bound/objective is at most this (0.01, 1%)", kPlan | kSweep},
        {"gap", 0, "GAP", &Arguments::gap, "0",
         "stop once 1 - bound/objective is at most this (0.01, 1%), for the plan of --against, else for one that the planner finds first",
         kBound},
        {"against", 0, "PLAN", &Arguments::against, "none",
         "a plan file of this model: show the bound's gap to it, and stop when they meet", kBound},
        {"require-gap", 0, "GAP", &Arguments::require_gap, "none",
         "exit 4 when the gap ends above this; everything is written all the same", kPlan},
        {"evals", 0, "N", &Arguments::evaluations, "none",
         "stop after so many evaluations; the result then does not depend on the clock, and --time has no default", kPlan | kBound, 1},
        {"evals", 0, "N", &Arguments::evaluations, "none",
         "stop each planner after so many evaluations; results then do not depend on the clock, and --time has no default", kCompare, 1},
        {"evals", 0, "N", &Arguments::evaluations, "none",
         "so many evaluations for each number of stages; results then do not depend on the clock, and --time has no default", kSweep, 1},
        {"seed", 0, "N", &Arguments::seed, "0", "of every random choice", kPlanners, 0},
        {"genetic", 0, "SHARES", &Arguments::genetic, "elite=0.2,mutants=0.15,bias=0.7",
         "brkga-100 and brkga-10000: parts of a generation that stay and that are new, and the chance that a key is the elite parent's",
         kPlanners},
        {"seed", 0, "N", &Arguments::seed, "0", "of random weights", kZoo, 0},
        {"threads", 0, "N", &Arguments::threads, "the processors allowed", "threads to use; results do not depend on it", kSolvers | kDemo,
         1},
        {"dim", 0, "NAME=VALUE", &Arguments::dimensions, "", "the size of a symbolic dimension, or of TENSOR.axis; repeatable",
         kInspect | kSolvers | kProfile, 1},
        {"assume-size", 0, "N", &Arguments::assume_size, "none", "the size of every dimension that is still unknown after shape inference",
         kInspect | kSolvers | kProfile, 1},
        {"costs", 0, "FILE", &Arguments::costs, "the platform's own model of costs",
         "measured times (sluice.costs/1); operators it does not name keep the modelled ones", kInspect | kSolvers},
        {"inputs", 0, "N", &Arguments::inputs, "1000", "how many inputs to simulate", kSimulate, 1},
        {"inputs", 0, "N", &Arguments::inputs, "100, or those of --input", "how many inputs to run", kRun, 1},
        {"duration", 0, "TIME", &Arguments::duration, "none", "run for so long instead of a number of inputs", kRun},
        {"input", 0, "FILE", &Arguments::input_file, "made-up inputs",
         "an .npz file with one array a model input, or several inputs stacked along a first axis", kRun},
        {"output", 'o', "FILE", &Arguments::output, "", "write the outputs to FILE (.npz), stacked in input order", kRun},
        {"check", 0, "", &Arguments::check, "", "compare every output with the unsplit model's", kRun},
        {"against", 0, "LIST", &Arguments::against, "none",
         "also measure, in the same run: single (one process, all threads), replicas (as many whole models as stage processes)", kRun},
        {"hostfile", 0, "FILE", &Arguments::hostfile, "this host, or Slurm's", "hosts for the ranks, as mpirun takes them", kRun},
        {"watchdog", 0, "TIME", &Arguments::patience, "60s", "how long a rank may wait without progress before the run is called hung",
         kRun},
        {"level", 0, "N", &Arguments::level, "99", "ONNX Runtime's graph optimisation level", kRun | kProfile, 0,
         [] { return std::vector<std::string>{"0", "1", "2", "99"}; }},
        {"synchronous-sends", 0, "", &Arguments::synchronous_sends, "",
         "every send waits for its receive, whatever its size (finds what could deadlock)", kRun},
        {"threads", 0, "N", &Arguments::threads, "processors / ranks, at least 1", "threads of each stage replica", kRun, 1},
        {"threads", 0, "N", &Arguments::threads, "1", "threads to measure with: as many as a stage will have", kProfile, 1},
        {"sharing", 0, "HOW", &Arguments::sharing, "fifo", "how messages share a link", kSimulate, 0,
         [] { return std::vector<std::string>{"free", "fifo", "fair"}; }},
        {"trace", 0, "FILE", &Arguments::trace, "", "write a Chrome/Perfetto trace", kSimulate},
        {"self-contained", 0, "", &Arguments::self_contained, "", "copy each stage's weights into the folder", kExport},
        {"actions", 0, "FILE", &Arguments::actions, "",
         "of a training plan whose stages are a chain: write its schedule to FILE, as torch.distributed.pipelining reads it (CSV)",
         kExport},
        {"weights", 0, "WHICH", &Arguments::weights, "file (zoo: random)", kWeightsHelp, kExport | kRun | kProfile, 0, weight_sources},
        {"seed", 0, "N", &Arguments::seed, "0", "of made-up weights and inputs", kExport | kRun | kProfile, 0},
        {"output", 'o', "FOLDER", &Arguments::output, "", "the folder for stage models and manifest", kExport},
        {"output", 'o', "FILE", &Arguments::output, "", "write the costs to FILE (sluice.costs/1)", kProfile},
        {"weights", 0, "WHICH", &Arguments::weights, "none", "whether the file gets weights that can be run", kZoo, 0,
         [] { return std::vector<std::string>{"none", "random"}; }},
        {"output", 'o', "FILE", &Arguments::output, "", "write the graph to FILE (sluice.graph/1)", kInspect},
        {"output", 'o', "FILE", &Arguments::output, "",
         "write the plan to FILE and its certificate beside it (STEM.certificate.json; training: STEM.bottleneck.certificate.json too)",
         kPlan},
        {"output", 'o', "FILE", &Arguments::output, "",
         "write the certificate to FILE (training: that of the bottleneck beside it, as STEM.bottleneck.certificate.json)", kBound},
        {"output", 'o', "FOLDER", &Arguments::output, "",
         "write each plan to FOLDER/plan-kN.json (training: plan-bN-dN.json) and its certificate beside it", kSweep},
        {"output", 'o', "FILE", &Arguments::output, "", "zoo make: write the model to FILE", kZoo},
        {"output", 'o', "FOLDER", &Arguments::output, "runs/demo", "the run folder to make", kDemo},
        {"json", 0, "", &Arguments::json, "", "print JSON on stdout (nothing else changes)",
         kInspect | kSolvers | kVerify | kZoo | kDoctor | kSimulate | kRun | kProfile | kExport | kPolicy},
        {"quiet", 'q', "", &Arguments::quiet, "", "only errors on stderr: no progress, notes or warnings", kEverywhere & ~kTop},
        {"help", 'h', "", &Arguments::help, "", "show help and exit", kEverywhere},
        {"version", 'V', "", &Arguments::version, "", "show the version and exit", kTop},
        {"man", 0, "", &Arguments::man, "", "print the manual page (try: sluice --man | man -l -) and exit", kTop},
    };
}

}  // namespace

std::span<const Verb> verbs() {
    static const std::vector<Verb> table = make_verbs();
    return table;
}

std::span<const Flag> flags() {
    static const std::vector<Flag> table = make_flags();
    return table;
}

const Verb* find_verb(std::string_view name) {
    for (const Verb& verb : verbs())
        if (verb.name == name) return &verb;
    return nullptr;
}

std::vector<const Flag*> flags_of(VerbSet verb) {
    std::vector<const Flag*> list;
    for (const Flag& flag : flags())
        if ((flag.verbs & verb) != 0) list.push_back(&flag);
    return list;
}

std::string synopsis_of(const Flag& flag) {
    const std::string letter = flag.letter != 0 ? std::format("-{}, ", flag.letter) : "";
    const std::string value = flag.value.empty() ? "" : std::format(" {}", flag.value);
    return std::format("{}--{}{}", letter, flag.name, value);
}

std::string usage_of(const Verb& verb) {
    std::string text = std::format("sluice {}", verb.name);
    for (const Positional& positional : verb.positionals)
        text += positional.required ? std::format(" {}", positional.name) : std::format(" [{}]", positional.name);
    return text + " [FLAG...]";
}

}  // namespace sluice::cli
