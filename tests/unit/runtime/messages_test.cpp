#include "sluice/runtime/messages.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace sluice::runtime {
namespace {

Failed failed(std::string message, std::vector<std::string> notes = {}) {
    return {
        .rank = 3, .input = 17, .diagnostic = {DiagnosticKind::internal, std::move(message), {"a.onnx", 3, 4}, std::move(notes), "fix"}};
}

Status status(std::string state) {
    Status result;
    result.state = std::move(state);
    return result;
}

TEST(Messages, AreOneLineOfJson) {
    EXPECT_EQ(to_line(Delivered{.inputs = 12, .seconds = 0.5}), R"({"sluice":"delivered","inputs":12,"seconds":0.5})");
    const std::string line = to_line(failed("two\nlines", {"\x1b[31mred"}));
    EXPECT_EQ(line.find('\n'), std::string::npos);
    const auto back = read_line(line);
    ASSERT_TRUE(back);
    EXPECT_EQ(std::get<Failed>(*back).diagnostic.message, "two\nlines");
}

TEST(Messages, WhatIsNotOursIsNothing) {
    const std::string good = to_line(status("forward"));
    ASSERT_TRUE(read_line(good));
    EXPECT_TRUE(read_line(good + "\r")) << "a terminal's line end";
    for (const std::string& line :
         {std::string(), std::string("Schema error: Trying to register schema"), std::string("{}"), std::string("[1,2]"), std::string("\""),
          std::string(R"({"sluice":"status"})"), std::string(R"({"sluice":3})"), std::string(R"({"sluice":"status","sluice":3})"),
          std::string(R"({"sluice":"delivered","inputs":1.5,"seconds":1})"),
          std::string(R"({"sluice":"delivered","inputs":"1","seconds":1})"),
          std::string(R"({"sluice":"delivered","inputs":18446744073709551615,"seconds":1})"),
          std::string(R"({"sluice":"delivered","inputs":1,"seconds":1,"more":2})"), std::string(R"({"sluice":"arrived","inputs":1})"),
          std::string(R"({"sluice":")") + std::string(200'000, '['), R"({"sluice":"ready","rank":)" + std::string(200'000, '['),
          good + good, " " + good, good.substr(0, good.size() - 1), good.substr(1)})
        EXPECT_FALSE(read_line(line)) << line.substr(0, 100);
}

TEST(Messages, ALineNeverGetsLongerThanMpirunForwardsInOnePiece) {
    const std::string longest(100'000, 'x');
    Ready ready;
    ready.alone_ms.assign(10'000, 1.0 / 3);
    ready.alone_cpu_ms.assign(10'000, 2.0 / 3);
    for (const WorkerMessage& message :
         {WorkerMessage(failed(longest)), WorkerMessage(failed("short", std::vector<std::string>(1000, "a note that says something"))),
          WorkerMessage(failed("short", {longest, longest, longest})), WorkerMessage(failed(std::string(100'000, '\x01'))),
          WorkerMessage(failed(std::string(100'000, '\xff'))), WorkerMessage(status("receive '" + longest + "'")), WorkerMessage(ready)}) {
        const std::string line = to_line(message);
        EXPECT_LE(line.size(), kLongestLine);
        EXPECT_GT(line.size(), kLongestLine / 4) << "more was cut than had to be";
        ASSERT_TRUE(read_line(line));
        EXPECT_EQ(read_line(line)->index(), message.index());
    }
    const auto cut = std::get<Failed>(*read_line(to_line(failed(longest, {"a short note"}))));
    EXPECT_EQ(cut.diagnostic.notes, std::vector<std::string>{"a short note"}) << "only the longest text is cut";
    EXPECT_TRUE(cut.diagnostic.message.ends_with("x…"));
}

TEST(Messages, ACutDoesNotSplitACharacter) {
    std::string text;
    for (int i = 0; i < 5000; ++i) text += "ü€";
    for (int shift = 0; shift < 5; ++shift) {
        const auto back = std::get<Failed>(*read_line(to_line(failed(std::string(static_cast<std::size_t>(shift), 'a') + text))));
        EXPECT_EQ(back.diagnostic.message.find("\xef\xbf\xbd"), std::string::npos);
    }
}

TEST(Messages, BytesThatAreNoTextAndNumbersThatAreNoneSurvive) {
    Status infinite = status("receive '\xff\xfe'");
    infinite.seconds = std::numeric_limits<double>::infinity();
    const auto back = read_line(to_line(infinite));
    ASSERT_TRUE(back);
    EXPECT_EQ(std::get<Status>(*back).state, "receive '\xef\xbf\xbd\xef\xbf\xbd'");
    EXPECT_TRUE(std::isnan(std::get<Status>(*back).seconds));
}

}  // namespace
}  // namespace sluice::runtime
