#include <algorithm>
#include <filesystem>
#include <format>
#include <nlohmann/json.hpp>

#include "cli/planning.hpp"
#include "cli/shell.hpp"
#include "cli/terminal.hpp"
#include "cli/verbs.hpp"
#include "sluice/base/json.hpp"
#include "sluice/onnx/zoo.hpp"
#include "sluice/report/table.hpp"
#include "sluice/report/text.hpp"

namespace sluice::cli {

namespace {

Result<const onnx::ZooEntry*> find_entry(const std::string& name) {
    std::vector<std::string> names;
    for (const onnx::ZooEntry& entry : onnx::zoo_entries()) {
        if (entry.name == name) return &entry;
        names.emplace_back(entry.name);
    }
    auto diagnostic = usage_error(std::format("the zoo has no model '{}'", name));
    const std::string near = nearest_match(name, std::span<const std::string>(names));
    return fail(std::move(diagnostic).fix(near.empty() ? "`sluice zoo list` shows them" : std::format("did you mean '{}'?", near)));
}

nlohmann::ordered_json entry_json(const onnx::ZooEntry& entry) {
    auto parameters = nlohmann::ordered_json::array();
    for (const onnx::ZooParameter& parameter : entry.parameters)
        parameters.push_back({{"name", parameter.name}, {"default", parameter.value}, {"meaning", parameter.meaning}});
    return {{"name", entry.name}, {"description", entry.description}, {"parameters", std::move(parameters)}};
}

std::string list_text() {
    report::Table table{{{"model", report::Align::left}, {"what", report::Align::left}, {"sizes", report::Align::left}}, {}};
    for (const onnx::ZooEntry& entry : onnx::zoo_entries()) {
        std::string sizes;
        for (const onnx::ZooParameter& parameter : entry.parameters)
            sizes += std::format("{}{}={}", sizes.empty() ? "" : ",", parameter.name, parameter.value);
        table.rows.push_back({std::string(entry.name), std::string(entry.description), sizes});
    }
    return report::table_text(table);
}

std::string entry_text(const onnx::ZooEntry& entry) {
    report::Table table{{{"size", report::Align::left}, {"default"}, {"meaning", report::Align::left}}, {}};
    for (const onnx::ZooParameter& parameter : entry.parameters)
        table.rows.push_back({std::string(parameter.name), std::to_string(parameter.value), std::string(parameter.meaning)});
    return std::format("zoo:{}: {}\n\n", entry.name, entry.description) + report::table_text(table);
}

Result<Outcome> list(Session& session) {
    const Arguments& arguments = session.arguments;
    if (!arguments.name) {
        auto all = nlohmann::ordered_json::array();
        for (const onnx::ZooEntry& entry : onnx::zoo_entries()) all.push_back(entry_json(entry));
        session.terminal.hint("sluice inspect zoo:bert-base");
        return Outcome{arguments.json ? json::to_file_text(all) : list_text()};
    }
    const auto entry = find_entry(*arguments.name);
    if (!entry) return fail(entry.error());
    return Outcome{arguments.json ? json::to_file_text(entry_json(**entry)) : entry_text(**entry)};
}

Result<Outcome> make(Session& session) {
    const Arguments& arguments = session.arguments;
    if (!arguments.name) return fail(usage_error("sluice zoo make needs NAME: which model").fix("`sluice zoo list` shows them"));
    if (!arguments.output)
        return fail(usage_error("sluice zoo make needs -o FILE: where to write the model")
                        .fix(std::format("sluice zoo make {} -o model.onnx", shell_word(*arguments.name))));
    if (auto checked = check_output(arguments.output); !checked) return fail(std::move(checked.error()));
    const auto weights = arguments.weights == "random" ? onnx::ZooWeights::random : onnx::ZooWeights::none;
    auto written = onnx::zoo_write(*arguments.name, weights, static_cast<std::uint64_t>(arguments.seed.value_or(0)), *arguments.output);
    if (!written) return fail(std::move(written.error()));
    std::error_code error;
    const auto size = std::filesystem::file_size(*arguments.output, error);
    session.terminal.say(
        std::format("wrote {}{}", *arguments.output, error ? "" : std::format(" ({})", to_text(Bytes{static_cast<std::int64_t>(size)}))));
    session.terminal.hint(std::format("sluice inspect {}", shell_word(*arguments.output)));
    if (!arguments.json) return Outcome{};
    return Outcome{
        json::to_file_text(nlohmann::ordered_json{{"model", *arguments.name}, {"file", *arguments.output}, {"bytes", error ? 0 : size}})};
}

}  // namespace

Result<Outcome> run_zoo(Session& session) { return session.arguments.action == "make" ? make(session) : list(session); }

}  // namespace sluice::cli
