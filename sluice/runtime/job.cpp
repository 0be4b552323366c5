#include "sluice/runtime/job.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "sluice/program/program_file.hpp"
#include "sluice/runtime/fields.hpp"

namespace sluice::runtime {

namespace {

using nlohmann::ordered_json;

template <typename T>
ordered_json or_null(const std::optional<T>& value) {
    return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json or_null(const std::optional<std::filesystem::path>& path) {
    return path ? ordered_json(path->string()) : ordered_json(nullptr);
}

std::optional<std::filesystem::path> read_path(const Fields& fields, std::string_view key) {
    if (fields.is_null(key)) return std::nullopt;
    return fields.text(key);
}

}  // namespace

std::string to_json_text(const Job& job) {
    return json::to_file_text({{"format", kJobFormat},
                               {"stages", job.stages.string()},
                               {"inputs", or_null(job.inputs)},
                               {"seconds", or_null(job.seconds)},
                               {"warm_up", job.warm_up},
                               {"input", or_null(job.input)},
                               {"output", or_null(job.output)},
                               {"distinct_inputs", job.distinct_inputs},
                               {"seed", std::to_string(job.seed)},
                               {"deliver", job.deliver},
                               {"threads", job.threads},
                               {"optimisation", job.optimisation},
                               {"patience", job.patience},
                               {"synchronous_sends", job.synchronous_sends},
                               {"program", program::to_json(job.program)}});
}

Result<Job> read_job_file(const std::filesystem::path& path) {
    const auto document = json::parse_file(path);
    if (!document) return fail(document.error());
    if (auto fine = document->expect_format(kJobFormat); !fine) return fail(std::move(fine.error()));
    std::optional<Diagnostic> fault;
    const Fields fields(*document,
                        {"format", "stages", "inputs", "seconds", "warm_up", "input", "output", "distinct_inputs", "seed", "deliver",
                         "threads", "optimisation", "patience", "synchronous_sends", "program"},
                        fault);
    Job job;
    job.stages = fields.text("stages");
    if (!fields.is_null("inputs")) job.inputs = fields.count("inputs");
    if (!fields.is_null("seconds")) job.seconds = fields.positive_number("seconds");
    job.warm_up = fields.count("warm_up");
    job.input = read_path(fields, "input");
    job.output = read_path(fields, "output");
    job.distinct_inputs = fields.positive("distinct_inputs");
    // Text: a JSON number ends at 2^63 for our reader, a seed at 2^64.
    const std::string seed = fields.text("seed");
    if (const auto [end, error] = std::from_chars(seed.data(), seed.data() + seed.size(), job.seed);
        error != std::errc{} || end != seed.data() + seed.size())
        fields.refuse(input_error(std::format("'{}' is no seed; 0 to 18446744073709551615 are", seed)).at(fields.at("seed").where()));
    job.deliver = fields.truth("deliver");
    job.threads = fields.positive("threads");
    job.optimisation = static_cast<int>(fields.count("optimisation"));
    job.patience = fields.positive_number("patience");
    job.synchronous_sends = fields.truth("synchronous_sends");
    if (fault) return fail(*std::move(fault));
    auto program = program::read_program(fields.at("program"));
    if (!program) return fail(std::move(program.error()));
    job.program = *std::move(program);
    if (!job.inputs && !job.seconds && !job.input)
        return fail(input_error("a job says how many 'inputs', for how many 'seconds', or which 'input' file").at(document->where()));
    return job;
}

}  // namespace sluice::runtime
