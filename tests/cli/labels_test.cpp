// "operator 5" in a Diagnostic of a layer that knows no names gets its name.
#include <gtest/gtest.h>

#include "cli/planning.hpp"

namespace sluice::cli {
namespace {

graph::Graph three() {
    graph::GraphBuilder builder("three");
    TensorId before = builder.add_tensor({"x", graph::DataType::f32, {}, true, false, {4}, false});
    for (const char* name : {"a", "b", "c"}) {
        const TensorId after = builder.add_tensor({std::string(name) + "_out", graph::DataType::f32, {}, true, false, {4}, false});
        graph::Operator op;
        op.name = name;
        builder.add_operator(op, std::span(&before, 1), std::span(&after, 1));
        before = after;
    }
    return std::move(builder).build().value();
}

std::vector<std::string> notes_for(std::string message) { return with_labels(input_error(std::move(message)), three()).notes; }

TEST(WithLabels, NamesEachOperatorOnce) {
    EXPECT_EQ(notes_for("operator 1 alone needs 9 MiB"), (std::vector<std::string>{"operator 1 is 'b'"}));
    EXPECT_EQ(notes_for("node 7 (operators 2, 0) and node 0 (operator 0)"),
              (std::vector<std::string>{"operator 2 is 'c'", "operator 0 is 'a'"}));
}

TEST(WithLabels, NamesTheOperatorsOfNotesToo) {
    EXPECT_EQ(with_labels(input_error("a cycle").note("operator 2 feeds operator 0"), three()).notes,
              (std::vector<std::string>{"operator 2 feeds operator 0", "operator 2 is 'c'", "operator 0 is 'a'"}));
}

TEST(WithLabels, LeavesOtherTextAlone) {
    EXPECT_TRUE(notes_for("operator 1 'b' is in no stage").empty()) << "it has its name";
    EXPECT_TRUE(notes_for("operator 3 does not exist").empty());
    EXPECT_TRUE(notes_for("no operators").empty());
    EXPECT_TRUE(notes_for("operator 'a' has 2 inputs").empty());
    EXPECT_TRUE(notes_for("operator").empty());
    EXPECT_TRUE(notes_for("operators 99999999999999999999999999, 1").empty());
}

}  // namespace
}  // namespace sluice::cli
