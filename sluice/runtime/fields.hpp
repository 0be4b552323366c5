// Members of a JSON object, read one line a key: the first failure of a document is kept and everything after it reads as a default.
// Private to this layer.
#pragma once

#include <filesystem>
#include <format>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/base/json.hpp"

namespace sluice::runtime {

class Fields {
public:
    Fields(const json::Node& node, std::initializer_list<std::string_view> keys, std::optional<Diagnostic>& fault)
        : node_(&node), fault_(&fault) {
        if (auto known = node.expect_keys(keys); !known) refuse(std::move(known.error()));
    }

    void refuse(Diagnostic diagnostic) const {
        if (!*fault_) *fault_ = std::move(diagnostic);
    }
    template <typename T>
    T take(Result<T> value) const {
        if (value) return *std::move(value);
        refuse(std::move(value.error()));
        return T{};
    }
    /// An empty node where there is none.
    [[nodiscard]] const json::Node& at(std::string_view key) const {
        static const json::Node kNothing;
        const json::Node* found = take(node_->get(key));
        return found != nullptr ? *found : kNothing;
    }
    [[nodiscard]] bool is_null(std::string_view key) const { return at(key).is_null(); }
    [[nodiscard]] bool truth(std::string_view key) const { return take(at(key).as_bool()); }
    [[nodiscard]] std::string text(std::string_view key) const { return take(at(key).as_string()); }
    [[nodiscard]] std::int64_t count(std::string_view key) const { return take(at(key).as_count()); }
    [[nodiscard]] std::int64_t positive(std::string_view key) const {
        const std::int64_t value = count(key);
        if (value == 0) refuse(input_error(std::format("'{}' is 0; it must be at least 1", key)).at(at(key).where()));
        return value;
    }
    [[nodiscard]] double number(std::string_view key) const { return take(at(key).as_number()); }
    [[nodiscard]] double positive_number(std::string_view key) const {
        const double value = number(key);
        if (!(value > 0)) refuse(input_error(std::format("'{}' is {}; it must be above 0", key, value)).at(at(key).where()));
        return value;
    }
    [[nodiscard]] std::vector<std::string> texts(std::string_view key) const {
        std::vector<std::string> list;
        if (const json::Array* items = take(at(key).as_array()))
            for (const json::Node& item : *items) list.push_back(take(item.as_string()));
        return list;
    }

private:
    const json::Node* node_;
    std::optional<Diagnostic>* fault_;
};

}  // namespace sluice::runtime
