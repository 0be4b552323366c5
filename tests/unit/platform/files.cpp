// `sluice.platform/1`: what is read, what is refused and where; and the JSON form inside a plan, which loses nothing.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "sluice/base/random.hpp"
#include "sluice/platform/platform.hpp"

namespace sluice::platform {
namespace {

const std::string kMinimal = R"(format = "sluice.platform/1"
[[devices]]
name = "box"
count = 3
compute = { f32 = "1 TFLOP/s" }
memory = "unlimited"
memory_rate = "10 GB/s"
[link]
rate = "1 GB/s"
)";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
}

Diagnostic file_fault(std::string_view text) {
    const auto platform = parse_platform(text, "box.toml");
    EXPECT_FALSE(platform.has_value()) << text;
    return platform ? Diagnostic{} : platform.error();
}

TEST(PlatformFile, MinimalHasDefaults) {
    const auto platform = parse_platform(kMinimal, "folder/box.toml");
    ASSERT_TRUE(platform.has_value()) << to_text(platform.error());
    EXPECT_EQ(platform->name, "box");
    EXPECT_EQ(platform->topology, Topology::uniform);
    EXPECT_EQ(platform->model, StageModel::serial);
    EXPECT_EQ(platform->stage_link, (Link{{1'000'000'000}, Duration{0}}));
    EXPECT_EQ(device_count(*platform), 3);
    EXPECT_EQ(platform->classes[0].efficiency, full_efficiency());
    EXPECT_EQ(platform->classes[0].launch, Duration{0});
    EXPECT_FALSE(platform->chip_rules);
}

TEST(PlatformFile, ReadsEveryKey) {
    const auto platform = parse_platform(R"(format = "sluice.platform/1"
name = "two kinds"
assumptions = "none to speak of"
topology = "hierarchy"
devices_per_node = 2
model = "overlap"
tensor_type = "f16"
[[devices]]
name = "big"
count = 2
compute = { f32 = "1 TFLOP/s", i8 = "4 TOP/s", bf16 = "2TFLOPS" }
vector = "3 Gelements/s"
efficiency = { depthwise = 0.25, matrix = 1 }
half_rows = 12.5
launch = "3 us"
memory = "1 MiB"
overflow = "spill"
spill_rate = "2 GB/s"
memory_rate = "10 GB/s"
[[devices]]
name = "small"
count = 5
compute = { f64 = "7 GFLOP/s" }
memory = "2 MB"
overflow = "hard"
memory_rate = "11 GB/s"
[link]
rate = "1 GB/s"
latency = "4 us"
[node_link]
rate = "500 MB/s"
latency = "9 us"
[host]
rate = "16 GB/s"
)",
                                         "x.toml");
    ASSERT_TRUE(platform.has_value()) << to_text(platform.error());
    Platform expected;
    expected.name = "two kinds";
    expected.assumptions = "none to speak of";
    expected.topology = Topology::hierarchy;
    expected.devices_per_node = 2;
    expected.model = StageModel::overlap;
    expected.tensor_type = graph::DataType::f16;
    expected.stage_link = {{1'000'000'000}, Duration{4'000'000}};
    expected.node_link = Link{{500'000'000}, Duration{9'000'000}};
    expected.host_link = Link{{16'000'000'000}, Duration{0}};
    DeviceClass big;
    big.name = "big";
    big.count = 2;
    big.flops_per_second[static_cast<std::size_t>(graph::DataType::f32)] = 1e12;
    big.flops_per_second[static_cast<std::size_t>(graph::DataType::i8)] = 4e12;
    big.flops_per_second[static_cast<std::size_t>(graph::DataType::bf16)] = 2e12;
    big.vector_elements_per_second = 3e9;
    big.efficiency[static_cast<std::size_t>(graph::OperatorClass::depthwise)] = 0.25;
    big.half_rows = 12.5;
    big.launch = Duration{3'000'000};
    big.overflow = Overflow::spill;
    big.fast_memory = {1 << 20};
    big.spill_rate = ByteRate{2'000'000'000};
    big.memory_rate = {10'000'000'000};
    DeviceClass small;
    small.name = "small";
    small.count = 5;
    small.flops_per_second[static_cast<std::size_t>(graph::DataType::f64)] = 7e9;
    small.overflow = Overflow::hard;
    small.fast_memory = {2'000'000};
    small.memory_rate = {11'000'000'000};
    expected.classes = {big, small};
    EXPECT_EQ(*platform, expected);
}

TEST(PlatformFile, FaultsNameTheLine) {
    struct Case {
        std::string text;
        std::size_t line;
        std::string_view message, help;
    };
    for (const Case& wrong : {
             Case{replaced(kMinimal, "memory_rate", "memory_rat"), 7, "unknown key 'memory_rat' in [[devices]]",
                  "did you mean 'memory_rate'?"},
             Case{replaced(kMinimal, "[link]", "[lnk]"), 8, "unknown key 'lnk' in the platform", "did you mean 'link'?"},
             Case{replaced(kMinimal, "platform/1", "platform/2"), 1,
                  "this is 'sluice.platform/2', and this sluice reads 'sluice.platform/1'", ""},
             Case{replaced(kMinimal, "sluice.platform/1", "sluice.plan/1"), 1,
                  "this is 'sluice.plan/1', a 'sluice.platform/1' file is needed", ""},
             Case{replaced(kMinimal, "\"10 GB/s\"", "\"10 GB\""), 7, "'memory_rate' must be a rate such as \"8 GB/s\", it is '10 GB'", ""},
             Case{replaced(kMinimal, "\"10 GB/s\"", "10"), 7, "'memory_rate' must be a rate such as \"8 GB/s\"", ""},
             Case{replaced(kMinimal, "1 TFLOP/s", "1 TB/s"), 5, "'f32' must be a rate such as \"10 TFLOP/s\", it is '1 TB/s'", ""},
             Case{replaced(kMinimal, "f32", "f33"), 5, "'f33' is no data type", ""},
             Case{replaced(kMinimal, "count = 3", "count = \"many\""), 4,
                  "'count' must be a number, or \"cores\" for the cores of this machine, it is 'many'", ""},
             Case{replaced(kMinimal, "name = \"box\"\n", ""), 2, "[[devices]] has no 'name'", ""},
             Case{replaced(kMinimal, "\"unlimited\"", "\"8 MiB\""), 6, "memory has a size: 'overflow' must be 'spill' or 'hard'", ""},
             Case{replaced(kMinimal, "\"unlimited\"", "\"8 MiB\"\noverflow = \"hrad\""), 7,
                  "'overflow' must be 'unlimited', 'spill' or 'hard'", "did you mean 'hard'?"},
             Case{replaced(kMinimal, "\"unlimited\"", "\"unlimited\"\noverflow = \"hard\""), 7,
                  "memory is unlimited: there is no 'overflow'", ""},
             Case{replaced(kMinimal, "[[devices]]", "[devices]"), 2, "'devices' must be tables: [[devices]]", ""},
         }) {
        const Diagnostic diagnostic = file_fault(wrong.text);
        EXPECT_EQ(diagnostic.kind, DiagnosticKind::input);
        EXPECT_EQ(diagnostic.message, wrong.message);
        EXPECT_EQ(diagnostic.where.line, wrong.line) << diagnostic.message;
        EXPECT_EQ(diagnostic.where.file, "box.toml");
        EXPECT_EQ(diagnostic.help, wrong.help.empty() ? diagnostic.help : wrong.help);
    }
}

TEST(PlatformFile, RefusesNumbersOutOfRange) {
    for (const std::string& text : {
             replaced(kMinimal, "count = 3", "count = 0"),
             replaced(kMinimal, "count = 3", "count = -3"),
             replaced(kMinimal, "count = 3", "count = 9223372036854775807"),
             replaced(kMinimal, "count = 3", "count = 9223372036854775808"),
             replaced(kMinimal, "count = 3", "count = 3.0"),
             replaced(kMinimal, "\"1 GB/s\"", "\"0 GB/s\""),
             replaced(kMinimal, "\"1 GB/s\"", "\"-1 GB/s\""),
             replaced(kMinimal, "\"1 GB/s\"", "\"99999999999 TB/s\""),
             replaced(kMinimal, "\"1 TFLOP/s\"", "\"1e60 TFLOP/s\""),
             kMinimal + "latency = \"-1 us\"\n",
             kMinimal + "latency = \"5 h\"\n",
             replaced(kMinimal, "name", "half_rows = -1\nname"),
             replaced(kMinimal, "name", "half_rows = nan\nname"),
             replaced(kMinimal, "name", "half_rows = inf\nname"),
             replaced(kMinimal, "name", "efficiency = { matrix = 0 }\nname"),
             replaced(kMinimal, "name", "efficiency = { matrix = 1.5 }\nname"),
             replaced(kMinimal, "name", "efficiency = { matrix = nan }\nname"),
             replaced(kMinimal, "name", "spill_rate = \"1 GB/s\"\nname"),
             replaced(kMinimal, "[[devices]]", "chip_rules = true\n[[devices]]"),
             replaced(kMinimal, "[[devices]]", "topology = \"hierarchy\"\n[[devices]]"),
             replaced(kMinimal, "[[devices]]", "devices_per_node = 2\n[[devices]]"),
             replaced(kMinimal, "\"box\"", "\"\""),
             kMinimal +
                 kMinimal.substr(kMinimal.find("[[devices]]"), kMinimal.find("[link]") - kMinimal.find("[[devices]]")),  // the name twice
             std::string("format = \"sluice.platform/1\"\ndevices = []\n[link]\nrate = \"1 GB/s\"\n"),
         })
        EXPECT_FALSE(file_fault(text).message.empty()) << text;
}

TEST(PlatformFile, RefusesWhatIsNoToml) {
    EXPECT_EQ(file_fault("format = \"sluice.platform/1\"\nlink = {").where.line, 2U);
    EXPECT_EQ(file_fault("").message, "missing key 'format'");
    EXPECT_FALSE(file_fault(std::string("\0\x7f\xff\xfe", 4)).message.empty());
    EXPECT_FALSE(file_fault(kMinimal + "rate = \"1 GB/s\"\n").message.empty());  // the key twice
    EXPECT_FALSE(file_fault("a = " + std::string(1'000'000, '[')).message.empty());
}

TEST(PlatformFile, IsLoadedByPath) {
    const auto folder = std::filesystem::temp_directory_path() / "sluice_platform_test";
    std::filesystem::create_directories(folder);
    const auto path = folder / "mine.toml";
    std::ofstream(path) << kMinimal;
    const auto platform = load_platform(path.string());
    ASSERT_TRUE(platform.has_value()) << to_text(platform.error());
    EXPECT_EQ(platform->name, "mine");
    std::filesystem::remove_all(folder);
}

Result<Platform> there_and_back(const Platform& platform) {
    const auto node = json::parse(json::to_file_text(to_json(platform)), "plan.json");
    if (!node) return fail(node.error());
    return read_platform(*node);
}

TEST(PlatformFile, WhatIsWrittenIsReadBack) {
    std::vector<std::string> specifications;
    for (const std::string_view name : preset_names()) specifications.emplace_back(name);
    for (const char* changed :
         {"asic-16:link=123456789B/s,latency=17ns,host=8GB/s", "v100-summit:devices=32,overflow=spill,spill=2GB/s,memory=16MiB",
          "edge-chain-4:half_rows=12.5,tensor_type=none,vector=3GOP/s", "cpu:devices=3,memory=1GB,overflow=hard"})
        specifications.emplace_back(changed);
    for (const std::string& specification : specifications) {
        auto platform = load_platform(specification);
        ASSERT_TRUE(platform.has_value()) << to_text(platform.error());
        platform->assumptions += "\n\"quoted\" \\ back, tab\t, \u00b5";
        const std::string text = to_toml(*platform);
        const auto again = parse_platform(text, "again.toml");
        ASSERT_TRUE(again.has_value()) << to_text(again.error()) << text;
        EXPECT_EQ(*again, *platform) << text;
    }
}

TEST(PlatformJson, EveryPresetComesBack) {
    for (std::string_view name : preset_names()) {
        const auto platform = load_platform(name);
        ASSERT_TRUE(platform.has_value());
        const auto back = there_and_back(*platform);
        ASSERT_TRUE(back.has_value()) << name << ": " << to_text(back.error());
        EXPECT_EQ(*back, *platform) << name;
    }
}

TEST(PlatformJson, RandomPlatformsComeBack) {
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        RandomStream random(seed);
        const auto link = [&] { return Link{{random.between(1, std::int64_t{1} << 60)}, Duration{random.between(0, 1'000'000'000'000)}}; };
        Platform platform;
        platform.name = "random \"\\\u00b5\n" + std::to_string(seed);
        platform.assumptions = "a\tb";
        platform.model = random.chance(0.5) ? StageModel::serial : StageModel::overlap;
        platform.topology = static_cast<Topology>(random.below(4));
        if (platform.topology == Topology::hierarchy) {
            platform.devices_per_node = random.between(1, 100);
            platform.node_link = link();
        }
        platform.stage_link = link();
        if (random.chance(0.5)) platform.host_link = link();
        if (random.chance(0.5)) platform.tensor_type = graph::DataType::i8;
        platform.chip_rules = platform.topology == Topology::ring && random.chance(0.5);
        platform.given_transfers = random.chance(0.2);
        if (platform.given_transfers && random.chance(0.5)) platform.stage_link = {};
        for (std::size_t c = 0, classes = 1 + random.below(3); c < classes; ++c) {
            DeviceClass device;
            device.name = "class " + std::to_string(c);
            device.count = random.between(1, 1'000'000);
            for (double& rate : device.flops_per_second)
                if (random.chance(0.3)) rate = random.unit() * 1e15;
            for (double& share : device.efficiency)
                if (random.chance(0.3)) share = 1 - random.unit() * 0.999;
            if (random.chance(0.3)) device.vector_elements_per_second = random.unit() * 1e12;
            if (random.chance(0.3)) device.half_rows = random.unit() * 1000;
            if (random.chance(0.3)) device.launch = Duration{random.between(0, 1'000'000'000)};
            device.memory_rate = {random.between(1, std::int64_t{1} << 60)};
            device.overflow = static_cast<Overflow>(random.below(3));
            if (device.overflow != Overflow::unlimited) device.fast_memory = {random.between(0, std::int64_t{1} << 60)};
            if (device.overflow == Overflow::spill && (random.chance(0.5) || platform.stage_link == Link{}))
                device.spill_rate = ByteRate{random.between(1, std::int64_t{1} << 60)};
            platform.classes.push_back(std::move(device));
        }
        const auto back = there_and_back(platform);
        ASSERT_TRUE(back.has_value()) << seed << ": " << to_text(back.error());
        EXPECT_EQ(*back, platform) << seed;
    }
}

TEST(PlatformJson, RefusesWhatTomlRefuses) {
    const auto preset = load_platform("v100-summit");
    ASSERT_TRUE(preset.has_value());
    const nlohmann::ordered_json good = to_json(*preset);
    const auto refused = [&](auto change) {
        nlohmann::ordered_json changed = good;
        change(changed);
        const auto node = json::parse(json::to_file_text(changed), "plan.json");
        EXPECT_TRUE(node.has_value());
        const auto back = read_platform(*node);
        EXPECT_FALSE(back.has_value()) << changed.dump();
        return back ? std::string{} : back.error().message;
    };
    EXPECT_EQ(refused([](auto& p) { p["lnk"] = 1; }), "unknown key 'lnk'");
    EXPECT_EQ(refused([](auto& p) { p["classes"][0]["cont"] = 1; }), "unknown key 'cont'");
    EXPECT_EQ(refused([](auto& p) { p.erase("classes"); }), "missing key 'classes'");
    EXPECT_EQ(refused([](auto& p) { p.erase("stage_link"); }), "missing key 'stage_link'");
    EXPECT_EQ(refused([](auto& p) { p["classes"] = nlohmann::ordered_json::array(); }), "the platform has no device class");
    refused([](auto& p) { p["classes"][0]["count"] = 0; });
    refused([](auto& p) { p["classes"][0]["count"] = -1; });
    refused([](auto& p) { p["classes"][0]["operations_per_second"]["f32"] = -1.0; });
    refused([](auto& p) { p["classes"][0]["operations_per_second"]["f32"] = "fast"; });
    refused([](auto& p) { p["classes"][0]["operations_per_second"]["g32"] = 1.0; });
    refused([](auto& p) { p["classes"][0]["overflow"] = "soft"; });
    refused([](auto& p) { p["stage_link"]["bytes_per_second"] = 0; });
    refused([](auto& p) { p["stage_link"]["latency_ps"] = -1; });
    refused([](auto& p) { p["model"] = 3; });
    refused([](auto& p) { p["tensor_type"] = "text"; });
}

/// What a workload file brings along is a platform that a plan file can hold.
TEST(GivenPlatform, TakesDevicesMemoryAndLink) {
    graph::GraphBuilder builder("given");
    const TensorId tensor = builder.add_tensor({});
    builder.add_operator({}, {}, std::vector{tensor});
    graph::GivenCosts given;
    given.classes = {{"fpga", 3, Bytes{1000}, {Duration{5}}}, {"cpu", 1, std::nullopt, {std::nullopt}}};
    given.link = ByteRate{25};
    const auto with_transfers = [&](std::vector<Duration> transfer) {
        graph::GraphBuilder copy = builder;
        given.transfer = std::move(transfer);
        copy.set_given_costs(given);
        auto graph = std::move(copy).build();
        EXPECT_TRUE(graph.has_value());
        return given_platform(*graph);
    };
    const Platform platform = with_transfers({Duration{7}});
    EXPECT_TRUE(platform.given_transfers);
    ASSERT_EQ(platform.classes.size(), 2U);
    EXPECT_EQ(device_count(platform), 4);
    EXPECT_EQ(platform.classes[0].name, "fpga");
    EXPECT_EQ(platform.classes[0].overflow, Overflow::hard);
    EXPECT_EQ(platform.classes[0].fast_memory, Bytes{1000});
    EXPECT_EQ(platform.classes[1].overflow, Overflow::unlimited);
    EXPECT_EQ(platform.model, StageModel::serial);
    EXPECT_FALSE(platform.host_link);
    const auto back = there_and_back(platform);
    ASSERT_TRUE(back.has_value()) << to_text(back.error());
    EXPECT_EQ(*back, platform);

    const Platform by_link = with_transfers({});
    EXPECT_FALSE(by_link.given_transfers);
    EXPECT_EQ(by_link.stage_link, (Link{{25}, Duration{0}}));
}

}  // namespace
}  // namespace sluice::platform
