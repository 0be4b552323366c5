// Every model of the zoo, cut at random, computes what it computed whole.
#include <gtest/gtest.h>

#include "sluice/onnx/export.hpp"
#include "sluice/onnx/load_model.hpp"
#include "sluice/onnx/weights.hpp"
#include "tests/support/run_stages.hpp"
#include "tests/unit/export/folder.hpp"
#include "tests/unit/zoo/samples.hpp"

namespace sluice::test {

class ExportedZoo : public testing::TestWithParam<Sample> {};

TEST_P(ExportedZoo, stages_compute_what_the_whole_model_computes) {
    const TemporaryFolder folder;
    const std::string model = "zoo:" + GetParam().name + ":" + GetParam().small;
    const auto file = onnx::materialise(model, onnx::WeightSource::random, 7, folder / "model");
    ASSERT_TRUE(file) << to_text(file.error());
    const auto loaded = onnx::load_model(model);
    ASSERT_TRUE(loaded);
    const Reference plain(*file, 0, 1), optimised(*file, 99, 1);
    RandomStream random(11);
    for (const std::size_t count : {1, 2, 3, 5, 8}) {
        const auto stages = random_stages(loaded->graph, count, random);
        const auto manifest = onnx::export_stages(*file, loaded->graph, stages, folder / "stages",
                                                  {.import = {}, .self_contained = count == 3, .adopt_weights = false, .stop = {}});
        ASSERT_TRUE(manifest) << to_text(manifest.error());
        check_borders(loaded->graph, stages, *manifest);
        const Comparison exact = plain.compare(folder / "stages", *manifest);
        EXPECT_TRUE(exact.bitwise) << stages.size() << " stages: " << exact.worst << " in " << exact.worst_tensor;
        EXPECT_EQ(exact.not_finite, 0U);
        EXPECT_GT(exact.values, 0U);
        EXPECT_GT(exact.spread, 0.01);
        EXPECT_LE(optimised.compare(folder / "stages", *manifest).worst, 1e-5) << stages.size() << " stages";
    }
}

INSTANTIATE_TEST_SUITE_P(all, ExportedZoo, testing::ValuesIn(samples()), [](const auto& instance) {
    std::string name = instance.param.name;
    std::ranges::replace(name, '-', '_');
    return name;
});

}  // namespace sluice::test
