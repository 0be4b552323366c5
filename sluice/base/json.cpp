#include "sluice/base/json.hpp"

#include <algorithm>
#include <cmath>
#include <format>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "sluice/base/files.hpp"

namespace sluice::json {

namespace {

/// Feeds the parser one byte at a time and counts lines, so that a handler knows where it stands.
class CountingIterator {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    CountingIterator(const char* at, const char** shared_at, std::size_t* line) : at_(at), shared_at_(shared_at), line_(line) {}
    reference operator*() const { return *at_; }
    CountingIterator& operator++() {
        if (*at_ == '\n') ++*line_;
        *shared_at_ = ++at_;
        return *this;
    }
    CountingIterator operator++(int) {
        CountingIterator before = *this;
        ++*this;
        return before;
    }
    friend bool operator==(const CountingIterator& a, const CountingIterator& b) { return a.at_ == b.at_; }

private:
    const char* at_;
    const char** shared_at_;
    std::size_t* line_;
};

struct Frame {
    Node::Value value;  // Array or Object under construction
    std::size_t line;
    std::string key;                       // the key waiting for its value
    std::unordered_set<std::string> keys;  // of an object, against duplicates
};

class Builder {
public:
    using number_integer_t = std::int64_t;
    using number_unsigned_t = std::uint64_t;
    using number_float_t = double;
    using string_t = std::string;
    using binary_t = nlohmann::json::binary_t;

    Builder(std::string file, std::size_t depth) : file_(std::make_shared<const std::string>(std::move(file))), depth_(depth) {}

    std::size_t line = 1;
    const char* cursor = nullptr;
    Node root;
    std::optional<Diagnostic> fault;

    bool null() { return take(nullptr, line); }
    bool boolean(bool value) { return take(value, line); }
    bool number_integer(std::int64_t value) { return take(value, number_line()); }
    bool number_unsigned(std::uint64_t value) {
        if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
            return take(static_cast<double>(value), number_line());
        return take(static_cast<std::int64_t>(value), number_line());
    }
    bool number_float(double value, const std::string&) { return take(value, number_line()); }
    bool string(std::string& value) { return take(std::move(value), line); }
    bool binary(binary_t&) { return refuse("binary data is no JSON"); }
    bool start_object(std::size_t) { return open(Object{}); }
    bool start_array(std::size_t) { return open(Array{}); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }
    bool key(std::string& name) {
        if (!frames_.back().keys.insert(name).second) return refuse(std::format("key '{}' is there twice", name));
        frames_.back().key = std::move(name);
        return true;
    }
    bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& error) {
        // "[json.exception.parse_error.101] parse error at line 3, column 5: syntax error while …": only its last part is for people.
        std::string text = error.what();
        if (const auto colon = text.find(": "); colon != std::string::npos) text.erase(0, colon + 2);
        if (text.size() > 300) text = text.substr(0, 300) + "…";
        return refuse("not valid JSON: " + text);
    }

private:
    /// A number ends at the byte after it, which may be the line break.
    [[nodiscard]] std::size_t number_line() const { return cursor && cursor[-1] == '\n' ? line - 1 : line; }

    bool refuse(std::string message) {
        fault = input_error(std::move(message)).at({*file_, line, 0});
        return false;
    }
    bool open(Node::Value value) {
        if (frames_.size() >= depth_) return refuse(std::format("nested deeper than {} levels", depth_));
        frames_.push_back({std::move(value), line, {}, {}});
        return true;
    }
    bool close() {
        Frame done = std::move(frames_.back());
        frames_.pop_back();
        return take(std::move(done.value), done.line);
    }
    bool take(Node::Value value, std::size_t at) {
        Node node(std::move(value), at, file_);
        if (frames_.empty())
            root = std::move(node);
        else if (auto* array = std::get_if<Array>(&frames_.back().value))
            array->push_back(std::move(node));
        else
            std::get<Object>(frames_.back().value).emplace_back(std::move(frames_.back().key), std::move(node));
        return true;
    }

    std::shared_ptr<const std::string> file_;
    std::size_t depth_;
    std::vector<Frame> frames_;
};

std::string_view name_of(const Node::Value& value) {
    constexpr std::string_view kNames[] = {"null", "a boolean", "an integer", "a number", "a string", "an array", "an object"};
    return kNames[value.index()];
}

Diagnostic expected(std::string_view wanted, const Node::Value& value, const Location& where) {
    return input_error(std::format("expected {}, found {}", wanted, name_of(value))).at(where);
}

void append(std::string& text, const nlohmann::ordered_json& value, std::size_t indent);

template <typename Range, typename Item>
void append_block(std::string& text, const Range& range, std::size_t indent, char opening, char closing, Item item) {
    text += opening;
    bool first = true;
    for (auto it = range.begin(); it != range.end(); ++it) {
        text += first ? "\n" : ",\n";
        first = false;
        text.append(indent + 2, ' ');
        item(it);
    }
    text += '\n';
    text.append(indent, ' ');
    text += closing;
}

std::string scalar_text(const nlohmann::ordered_json& value) {
    return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void append(std::string& text, const nlohmann::ordered_json& value, std::size_t indent) {
    if (!value.is_structured() || value.empty()) {
        text += scalar_text(value);
    } else if (value.is_object()) {
        append_block(text, value, indent, '{', '}', [&](auto it) {
            text += scalar_text(nlohmann::ordered_json(it.key())) + ": ";
            append(text, it.value(), indent + 2);
        });
    } else if (std::none_of(value.begin(), value.end(), [](const auto& item) { return item.is_structured(); })) {
        text += '[';
        for (std::size_t i = 0; i < value.size(); ++i) text += (i ? ", " : "") + scalar_text(value[i]);
        text += ']';
    } else {
        append_block(text, value, indent, '[', ']', [&](auto it) { append(text, *it, indent + 2); });
    }
}

}  // namespace

Result<bool> Node::as_bool() const {
    if (const auto* value = std::get_if<bool>(&value_)) return *value;
    return fail(expected("true or false", value_, where()));
}

Result<bool> Node::as_flag() const {
    if (const auto* value = std::get_if<std::int64_t>(&value_); value && (*value == 0 || *value == 1)) return *value == 1;
    return as_bool();
}

Result<std::int64_t> Node::as_int() const {
    if (const auto* value = std::get_if<std::int64_t>(&value_)) return *value;
    if (const auto* value = std::get_if<double>(&value_)) {
        if (!(*value >= -0x1.0p63 && *value < 0x1.0p63))
            return fail(input_error(std::format("{:g} does not fit a signed 64-bit integer", *value)).at(where()));
        if (*value == std::floor(*value)) return static_cast<std::int64_t>(*value);
    }
    return fail(expected("an integer", value_, where()));
}

Result<std::int64_t> Node::as_count() const {
    const auto value = as_int();
    if (value && *value < 0) return fail(input_error(std::format("{} is negative; it must be at least 0", *value)).at(where()));
    return value;
}

Result<double> Node::as_number() const {
    if (const auto* value = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*value);
    if (const auto* value = std::get_if<double>(&value_); value && std::isfinite(*value)) return *value;
    return fail(expected("a number", value_, where()));
}

Result<std::string> Node::as_string() const {
    if (const auto* value = std::get_if<std::string>(&value_)) return *value;
    return fail(expected("a string", value_, where()));
}

Result<const Array*> Node::as_array() const {
    if (const auto* value = std::get_if<Array>(&value_)) return value;
    return fail(expected("an array", value_, where()));
}

Result<const Object*> Node::as_object() const {
    if (const auto* value = std::get_if<Object>(&value_)) return value;
    return fail(expected("an object", value_, where()));
}

Result<Duration> Node::as_duration() const {
    return as_count().transform([](std::int64_t count) { return Duration{count}; });
}

Result<Bytes> Node::as_bytes() const {
    return as_count().transform([](std::int64_t count) { return Bytes{count}; });
}

const Node* Node::find(std::string_view key) const {
    if (const auto* object = std::get_if<Object>(&value_))
        for (const auto& [name, node] : *object)
            if (name == key) return &node;
    return nullptr;
}

Result<const Node*> Node::get(std::string_view key) const {
    if (!is_object()) return fail(expected(std::format("an object with the key '{}'", key), value_, where()));
    if (const Node* node = find(key)) return node;
    return fail(input_error(std::format("missing key '{}'", key)).at(where()));
}

Result<void> Node::expect_keys(std::initializer_list<std::string_view> allowed) const {
    const auto object = as_object();
    if (!object) return fail(object.error());
    for (const auto& [name, node] : **object) {
        if (std::ranges::find(allowed, std::string_view(name)) != allowed.end()) continue;
        Diagnostic diagnostic = input_error(std::format("unknown key '{}'", name)).at(node.where());
        const std::string_view near = nearest_match(name, std::span<const std::string_view>(allowed.begin(), allowed.size()));
        if (!near.empty()) diagnostic.help = std::format("did you mean '{}'?", near);
        return fail(std::move(diagnostic));
    }
    return {};
}

Result<void> Node::expect_format(std::string_view tag) const {
    auto node = get("format");
    if (!node) return fail(std::move(node.error()).fix(std::format("a file of this kind begins with \"format\": \"{}\"", tag)));
    const auto found = (*node)->as_string();
    if (!found) return fail(found.error());
    if (*found == tag) return {};
    const bool version = found->substr(0, found->find('/')) == tag.substr(0, tag.find('/'));
    return fail(input_error(version ? std::format("this is '{}', and this sluice reads '{}'", *found, tag)
                                    : std::format("this is a '{}' file, a '{}' file is needed", *found, tag))
                    .at((*node)->where()));
}

Result<Node> parse(std::string_view text, std::string file, const ParseOptions& options) {
    Builder builder(std::move(file), options.depth);
    const CountingIterator begin(text.data(), &builder.cursor, &builder.line);
    const CountingIterator end(text.data() + text.size(), &builder.cursor, &builder.line);
    const bool whole = nlohmann::json::sax_parse(begin, end, &builder);
    if (builder.fault) return fail(std::move(*builder.fault));
    if (!whole) return fail({DiagnosticKind::internal, "the JSON parser stopped without a reason", {}, {}, {}});
    return std::move(builder.root);
}

Result<Node> parse_file(const std::filesystem::path& path, const ParseOptions& options) {
    auto text = read_file(path);
    if (!text) return fail(std::move(text.error()));
    return parse(*text, path.string(), options);
}

std::string to_file_text(const nlohmann::ordered_json& value) {
    std::string text;
    append(text, value, 0);
    text += '\n';
    return text;
}

}  // namespace sluice::json
