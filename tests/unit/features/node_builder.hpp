// A node and the facts about its tensors in one expression: operators({"Conv"}).input({1, 3, 8, 8}).parameter({4, 3, 3, 3}).output({1, 4,
// 6, 6})
#pragma once

#include <onnx/onnx_pb.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sluice/onnx/features.hpp"

namespace sluice::onnx::test {

using graph::DataType;
using Shape = std::vector<std::int64_t>;

class NodeBuilder {
public:
    explicit NodeBuilder(const std::string& type, const std::string& domain = "", std::int64_t opset = 17) {
        node_->set_op_type(type);
        node_->set_domain(domain);
        facts_.node = node_.get();
        facts_.opset = opset;
    }
    NodeBuilder& input(Shape shape, DataType type = DataType::f32) { return add_input(std::move(shape), type, false, {}); }
    NodeBuilder& parameter(Shape shape, DataType type = DataType::f32) { return add_input(std::move(shape), type, true, {}); }
    NodeBuilder& constant(std::vector<std::int64_t> values) {
        const auto size = static_cast<std::int64_t>(values.size());
        add_input({size}, DataType::i64, true, {});
        facts_.inputs.back()->value = std::move(values);
        return *this;
    }
    NodeBuilder& same_input(int as) {  // an earlier operand once more
        node_->add_input(node_->input(as));
        facts_.inputs.push_back(facts_.inputs[static_cast<std::size_t>(as)]);
        return *this;
    }
    NodeBuilder& unknown_input(DataType type = DataType::f32) {
        add_input({}, type, false, {});
        facts_.inputs.back()->shape_known = false;
        return *this;
    }
    NodeBuilder& untrained_input(Shape shape) {  // nothing trained lies upstream
        input(std::move(shape));
        facts_.inputs.back()->needs_gradient = false;
        return *this;
    }
    NodeBuilder& no_input() {
        node_->add_input("");
        facts_.inputs.emplace_back(std::nullopt);
        return *this;
    }
    NodeBuilder& output(Shape shape, DataType type = DataType::f32) {
        node_->add_output("out" + std::to_string(facts_.outputs.size()));
        facts_.outputs.push_back(
            TensorFacts{.type = type, .shape = std::move(shape), .shape_known = true, .parameter = false, .value = {}});
        return *this;
    }
    NodeBuilder& no_output() {
        node_->add_output("");
        facts_.outputs.emplace_back(std::nullopt);
        return *this;
    }
    NodeBuilder& captured(const std::string& name, Shape shape, DataType type, bool parameter) {
        facts_.captured.push_back(
            TensorFacts{.type = type, .shape = std::move(shape), .shape_known = true, .parameter = parameter, .value = {}});
        facts_.captured_names.push_back(name);
        return *this;
    }
    NodeBuilder& set(const std::string& name, std::int64_t value) {
        auto* attribute = add_attribute(name, ::onnx::AttributeProto::INT);
        attribute->set_i(value);
        return *this;
    }
    NodeBuilder& set(const std::string& name, const std::string& value) {
        add_attribute(name, ::onnx::AttributeProto::STRING)->set_s(value);
        return *this;
    }
    NodeBuilder& set(const std::string& name, const char* value) { return set(name, std::string(value)); }
    NodeBuilder& set(const std::string& name, const Shape& values) {
        auto* attribute = add_attribute(name, ::onnx::AttributeProto::INTS);
        for (const std::int64_t value : values) attribute->add_ints(value);
        return *this;
    }
    NodeBuilder& set_floats(const std::string& name, int count) {
        auto* attribute = add_attribute(name, ::onnx::AttributeProto::FLOATS);
        for (int i = 0; i < count; ++i) attribute->add_floats(1);
        return *this;
    }
    ::onnx::GraphProto& body(const std::string& name) { return *add_attribute(name, ::onnx::AttributeProto::GRAPH)->mutable_g(); }

    [[nodiscard]] const OperatorFacts& facts() const { return facts_; }
    [[nodiscard]] graph::Features features() const { return features_of(facts_); }

private:
    NodeBuilder& add_input(Shape shape, DataType type, bool parameter, std::optional<std::vector<std::int64_t>> value) {
        node_->add_input("in" + std::to_string(facts_.inputs.size()));
        facts_.inputs.push_back(
            TensorFacts{.type = type, .shape = std::move(shape), .shape_known = true, .parameter = parameter, .value = std::move(value)});
        return *this;
    }
    ::onnx::AttributeProto* add_attribute(const std::string& name, ::onnx::AttributeProto::AttributeType type) {
        auto* attribute = node_->add_attribute();
        attribute->set_name(name);
        attribute->set_type(type);
        return attribute;
    }

    std::unique_ptr<::onnx::NodeProto> node_ = std::make_unique<::onnx::NodeProto>();
    OperatorFacts facts_;
};

}  // namespace sluice::onnx::test
