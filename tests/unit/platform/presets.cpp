// Presets hold the values of design §6's table, and overrides change just what they name.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "sluice/platform/platform.hpp"
#include "sluice/platform/values.hpp"

namespace sluice::platform {
namespace {

using graph::DataType;

Platform load(std::string_view specification) {
    auto platform = load_platform(specification);
    if (!platform) {
        ADD_FAILURE() << specification << ": " << to_text(platform.error());
        return {};
    }
    return *std::move(platform);
}

Diagnostic preset_fault(std::string_view specification) {
    const auto platform = load_platform(specification);
    EXPECT_FALSE(platform.has_value()) << specification;
    return platform ? Diagnostic{} : platform.error();
}

double rate(const Platform& platform, DataType type) { return platform.classes.at(0).flops_per_second[static_cast<std::size_t>(type)]; }
constexpr std::int64_t kMicrosecond = 1'000'000;

TEST(Presets, AreTheEightOfTheDesignAndStateTheirAssumptions) {
    const std::vector<std::string_view> expected{"cpu", "edge-chain-4", "mx3-4", "mcm-36", "asic-16", "v100-summit", "a100-8", "h100-8"};
    EXPECT_TRUE(std::ranges::equal(preset_names(), expected));
    for (std::string_view name : expected) {
        const Platform platform = load(name);
        EXPECT_EQ(platform.name, name);
        EXPECT_GT(platform.assumptions.size(), 80U) << name;
        EXPECT_EQ(platform.assumptions.find('\n'), std::string::npos) << name;
        EXPECT_FALSE(preset_text(name).empty());
        EXPECT_FALSE(platform.host_link) << name;
    }
    EXPECT_TRUE(preset_text("nothing").empty());
}

TEST(Presets, Cpu) {
    const Platform platform = load("cpu");
    const DeviceClass& core = platform.classes.at(0);
    EXPECT_EQ(core.count, usable_cores());
    EXPECT_EQ(device_count(platform), usable_cores());
    EXPECT_EQ(rate(platform, DataType::f32), 50e9);
    EXPECT_EQ(core.overflow, Overflow::unlimited);
    EXPECT_EQ(core.memory_rate.bytes_per_second, 10'000'000'000);
    EXPECT_EQ(platform.stage_link, (Link{{3'000'000'000}, Duration{20 * kMicrosecond}}));
    EXPECT_EQ(platform.model, StageModel::serial);
}

TEST(Presets, EdgeChain) {
    const Platform platform = load("edge-chain-4");
    const DeviceClass& edge = platform.classes.at(0);
    EXPECT_EQ(edge.count, 4);
    EXPECT_EQ(rate(platform, DataType::i8), 2e12);
    EXPECT_EQ(platform.tensor_type, DataType::i8);
    EXPECT_EQ(edge.fast_memory.count, 8 << 20);
    EXPECT_EQ(edge.memory_rate.bytes_per_second, 32'000'000'000);
    EXPECT_EQ(edge.overflow, Overflow::spill);
    EXPECT_EQ(edge.spill_rate, std::nullopt);  // the stage link's
    EXPECT_EQ(platform.stage_link, (Link{{500'000'000}, Duration{50 * kMicrosecond}}));
    EXPECT_EQ(platform.model, StageModel::serial);
    EXPECT_EQ(platform.topology, Topology::chain);
}

TEST(Presets, Mx3) {
    const Platform platform = load("mx3-4");
    const DeviceClass& chip = platform.classes.at(0);
    EXPECT_EQ(chip.count, 4);
    EXPECT_EQ(rate(platform, DataType::i8), 3e12);
    EXPECT_EQ(platform.tensor_type, DataType::i8);
    EXPECT_EQ(chip.fast_memory.count, 10'000'000);
    EXPECT_EQ(chip.memory_rate.bytes_per_second, 50'000'000'000);
    EXPECT_EQ(chip.overflow, Overflow::hard);
    EXPECT_EQ(platform.stage_link, (Link{{2'000'000'000}, Duration{10 * kMicrosecond}}));
    EXPECT_EQ(platform.model, StageModel::serial);
}

TEST(Presets, Mcm) {
    const Platform platform = load("mcm-36");
    const DeviceClass& chip = platform.classes.at(0);
    EXPECT_EQ(chip.count, 36);
    EXPECT_EQ(rate(platform, DataType::i8), 2e12);
    EXPECT_EQ(chip.vector_elements_per_second, 64e9);
    EXPECT_EQ(platform.tensor_type, DataType::i8);
    EXPECT_EQ(chip.fast_memory.count, 12 << 20);
    EXPECT_EQ(chip.overflow, Overflow::hard);
    EXPECT_EQ(platform.stage_link, (Link{{8'000'000'000}, Duration{kMicrosecond / 2}}));
    EXPECT_EQ(platform.model, StageModel::overlap);
    EXPECT_EQ(platform.topology, Topology::ring);
    EXPECT_TRUE(platform.chip_rules);
}

TEST(Presets, Asic) {
    const Platform platform = load("asic-16");
    const DeviceClass& chip = platform.classes.at(0);
    EXPECT_EQ(chip.count, 16);
    EXPECT_EQ(rate(platform, DataType::f32), 10e12);
    EXPECT_EQ(chip.launch, Duration{kMicrosecond / 2});
    EXPECT_EQ(chip.overflow, Overflow::unlimited);
    EXPECT_EQ(chip.memory_rate.bytes_per_second, 200'000'000'000);
    EXPECT_EQ(platform.stage_link, (Link{{64'000'000'000}, Duration{0}}));
    EXPECT_EQ(platform.model, StageModel::serial);
    EXPECT_EQ(platform.tensor_type, std::nullopt);
}

TEST(Presets, Gpus) {
    struct Row {
        std::string_view name;
        std::int64_t count;
        DataType type;
        double rate, half_rows;
        std::int64_t memory, memory_rate, inside, between;
    };
    for (const Row& row :
         {Row{"v100-summit", 4, DataType::f32, 9.4e12, 256, std::int64_t{16} << 30, 900'000'000'000, 50'000'000'000, 12'500'000'000},
          Row{"a100-8", 8, DataType::bf16, 156e12, 512, 80'000'000'000, 2'000'000'000'000, 250'000'000'000, 25'000'000'000},
          Row{"h100-8", 8, DataType::bf16, 445e12, 1024, 80'000'000'000, 3'350'000'000'000, 450'000'000'000, 50'000'000'000}}) {
        SCOPED_TRACE(row.name);
        const Platform platform = load(row.name);
        const DeviceClass& gpu = platform.classes.at(0);
        EXPECT_EQ(gpu.count, row.count);
        EXPECT_EQ(platform.devices_per_node, row.count);
        EXPECT_EQ(rate(platform, row.type), row.rate);
        EXPECT_EQ(gpu.half_rows, row.half_rows);
        EXPECT_EQ(gpu.launch, Duration{5 * kMicrosecond});
        EXPECT_EQ(gpu.fast_memory.count, row.memory);
        EXPECT_EQ(gpu.memory_rate.bytes_per_second, row.memory_rate);
        EXPECT_EQ(gpu.overflow, Overflow::hard);
        EXPECT_EQ(platform.stage_link, (Link{{row.inside}, Duration{5 * kMicrosecond}}));
        EXPECT_EQ(platform.node_link, (Link{{row.between}, Duration{10 * kMicrosecond}}));
        EXPECT_EQ(platform.model, StageModel::overlap);
        EXPECT_EQ(platform.topology, Topology::hierarchy);
    }
}

/// An override changes what it names and the name, and nothing else.
TEST(Overrides, ChangeOneThing) {
    Platform expected = load("asic-16");
    expected.name = "asic-16:link=8GB/s";
    expected.stage_link.rate = {8'000'000'000};
    EXPECT_EQ(load("asic-16:link=8GB/s"), expected);

    expected = load("v100-summit");
    expected.name = "v100-summit:devices=32";
    expected.classes[0].count = 32;
    EXPECT_EQ(load("v100-summit:devices=32"), expected);

    expected = load("asic-16");
    expected.name = "asic-16:memory=32MiB";
    expected.classes[0].fast_memory = {32 << 20};
    expected.classes[0].overflow = Overflow::spill;  // over the stage link
    EXPECT_EQ(load("asic-16:memory=32MiB"), expected);

    expected = load("mcm-36");
    expected.name = "mcm-36:memory=20MiB";
    expected.classes[0].fast_memory = {20 << 20};  // and stays hard
    EXPECT_EQ(load("mcm-36:memory=20MiB"), expected);
}

TEST(Overrides, EveryKey) {
    const Platform platform = load(
        "v100-summit:devices=8,compute=12 TFLOP/s,vector=1Telements/s,half_rows=99.5,launch=2us,overflow=spill,memory=1GiB,spill=3GB/s,"
        "memory_rate=1TB/s,link=60GB/s,latency=1us,host=16GB/s,host_latency=7us,devices_per_node=2,node_link=20GB/"
        "s,node_latency=30us,model=serial,"
        "tensor_type=f16");
    const DeviceClass& gpu = platform.classes.at(0);
    EXPECT_EQ(gpu.count, 8);
    EXPECT_EQ(rate(platform, DataType::f32), 12e12);
    EXPECT_EQ(rate(platform, DataType::f16), 0);  // only where there was a rate
    EXPECT_EQ(gpu.vector_elements_per_second, 1e12);
    EXPECT_EQ(gpu.half_rows, 99.5);
    EXPECT_EQ(gpu.launch, Duration{2 * kMicrosecond});
    EXPECT_EQ(gpu.overflow, Overflow::spill);
    EXPECT_EQ(gpu.fast_memory.count, 1 << 30);
    EXPECT_EQ(gpu.spill_rate, ByteRate{3'000'000'000});
    EXPECT_EQ(gpu.memory_rate, ByteRate{1'000'000'000'000});
    EXPECT_EQ(platform.stage_link, (Link{{60'000'000'000}, Duration{kMicrosecond}}));
    EXPECT_EQ(platform.host_link, (Link{{16'000'000'000}, Duration{7 * kMicrosecond}}));
    EXPECT_EQ(platform.devices_per_node, 2);
    EXPECT_EQ(platform.node_link, (Link{{20'000'000'000}, Duration{30 * kMicrosecond}}));
    EXPECT_EQ(platform.model, StageModel::serial);
    EXPECT_EQ(platform.tensor_type, DataType::f16);
}

TEST(Overrides, RemoveThings) {
    EXPECT_EQ(load("edge-chain-4:tensor_type=none").tensor_type, std::nullopt);
    EXPECT_EQ(load("edge-chain-4:memory=unlimited").classes[0].overflow, Overflow::unlimited);
    EXPECT_EQ(load("edge-chain-4:overflow=unlimited").classes[0].fast_memory, Bytes{});
    EXPECT_EQ(load("edge-chain-4:host=none").host_link, std::nullopt);
    EXPECT_EQ(load("edge-chain-4:spill=link").classes[0].spill_rate, std::nullopt);
}

/// The order on the command line does not matter.
TEST(Overrides, CommuteUpToTheName) {
    Platform one = load("asic-16:overflow=hard,memory=1MiB"), other = load("asic-16:memory=1MiB,overflow=hard");
    one.name = other.name;
    EXPECT_EQ(one, other);
    EXPECT_EQ(one.classes[0].overflow, Overflow::hard);
}

TEST(Overrides, AreRefusedWithWhatWasMeant) {
    EXPECT_EQ(preset_fault("asci-16").help, "did you mean 'asic-16'?");
    EXPECT_NE(preset_fault("zzzzzzzz").help.find("'mcm-36'"), std::string::npos);
    EXPECT_EQ(preset_fault("asic-16:lnk=8GB/s").help, "did you mean 'link'?");
    for (std::string_view wrong : {"asic-16:",
                                   "asic-16:link",
                                   "asic-16:link=",
                                   "asic-16:link=8",
                                   "asic-16:link=0GB/s",
                                   "asic-16:link=-8GB/s",
                                   "asic-16:link=fast",
                                   "asic-16:link=8GB/s,link=9GB/s",
                                   "asic-16:link=8GB/s,",
                                   "asic-16:devices=0",
                                   "asic-16:devices=-1",
                                   "asic-16:devices=1.5",
                                   "asic-16:devices=99999999999999999999",
                                   "asic-16:devices=2000000",
                                   "asic-16:compute=0FLOP/s",
                                   "asic-16:compute=9e99TFLOP/s",
                                   "asic-16:compute=1 parsec",
                                   "asic-16:memory=-1B",
                                   "asic-16:memory=99999999TiB",
                                   "asic-16:overflow=hard",
                                   "asic-16:overflow=spil",
                                   "asic-16:overflow=unlimited,memory=1MiB",
                                   "asic-16:spill=2GB/s",
                                   "asic-16:half_rows=-1",
                                   "asic-16:half_rows=nan",
                                   "asic-16:half_rows=inf",
                                   "asic-16:launch=-1us",
                                   "asic-16:launch=2h",
                                   "asic-16:latency=99999999s",
                                   "asic-16:host_latency=1us",
                                   "asic-16:node_link=1GB/s",
                                   "asic-16:devices_per_node=4",
                                   "asic-16:tensor_type=text",
                                   "asic-16:model=both",
                                   "v100-summit:devices_per_node=0"}) {
        const Diagnostic diagnostic = preset_fault(wrong);
        EXPECT_EQ(diagnostic.kind, DiagnosticKind::usage) << wrong << ": " << diagnostic.message;
        EXPECT_FALSE(diagnostic.message.empty()) << wrong;
    }
}

TEST(Overrides, MissingFilesAreFiles) {
    EXPECT_EQ(preset_fault("/nowhere/mine.toml").kind, DiagnosticKind::input);
    EXPECT_EQ(preset_fault("mine.toml").kind, DiagnosticKind::input);
    EXPECT_EQ(preset_fault("/").kind, DiagnosticKind::input);
}

TEST(Cores, AreLimitedByTheCgroup) {
    EXPECT_EQ(limit_cores(8, "max 100000"), 8);
    EXPECT_EQ(limit_cores(8, "200000 100000"), 2);
    EXPECT_EQ(limit_cores(8, "150000 100000"), 1);
    EXPECT_EQ(limit_cores(8, "50000 100000"), 1);
    EXPECT_EQ(limit_cores(8, "99900000 100000"), 8);
    for (std::string_view none : {"", " ", "-1 100000", "100", "100000 0", "x y"}) EXPECT_EQ(limit_cores(8, none), 8) << none;
    EXPECT_GE(usable_cores(), 1);
    EXPECT_LE(usable_cores(), std::max(1U, std::thread::hardware_concurrency()));
}

TEST(OperationRates, AreParsedExactly) {
    EXPECT_EQ(parse_operation_rate("10 TFLOP/s"), 10e12);
    EXPECT_EQ(parse_operation_rate("9.4TFLOP/s"), 9.4e12);
    EXPECT_EQ(parse_operation_rate(" 2 TOP/s "), 2e12);
    EXPECT_EQ(parse_operation_rate("4 TOPS"), 4e12);
    EXPECT_EQ(parse_operation_rate("64 Gelements/s"), 64e9);
    EXPECT_EQ(parse_operation_rate("1 PFLOPS"), 1e15);
    EXPECT_EQ(parse_operation_rate("5 OP/s"), 5);
    for (std::string_view wrong :
         {"", "10", "TFLOP/s", "10 T", "10 TB/s", "10 TFLOP", "-1 TFLOP/s", "0 TFLOP/s", "nan TFLOP/s", "inf TFLOP/s", "1e400 OP/s"})
        EXPECT_EQ(parse_operation_rate(wrong), std::nullopt) << wrong;
}

}  // namespace
}  // namespace sluice::platform
