// Piper's core on its own published inputs: the bottlenecks that the published program prints (notes/training 4).
#include "sluice/training/peers/piper.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sluice/base/json.hpp"
#include "tests/support/effort.hpp"

namespace sluice::training {
namespace {

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

std::optional<PiperInstance> published_instance(const std::string& name) {
    const auto path = std::filesystem::path(SLUICE_SOURCE_DIR) / "../shared/workloads/piper" / (name + ".json");
    if (!std::filesystem::exists(path)) return std::nullopt;
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    const auto document = json::parse(text.str(), path.string());
    return read_piper_instance(document.value()).value();
}

struct Row {
    std::int64_t devices = 0, micro_batches = 0, memory = 0;
    double bottleneck = 0;  // as printed
    int digits = 0;         // significant
};

void expect_rows(const std::string& name, std::size_t downsets, const std::vector<Row>& rows) {
    auto instance = published_instance(name);
    if (!instance) GTEST_SKIP() << "shared/workloads/piper/" << name << ".json is absent: the published input cannot be read";
    const auto cuts = downset_cuts(instance->predecessors, kPiperDownsets, graph::NodeSet(instance->predecessors.size()));
    ASSERT_TRUE(cuts);
    EXPECT_EQ(cuts->count(), downsets);
    instance->bandwidth = ByteRate{25 * kGiB};
    for (const Row& row : rows) {
        instance->devices = row.devices;
        instance->micro_batches = row.micro_batches;
        instance->memory = Bytes{row.memory};
        const auto plan = piper_plan(*instance, *cuts, {});
        ASSERT_TRUE(plan) << row.devices;
        const double seconds = static_cast<double>(plan->bottleneck.count()) * 1e-12;
        const double half = std::pow(10, std::floor(std::log10(row.bottleneck)) - row.digits + 1) * 0.501;
        EXPECT_NEAR(seconds, row.bottleneck, half) << name << ", " << row.devices << " devices";
    }
}

TEST(PiperPublished, Bert32) {
    expect_rows("bert32a100", 43,
                {{8, 1920, 8 * kGiB, 0.16586, 5},
                 {32, 1920, 8 * kGiB, 0.04152, 4},
                 {64, 1920, 8 * kGiB, 0.02020, 4},
                 {128, 1920, 8 * kGiB, 0.01012, 4},
                 {256, 1920, 8 * kGiB, 0.005081, 4},
                 {512, 1920, 8 * kGiB, 0.002561, 4},
                 {1024, 1920, 8 * kGiB, 0.001303, 4},
                 {2048, 1920, 8 * kGiB, 0.000704, 3},
                 {2048, 512, 8 * kGiB, 0.001221, 4}});
}

TEST(PiperPublished, ResNet50) {
    expect_rows("resnet", 242, {{4, 256, 16 * kGiB, 118.3, 4}, {16, 256, 16 * kGiB, 29.6, 3}, {64, 256, 16 * kGiB, 7.39, 3}});
}

TEST(PiperPublished, Gnmt) {
    if (test::one_in(2) > 1) GTEST_SKIP() << "15.5 million pairs of downsets are too many under sanitizers";
    expect_rows("gnmt", 17'914, {{4, 256, 16 * kGiB, 130.1, 4}});
}

}  // namespace
}  // namespace sluice::training
