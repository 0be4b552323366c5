// Private to this layer.
// Sizes that do not follow from the file: bound by --dim, bounded by rule, or assumed by --assume-size; and the record of each, grouped,
// for the plan file and `inspect`.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sluice/base/diagnostic.hpp"
#include "sluice/onnx/import/shapes.hpp"

namespace sluice::onnx {

class Sizes {
public:
    explicit Sizes(const ImportOptions& options) : options_(options) {}

    /// Reads --dim against the model. Diagnostics: names nothing (nearest match), no positive size; a negative size in the file.
    Result<void> prepare(const Scope& top, const std::string& file, ShapeReport& report);
    /// The type with its bound symbols replaced by sizes.
    [[nodiscard]] ::onnx::TypeProto with_bound_symbols(const ::onnx::TypeProto& type, TensorInfo& tensor);
    /// --dim TENSOR.axis=value.
    void bind(TensorInfo& tensor);
    /// A model input that is still open: its sizes as --assume-size has them, or a note of what is missing.
    void settle_input(TensorInfo& input, ShapeReport& report);
    /// Fills open sizes by their upper bounds (-1: none), or by --assume-size where that is lower.
    void bound(TensorInfo& tensor, const Shape& bounds, const NodeLinks& links);
    /// Fills what is open by --assume-size, if given.
    void assume(TensorInfo& tensor, const NodeLinks& links);
    /// Notes where knowledge ends: an operator with known inputs and an open output.
    void origin(const TensorInfo& tensor, const NodeLinks& links, ShapeReport& report);
    /// Iterations of a Loop: exact, a bound (then it varies) or not known.
    [[nodiscard]] std::optional<std::int64_t> trip_count(const NodeLinks& links, bool& varies);
    /// Outputs of two branches; of two sizes the larger is taken as a bound.
    [[nodiscard]] ::onnx::TypeProto join_branches(const ::onnx::TypeProto& a, const ::onnx::TypeProto& b, const NodeLinks& links,
                                                  bool& varies);
    void finish(ShapeReport& report) const;
    /// The first contradiction met.
    [[nodiscard]] const std::optional<Diagnostic>& failure() const { return failure_; }

private:
    struct Record {
        std::string before, after;       // "data-dependent size of", "taken as its upper bound 128"
        std::vector<std::string> names;  // the first few
        std::unordered_set<std::string> seen;
    };
    void note(const std::string& before, const std::string& after, std::string_view name);
    Result<void> read_dimension(const Scope& top, const std::string& name, std::int64_t value, const std::string& file,
                                ShapeReport& report);
    Result<void> check_declared(const Scope& scope, const std::string& file);

    const ImportOptions& options_;
    std::map<std::string, std::int64_t> symbols_;  // bound
    std::vector<std::string> known_symbols_;       // in the file, in order of appearance
    std::unordered_map<const TensorInfo*, std::map<std::size_t, std::int64_t>> axes_;
    std::vector<Record> records_;
    std::unordered_map<std::string, std::size_t> record_of_;
    std::unordered_set<const void*> noted_;
    std::optional<Diagnostic> failure_;
};

}  // namespace sluice::onnx
