// Published structures with made-up weights, cut at random. Those that run in a blink; `./dev bench export` does them all.
#include <gtest/gtest.h>

#include "sluice/onnx/export.hpp"
#include "sluice/onnx/load_model.hpp"
#include "sluice/onnx/weights.hpp"
#include "tests/support/run_stages.hpp"
#include "tests/unit/export/folder.hpp"

namespace sluice::test {

class ExportedModel : public testing::TestWithParam<const char*> {};

TEST_P(ExportedModel, stages_compute_what_the_whole_model_computes) {
    const auto model = std::filesystem::path(SLUICE_SOURCE_DIR) / "../shared/models" / GetParam();
    if (!std::filesystem::exists(model)) GTEST_SKIP() << model << " is absent: nothing to compare";
    const TemporaryFolder folder;
    const auto file = onnx::materialise(model.string(), onnx::WeightSource::random, 7, folder / "model");
    ASSERT_TRUE(file) << to_text(file.error());
    const auto loaded = onnx::load_model(model.string());
    ASSERT_TRUE(loaded) << to_text(loaded.error());
    RandomStream random(5);
    for (const int level : {0, 99}) {
        const Reference reference(*file, level, 1);
        const auto stages = random_stages(loaded->graph, 6, random);
        const auto manifest = onnx::export_stages(*file, loaded->graph, stages, folder / "stages", {});
        ASSERT_TRUE(manifest) << to_text(manifest.error());
        check_borders(loaded->graph, stages, *manifest);
        const Comparison result = reference.compare(folder / "stages", *manifest);
        EXPECT_TRUE(level > 0 || result.bitwise) << result.worst << " in " << result.worst_tensor;
        EXPECT_LE(result.worst, 1e-5) << result.worst_tensor;
        EXPECT_EQ(result.not_finite, 0U);
        EXPECT_GT(result.spread, 0.01);
    }
}

INSTANTIATE_TEST_SUITE_P(shared, ExportedModel,
                         testing::Values("albert_base.onnx.gz", "bert_base.onnx", "densenet201.onnx", "inception_v3.onnx",
                                         "loop_if.onnx.gz", "mixtral_4l.onnx.gz", "mobilenet_v3_large.onnx", "resnet50.onnx",
                                         "swin_b.onnx.gz", "vit_b_16.onnx"),
                         [](const auto& instance) {
                             const std::string name = instance.param;
                             return name.substr(0, name.find('.'));
                         });

}  // namespace sluice::test
