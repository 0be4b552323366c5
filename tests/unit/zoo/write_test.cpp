// zoo_write: where weights go, that files appear whole or not at all, and that a big model passes through a small buffer.
#include <fstream>
#include <sstream>

#include "sluice/base/files.hpp"
#include "tests/unit/zoo/helpers.hpp"
#include "tests/unit/zoo/runtime.hpp"

namespace sluice {
namespace {

using onnx::zoo_write;
using onnx::ZooWeights;
using test::Folder;
using Names = std::vector<std::string>;

constexpr const char* kLarge = "chain:layers=5,width=2048";  // 84 MB
constexpr const char* kSmall = "chain:layers=3,width=2048";  // 50 MB

std::string content_of(const std::filesystem::path& path) {
    auto content = read_file(path);
    EXPECT_TRUE(content) << to_text(content.error());
    return content ? *std::move(content) : std::string();
}

TEST(ZooWrite, KeepsUpTo64MiBInTheModelFile) {
    const Folder folder;
    ASSERT_TRUE(zoo_write(kSmall, ZooWeights::random, 3, folder / "m.onnx"));
    EXPECT_EQ(folder.names(), Names{"m.onnx"});
    EXPECT_EQ(content_of(folder / "m.onnx"), test::bytes_of(kSmall, ZooWeights::random, 3));
}

TEST(ZooWrite, PutsMoreBesideItWithTheSameValues) {
    // The second has a mask of 67 MB: a constant that is written in many pieces.
    for (const std::string specification : {kLarge, "gpt2:layers=1,hidden=8,heads=1,ff=8,seq=8200,positions=8200,vocab=2"}) {
        const Folder folder;
        ASSERT_TRUE(zoo_write(specification, ZooWeights::random, 3, folder / "m.onnx"));
        EXPECT_EQ(folder.names(), (Names{"m.onnx", "m.onnx.weights"}));
        const std::string data = content_of(folder / "m.onnx.weights");
        const auto split = test::parse(content_of(folder / "m.onnx"));
        const auto whole = test::parse(test::bytes_of(specification, ZooWeights::random, 3));
        ASSERT_EQ(split.graph().initializer_size(), whole.graph().initializer_size());
        std::size_t end = 0;
        for (int i = 0; i < whole.graph().initializer_size(); ++i) {
            const auto& tensor = split.graph().initializer(i);
            const std::string& expected = whole.graph().initializer(i).raw_data();
            if (tensor.data_location() != ::onnx::TensorProto::EXTERNAL) {
                EXPECT_LE(expected.size(), 1024u) << tensor.name();
                EXPECT_EQ(tensor.raw_data(), expected) << tensor.name();
                continue;
            }
            EXPECT_EQ(test::external_value(tensor, "location"), "m.onnx.weights");
            const std::size_t offset = std::stoull(test::external_value(tensor, "offset"));
            EXPECT_EQ(test::external_value(tensor, "length"), std::to_string(expected.size()));
            EXPECT_EQ(offset % 4096, 0u);
            ASSERT_TRUE(data.substr(offset, expected.size()) == expected) << tensor.name();
            end = offset + expected.size();
        }
        EXPECT_EQ(data.size(), end);
    }
}

TEST(ZooWrite, MakesFilesThatRunAsTheEmbeddedModelDoes) {
    const Folder folder;
    ASSERT_TRUE(zoo_write(kLarge, ZooWeights::random, 3, folder / "m.onnx"));
    EXPECT_EQ(test::run_file(folder / "m.onnx").first, test::run_bytes(test::bytes_of(kLarge, ZooWeights::random, 3)).first);
}

TEST(ZooWrite, NeedsNoMemoryOfATensorsSize) {
    const auto peak = [] {
        std::ifstream status("/proc/self/status");
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6));  // KiB
        }
        return -1LL;
    };
    std::ofstream reset("/proc/self/clear_refs");
    if (!(reset << "5" << std::flush)) GTEST_SKIP() << "the peak of this process's memory cannot be reset here";
    const Folder folder;
    const long long before = peak();
    ASSERT_TRUE(zoo_write("chain:layers=1,width=8192", ZooWeights::random, 3, folder / "m.onnx"));  // one tensor of 256 MiB
    EXPECT_EQ(std::filesystem::file_size(folder / "m.onnx.weights"), 8192u * 8192 * 4 + 8192 * 4);
    EXPECT_LT(peak() - before, 64 * 1024);
}

TEST(ZooWrite, LeavesWhatWasThereWhenItFails) {
    const Folder folder;
    const auto expect_failure = [](const Result<void>& result, DiagnosticKind kind, const std::string& part) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().kind, kind);
        EXPECT_NE(result.error().message.find(part), std::string::npos) << to_text(result.error());
    };
    std::filesystem::create_directory(folder / "folder.onnx");
    std::filesystem::create_directory(folder / "taken.onnx.weights");
    std::ofstream(folder / "old.onnx") << "old model";
    std::ofstream(folder / "old.onnx.weights") << "old weights";
    const Names before = folder.names();
    for (const auto weights : {ZooWeights::none, ZooWeights::random}) {
        expect_failure(zoo_write(kLarge, weights, 3, folder / "no such/m.onnx"), DiagnosticKind::input, "no such");
        expect_failure(zoo_write(kLarge, weights, 3, folder / "folder.onnx"), DiagnosticKind::input, "folder.onnx");
        expect_failure(zoo_write("chain:layer=3", weights, 3, folder / "old.onnx"), DiagnosticKind::usage, "no size 'layer'");
    }
    expect_failure(zoo_write(kLarge, ZooWeights::random, 3, folder / "taken.onnx"), DiagnosticKind::input, "taken.onnx.weights");
    expect_failure(zoo_write(kLarge, ZooWeights::random, 3, "-"), DiagnosticKind::usage, "64 MiB");
    expect_failure(zoo_write("chain:layers=1,width=67108864", ZooWeights::random, 3, folder / "old.onnx"), DiagnosticKind::input,
                   "left");  // 16 PiB
    std::stop_source stop;
    stop.request_stop();
    expect_failure(zoo_write(kLarge, ZooWeights::random, 3, folder / "old.onnx", stop.get_token()), DiagnosticKind::stopped, "stopped");
    EXPECT_EQ(folder.names(), before);
    EXPECT_EQ(content_of(folder / "old.onnx"), "old model");
    EXPECT_EQ(content_of(folder / "old.onnx.weights"), "old weights");
}

}  // namespace
}  // namespace sluice
