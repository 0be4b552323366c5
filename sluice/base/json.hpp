// Reading JSON with lines: a Node knows where it stood in the file, so that every complaint names a line, and a reader
// that has asked for its keys can refuse the rest with a nearest match. Writing is nlohmann's ordered_json.
// Parsing is linear, depth-limited (a nested bomb is a Diagnostic), refuses duplicate keys and numbers beyond their type.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sluice/base/diagnostic.hpp"
#include "sluice/base/units.hpp"

namespace sluice::json {

class Node;
using Array = std::vector<Node>;
using Member = std::pair<std::string, Node>;
using Object = std::vector<Member>;  // in file order

class Node {
public:
    using Value = std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object>;

    Node() = default;
    Node(Value value, std::size_t line, std::shared_ptr<const std::string> file)
        : value_(std::move(value)), line_(line), file_(std::move(file)) {}

    [[nodiscard]] Location where() const { return {file_ ? *file_ : std::string{}, line_, 0}; }
    [[nodiscard]] bool is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }
    [[nodiscard]] bool is_object() const { return std::holds_alternative<Object>(value_); }
    [[nodiscard]] bool is_array() const { return std::holds_alternative<Array>(value_); }

    // Each of these fails with "expected X, found Y" at this node's line.
    [[nodiscard]] Result<bool> as_bool() const;           // true, false (0 and 1 only by `as_flag`)
    [[nodiscard]] Result<bool> as_flag() const;           // true, false, 0, 1: some published files write numbers
    [[nodiscard]] Result<std::int64_t> as_int() const;    // an integer (1.0 is one)
    [[nodiscard]] Result<std::int64_t> as_count() const;  // an integer >= 0
    [[nodiscard]] Result<double> as_number() const;       // finite
    [[nodiscard]] Result<std::string> as_string() const;
    [[nodiscard]] Result<const Array*> as_array() const;
    [[nodiscard]] Result<const Object*> as_object() const;
    [[nodiscard]] Result<Duration> as_duration() const;  // integer picoseconds >= 0
    [[nodiscard]] Result<Bytes> as_bytes() const;        // integer >= 0

    /// The member, or null when this is no object or has none.
    [[nodiscard]] const Node* find(std::string_view key) const;
    /// The member; fails with "missing key 'k'".
    [[nodiscard]] Result<const Node*> get(std::string_view key) const;
    /// Fails when this is not an object, or holds a key outside `allowed` (with the nearest of them).
    [[nodiscard]] Result<void> expect_keys(std::initializer_list<std::string_view> allowed) const;
    /// Fails unless member "format" is exactly `tag` ("sluice.plan/1"); tells a wrong version from a wrong format.
    [[nodiscard]] Result<void> expect_format(std::string_view tag) const;

private:
    Value value_ = nullptr;
    std::size_t line_ = 0;
    std::shared_ptr<const std::string> file_;
};

struct ParseOptions {
    std::size_t depth = 128;
};

/// `file` is what diagnostics call the text.
[[nodiscard]] Result<Node> parse(std::string_view text, std::string file, const ParseOptions& options = {});
[[nodiscard]] Result<Node> parse_file(const std::filesystem::path& path, const ParseOptions& options = {});

/// How every file of ours looks: two-space indent, one trailing newline, arrays of scalars on one line; bytes are the same for equal
/// values.
[[nodiscard]] std::string to_file_text(const nlohmann::ordered_json& value);

}  // namespace sluice::json
