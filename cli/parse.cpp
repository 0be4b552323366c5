#include "cli/parse.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>
#include <format>

namespace sluice::cli {

namespace {

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool is_integer(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

Result<std::int64_t> integer_of(std::string_view text, std::string_view what, std::int64_t minimum) {
    const auto value = parse_number<std::int64_t>(text);
    if (value && *value >= minimum) return *value;
    if (value || (is_integer(text) && text.starts_with('-')))
        return fail(usage_error(std::format("{} is {}: it must be at least {}", what, text, minimum)));
    if (is_integer(text)) return fail(usage_error(std::format("{} is {}: the largest number it can be is {}", what, text, INT64_MAX)));
    return fail(usage_error(std::format("{} takes a whole number, not '{}'", what, text)));
}

Result<Duration> time_of(std::string_view text, std::string_view what) {
    auto value = parse_duration(text);
    if (!value && text.ends_with("min"))
        if (const auto minutes = parse_number<double>(text.substr(0, text.size() - 3)))
            value = parse_duration(std::format("{}s", *minutes * 60));
    if (!value) value = parse_duration(std::string(text) + "s");  // a bare number is in seconds
    if (!value || value->count() < 0)
        return fail(usage_error(std::format("{} takes a time, not '{}'", what, text)).fix("for example 10, 10s or 2min"));
    return *value;
}

Result<double> share_of(std::string_view text, std::string_view what) {
    const bool percent = text.ends_with('%');
    const auto value = parse_number<double>(percent ? text.substr(0, text.size() - 1) : text);
    const double share = value ? *value / (percent ? 100 : 1) : -1;
    if (!std::isfinite(share) || share < 0 || share > 1)
        return fail(
            usage_error(std::format("{} takes a share from 0 to 1 (or a percentage), not '{}'", what, text)).fix("for example 0.01 or 1%"));
    return share;
}

Result<std::string> choice_of(std::string_view text, std::string_view what, const std::vector<std::string>& choices) {
    if (std::ranges::find(choices, text) != choices.end()) return std::string(text);
    std::string list;
    for (const std::string& choice : choices) list += (list.empty() ? "" : ", ") + choice;
    const std::string near = nearest_match(text, std::span<const std::string>(choices));
    auto diagnostic = usage_error(std::format("{} cannot be '{}'", what, text)).note(std::format("it is one of: {}", list));
    return fail(near.empty() ? std::move(diagnostic) : std::move(diagnostic).fix(std::format("did you mean '{}'?", near)));
}

/// Puts one value where its flag says.
struct Store {
    const Flag& flag;
    const std::string& text;
    Arguments& arguments;
    std::string what = std::format("--{}", flag.name);

    Result<void> operator()(bool Arguments::* target) const {
        arguments.*target = true;
        return {};
    }
    Result<void> operator()(std::optional<std::string> Arguments::* target) const {
        if (text.empty()) return fail(usage_error(std::format("{} is empty", what)));
        if (text.size() > 1 && text.starts_with('-'))
            return fail(usage_error(std::format("{} needs a value, and '{}' looks like a flag", what, text))
                            .fix("a file of that name is written ./" + text));
        if (flag.choices == nullptr || flag.open_choices) return put(target, Result<std::string>(text));
        return put(target, choice_of(text, what, flag.choices()));
    }
    Result<void> operator()(std::optional<std::int64_t> Arguments::* target) const {
        return put(target, integer_of(text, what, flag.minimum));
    }
    Result<void> operator()(std::optional<Duration> Arguments::* target) const { return put(target, time_of(text, what)); }
    Result<void> operator()(std::optional<double> Arguments::* target) const { return put(target, share_of(text, what)); }
    Result<void> operator()(std::vector<std::pair<std::string, std::int64_t>> Arguments::* target) const {
        const std::size_t equals = text.rfind('=');
        if (equals == std::string::npos || equals == 0)
            return fail(usage_error(std::format("{} takes NAME=VALUE, not '{}'", what, text)).fix("for example --dim batch=8"));
        const std::string name = text.substr(0, equals);
        auto value = integer_of(std::string_view(text).substr(equals + 1), std::format("{} {}", what, name), flag.minimum);
        if (!value) return fail(std::move(value.error()));
        auto& list = arguments.*target;
        const auto known = std::ranges::find(list, name, &std::pair<std::string, std::int64_t>::first);
        if (known != list.end() && known->second != *value)
            return fail(usage_error(std::format("{} {} is given as {} and as {}", what, name, known->second, *value)));
        if (known == list.end()) list.emplace_back(name, *value);
        return {};
    }

private:
    template <typename Value>
    Result<void> put(std::optional<Value> Arguments::* target, Result<Value> value) const {
        if (!value) return fail(std::move(value.error()));
        arguments.*target = std::move(*value);
        return {};
    }
};

Diagnostic unknown_flag(std::string_view word, VerbSet verb, std::string_view call) {
    const std::string_view name = word.substr(0, word.find('='));
    std::vector<std::string> here;
    for (const Flag* flag : flags_of(verb)) here.push_back(std::format("--{}", flag->name));
    auto diagnostic = usage_error(std::format("{} has no flag '{}'", call, name));
    if (const std::string near = nearest_match(name, std::span<const std::string>(here)); !near.empty())
        return std::move(diagnostic).fix(std::format("did you mean '{}'?", near));
    return std::move(diagnostic).fix(std::format("`{} --help` lists its flags", call));
}

/// Flags and positional words of `verb` (null: of sluice itself).
Result<Arguments> parse_words(std::span<const std::string> words, const Verb* verb) {
    const VerbSet set = verb != nullptr ? in(verb->id) : kTop;
    const std::string call = verb != nullptr ? std::format("sluice {}", verb->name) : "sluice";
    const std::vector<const Flag*> table = flags_of(set);

    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    std::deque<std::vector<std::string>> values(table.size());
    std::deque<bool> given(table.size(), false);
    for (std::size_t i = 0; i < table.size(); ++i) {
        const Flag& flag = *table[i];
        const std::string names = (flag.letter != 0 ? std::format("-{},", flag.letter) : "") + std::format("--{}", flag.name);
        if (flag.value.empty())
            app.add_flag(names, given[i]);
        else
            app.add_option(names, values[i])
                ->type_name(std::string(flag.value))
                ->expected(1)
                ->allow_extra_args(false)
                ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }
    try {
        app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 takes them last first
    } catch (const CLI::ParseError& error) {
        return fail(usage_error(std::format("{}: {}", call, error.what())).fix(std::format("`{} --help` shows what it takes", call)));
    }

    Arguments arguments;
    std::vector<std::string> positionals;
    bool only_words = false;  // after "--"
    for (const std::string& word : app.remaining()) {
        if (word == "--" && !only_words)
            only_words = true;
        else if (!only_words && word.size() > 1 && word.starts_with('-'))
            return fail(unknown_flag(word, set, call));
        else
            positionals.push_back(word);
    }
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (given[i]) values[i].assign(1, "");
        for (const std::string& value : values[i])
            if (auto stored = std::visit(Store{*table[i], value, arguments}, table[i]->target); !stored)
                return fail(std::move(stored.error()));
    }
    if (arguments.help || verb == nullptr) return arguments;

    const auto& expected = verb->positionals;
    if (positionals.size() > expected.size())
        return fail(usage_error(std::format("{} does not take '{}'", call, positionals[expected.size()]))
                        .fix(std::format("usage: {}", usage_of(*verb))));
    for (std::size_t i = 0; i < expected.size(); ++i) {
        if (i < positionals.size()) {
            if (expected[i].choices != nullptr && !expected[i].open_choices)
                if (auto chosen = choice_of(positionals[i], expected[i].name, expected[i].choices()); !chosen)
                    return fail(std::move(chosen.error()));
            arguments.*expected[i].target = positionals[i];
        } else if (expected[i].required)
            return fail(usage_error(std::format("{} needs {}: {}", call, expected[i].name, expected[i].help))
                            .fix(std::format("usage: {}", usage_of(*verb))));
    }
    return arguments;
}

Diagnostic unknown_verb(const std::string& word) {
    std::vector<std::string> names;
    std::string list;
    for (const Verb& verb : verbs()) {
        names.emplace_back(verb.name);
        list += (list.empty() ? "" : ", ") + names.back();
    }
    auto diagnostic = usage_error(std::format("sluice has no verb '{}'", word)).note(std::format("the verbs are: {}", list));
    const std::string near = nearest_match(word, std::span<const std::string>(names));
    return near.empty() ? std::move(diagnostic).fix("`sluice --help` says what each does")
                        : std::move(diagnostic).fix(std::format("did you mean '{}'?", near));
}

}  // namespace

Result<Call> parse_call(std::span<const std::string> words) {
    Call call;
    if (words.empty()) return fail(usage_error("sluice needs a verb").fix("`sluice --help` lists them; `sluice demo` shows what it does"));
    if (words.front() == "help") {  // what many type first: `sluice help plan` is `sluice plan --help`
        std::vector<std::string> turned(words.begin() + 1, words.end());
        turned.emplace_back("--help");
        return parse_call(turned);
    }
    if (!words.front().starts_with('-')) {
        call.verb = find_verb(words.front());
        if (call.verb == nullptr) return fail(unknown_verb(words.front()));
        words = words.subspan(1);
    }
    auto arguments = parse_words(words, call.verb);
    if (!arguments) return fail(std::move(arguments.error()));
    call.arguments = std::move(*arguments);
    if (call.verb == nullptr && !call.arguments.help && !call.arguments.version && !call.arguments.man)
        return fail(usage_error("sluice needs a verb before its flags").fix("for example `sluice plan MODEL -k 8`"));
    return call;
}

}  // namespace sluice::cli
