// What export leaves on the disk: links, moved and copied weights, whole folders or none.
#include <zlib.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>

#include "sluice/onnx/export.hpp"
#include "sluice/onnx/load_model.hpp"
#include "sluice/onnx/weights.hpp"
#include "tests/unit/export/folder.hpp"
#include "tests/unit/onnx/model_text.hpp"

namespace sluice::onnx {
namespace {

namespace fs = std::filesystem;
using test::names_in;
using test::TemporaryFolder;

using Names = std::vector<std::string>;

void write(const fs::path& path, std::string_view content) {
    std::ofstream(path, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
}
std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Two matrices of 4 KiB in "data/w.bin" beside the model; the second begins at 8192.
class ExportFiles : public testing::Test {
protected:
    void SetUp() override {
        model_ = parse_text("g (float[2, 32] x) => (float[2, 32] y) { a = MatMul(x, v) b = Relu(a) y = MatMul(b, w) }");
        add_external("v", 0);
        add_external("w", 8192);
        fs::create_directories(folder_ / "models/data");
        std::string bytes(8192 + 4096, '\0');
        for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i / 4096 + 1);
        write(weights_, bytes);
        write(path_, model_.SerializeAsString());
    }

    void add_external(const std::string& name, std::int64_t offset) {
        auto& tensor = add_weight(model_, name, {32, 32});
        tensor.set_data_location(::onnx::TensorProto::EXTERNAL);
        const auto set = [&](const char* key, const std::string& value) {
            auto& entry = *tensor.add_external_data();
            entry.set_key(key);
            entry.set_value(value);
        };
        set("location", "data/w.bin");
        set("offset", std::to_string(offset));
        set("length", "4096");
    }

    Result<Manifest> run(const fs::path& target, const ExportOptions& options = {}, std::optional<fs::path> model = std::nullopt) {
        const auto loaded = load_model(path_.string());
        if (!loaded) return fail(loaded.error());
        const std::vector<std::vector<OperatorId>> stages{{OperatorId(0), OperatorId(1)}, {OperatorId(2)}};
        return export_stages(model.value_or(path_), loaded->graph, stages, target, options);
    }
    std::string error_of_run(const fs::path& target, const ExportOptions& options = {}, std::optional<fs::path> model = std::nullopt) {
        const auto done = run(target, options, std::move(model));
        EXPECT_FALSE(done.has_value());
        return done ? std::string() : to_text(done.error());
    }

    static std::string location(const fs::path& stage) {
        ::onnx::ModelProto proto;
        EXPECT_TRUE(proto.ParseFromString(read(stage)));
        for (const auto& entry : proto.graph().initializer(0).external_data()) {
            if (entry.key() == "location") return entry.value();
        }
        return {};
    }

    TemporaryFolder folder_;
    fs::path path_ = folder_ / "models/model.onnx", weights_ = folder_ / "models/data/w.bin";
    ::onnx::ModelProto model_;
};

TEST_F(ExportFiles, weights_are_linked_so_that_model_and_export_move_together) {
    const fs::path target = folder_ / "models/out/stages";
    ASSERT_TRUE(run(target));
    EXPECT_EQ(names_in(target), (Names{"manifest.json", "stage-0.onnx", "stage-1.onnx", "weights-0.bin"}));
    EXPECT_TRUE(fs::is_symlink(target / "weights-0.bin"));
    EXPECT_TRUE(fs::read_symlink(target / "weights-0.bin").is_relative());
    EXPECT_EQ(location(target / "stage-1.onnx"), "weights-0.bin");
    fs::rename(folder_ / "models", folder_ / "elsewhere");
    EXPECT_EQ(read(folder_ / "elsewhere/out/stages/weights-0.bin").size(), 12288U);
    EXPECT_EQ(names_in(folder_.path()), (Names{"elsewhere"}));  // nothing temporary
}

TEST_F(ExportFiles, paths_may_be_relative) {
    const fs::path before = fs::current_path();
    fs::current_path(folder_ / "models");
    const auto done = run("stages", {}, "model.onnx");
    const std::size_t bytes = done ? read("stages/weights-0.bin").size() : 0;
    fs::current_path(before);
    ASSERT_TRUE(done) << to_text(done.error());
    EXPECT_EQ(bytes, 12288U);
}

TEST_F(ExportFiles, self_contained_copies_what_each_stage_needs) {
    ASSERT_TRUE(run(folder_ / "out/", {.import = {}, .self_contained = true, .adopt_weights = false, .stop = {}}));
    EXPECT_EQ(names_in(folder_ / "out"), (Names{"manifest.json", "stage-0.onnx", "stage-0.weights", "stage-1.onnx", "stage-1.weights"}));
    EXPECT_EQ(read(folder_ / "out/stage-0.weights"), std::string(4096, '\x01'));
    EXPECT_EQ(read(folder_ / "out/stage-1.weights"), std::string(4096, '\x03'));
    EXPECT_EQ(location(folder_ / "out/stage-1.onnx"), "stage-1.weights");
}

TEST_F(ExportFiles, adopted_weights_move_in) {
    ASSERT_TRUE(run(folder_ / "out", {.import = {}, .self_contained = false, .adopt_weights = true, .stop = {}}));
    EXPECT_FALSE(fs::exists(weights_));
    EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(folder_ / "out/weights-0.bin")));
}

TEST_F(ExportFiles, an_earlier_export_is_replaced_and_nothing_else) {
    const fs::path target = folder_ / "out";
    ASSERT_TRUE(run(target));
    ASSERT_TRUE(run(target, {.import = {}, .self_contained = true, .adopt_weights = false, .stop = {}}));
    EXPECT_FALSE(fs::exists(target / "weights-0.bin"));
    write(target / "notes.txt", "mine");
    EXPECT_NE(error_of_run(target).find("it has 'notes.txt'"), std::string::npos);
    EXPECT_TRUE(fs::exists(target / "stage-0.weights"));
    fs::remove(target / "notes.txt");
    write(target / "manifest.json", "{}");
    EXPECT_NE(error_of_run(target).find("no valid manifest.json"), std::string::npos);
    fs::create_directory(folder_ / "empty");
    EXPECT_TRUE(run(folder_ / "empty"));
    EXPECT_NE(error_of_run(path_).find("is no folder"), std::string::npos);
    EXPECT_EQ(names_in(folder_.path()), (Names{"empty", "models", "out"}));
}

TEST_F(ExportFiles, the_model_itself_is_not_overwritten) {
    ASSERT_TRUE(run(folder_ / "out", {.import = {}, .self_contained = true, .adopt_weights = false, .stop = {}}));
    const auto loaded = load_model((folder_ / "out/stage-0.onnx").string());
    ASSERT_TRUE(loaded);
    const std::vector<std::vector<OperatorId>> stages{{OperatorId(0), OperatorId(1)}};
    const auto again = export_stages(folder_ / "out/stage-0.onnx", loaded->graph, stages, folder_ / "out", {});
    ASSERT_FALSE(again);
    EXPECT_NE(to_text(again.error()).find("the model lies in it"), std::string::npos);
}

TEST_F(ExportFiles, weights_that_are_not_there) {
    fs::resize_file(weights_, 12000);
    const std::string text = error_of_run(folder_ / "out");
    EXPECT_NE(text.find("ends after 12000 bytes, and 'w' takes 4096 from byte 8192"), std::string::npos) << text;
    fs::remove(weights_);
    EXPECT_NE(error_of_run(folder_ / "out").find("--weights random"), std::string::npos);
    EXPECT_EQ(names_in(folder_.path()), (Names{"models"}));
    const auto made = materialise(path_.string(), WeightSource::file, 0, folder_ / "made");
    ASSERT_FALSE(made);
    EXPECT_NE(to_text(made.error()).find("data/w.bin"), std::string::npos);
}

TEST_F(ExportFiles, another_model_is_refused) {
    auto other = model_;
    other.mutable_graph()->mutable_node(1)->set_op_type("Tanh");
    write(folder_ / "other.onnx", other.SerializeAsString());
    EXPECT_NE(error_of_run(folder_ / "out", {}, folder_ / "other.onnx").find("another model"), std::string::npos);
}

TEST_F(ExportFiles, a_stop_leaves_nothing) {
    std::stop_source stop;
    stop.request_stop();
    const auto done = run(folder_ / "out", {.import = {}, .self_contained = true, .adopt_weights = false, .stop = stop.get_token()});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, DiagnosticKind::stopped);
    EXPECT_EQ(names_in(folder_.path()), (Names{"models"}));
}

TEST_F(ExportFiles, packed_models_keep_their_weights_beside_them) {
    const fs::path packed = folder_ / "models/model.onnx.gz";
    const std::string bytes = model_.SerializeAsString();
    gzFile file = gzopen(packed.c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    ASSERT_TRUE(run(folder_ / "out", {}, packed));
    EXPECT_EQ(read(folder_ / "out/weights-0.bin").size(), 12288U);
    const auto plain = materialise(packed.string(), WeightSource::file, 0, folder_ / "plain");
    ASSERT_TRUE(plain) << to_text(plain.error());
    EXPECT_EQ(*plain, folder_ / "plain/model.onnx");
    ASSERT_TRUE(run(folder_ / "again", {.import = {}, .self_contained = true, .adopt_weights = false, .stop = {}}, *plain));
    EXPECT_EQ(read(folder_ / "again/stage-1.weights"), std::string(4096, '\x03'));
}

TEST_F(ExportFiles, made_up_weights_are_the_same_for_a_seed) {
    const auto made = [&](const std::string& name, WeightSource source, std::uint64_t seed) {
        const auto file = materialise(path_.string(), source, seed, folder_ / name);
        EXPECT_TRUE(file);
        return read(folder_ / name / "model.onnx.weights");
    };
    const std::string a = made("a", WeightSource::random, 1);
    EXPECT_EQ(a.size(), 8192U);
    EXPECT_EQ(a, made("b", WeightSource::random, 1));
    EXPECT_NE(a, made("c", WeightSource::random, 2));
    EXPECT_NE(a.substr(0, 4096), a.substr(4096));
    EXPECT_EQ(made("d", WeightSource::zero, 1), std::string(8192, '\0'));
    // The structure is the same: a plan for one is a plan for the other.
    const auto loaded = load_model(path_.string()), other = load_model((folder_ / "a/model.onnx").string());
    ASSERT_TRUE(loaded && other);
    EXPECT_EQ(loaded->graph.fingerprint(), other->graph.fingerprint());
    EXPECT_EQ(*materialise(path_.string(), WeightSource::file, 0, folder_ / "unused"), path_);
    EXPECT_FALSE(fs::exists(folder_ / "unused"));
}

TEST(MadeUpWeights, suit_what_reads_them) {
    auto model = parse_text(R"(g (float[1, 16, 8, 8] x) => (float[1, 32, 8, 8] y) {
        a = Conv <pads = [1, 1, 1, 1]> (x, kernel, bias)
        n = BatchNormalization(a, scale, shift, mean, variance)
        s = Add(n, small)
        y = Where(mask, s, n)
    })");
    add_weight(model, "kernel", {32, 16, 3, 3});
    for (const char* name : {"bias", "scale", "shift", "mean", "variance"}) add_weight(model, name, {32});
    add_weight(model, "small", {1, 1, 1, 1}).add_float_data(0.5F);
    add_weight(model, "mask", {8, 8}, ::onnx::TensorProto::BOOL);
    const TemporaryFolder folder;
    write(folder / "m.onnx", model.SerializeAsString());
    const auto file = materialise((folder / "m.onnx").string(), WeightSource::random, 3, folder / "made");
    ASSERT_TRUE(file) << to_text(file.error());
    ::onnx::ModelProto made;
    ASSERT_TRUE(made.ParseFromString(read(*file)));
    const std::string data = read(file->string() + ".weights");
    const auto values_of = [&](const std::string& name) {
        std::vector<float> values;
        for (const auto& tensor : made.graph().initializer()) {
            if (tensor.name() != name) continue;
            std::size_t offset = 0, length = 0;
            for (const auto& entry : tensor.external_data()) {
                if (entry.key() == "offset") offset = std::stoul(entry.value());
                if (entry.key() == "length") length = std::stoul(entry.value());
            }
            EXPECT_EQ(offset % 4096, 0U);
            values.resize(length / 4);
            std::memcpy(values.data(), data.data() + offset, length);
        }
        EXPECT_FALSE(values.empty()) << name;
        return values;
    };
    double square = 0;
    const auto kernel = values_of("kernel");
    for (const float value : kernel) square += static_cast<double>(value) * static_cast<double>(value);
    EXPECT_NEAR(square / static_cast<double>(kernel.size()) * 16 * 9, 1, 0.1);  // 1 / fan-in
    for (const char* name : {"scale", "variance"}) EXPECT_GT(std::ranges::min(values_of(name)), 0.6F) << name;
    for (const char* name : {"bias", "shift", "mean"}) EXPECT_LT(std::abs(std::ranges::max(values_of(name))), 0.1F) << name;
    EXPECT_EQ(std::ranges::find(made.graph().initializer(), "small", &::onnx::TensorProto::name)->float_data(0), 0.5F);
    EXPECT_NE(data.find(std::string("\1\0\0\0\0\0\0\0\1\1", 10)), std::string::npos);  // the mask is a lower triangle
}

TEST(MadeUpWeights, come_in_every_floating_type) {
    auto model = parse_text("g (float[1, 64] x) => (float[1, 64] y) { y = Relu(x) }");
    const std::vector<std::pair<int, std::size_t>> types{{::onnx::TensorProto::FLOAT, 4},
                                                         {::onnx::TensorProto::DOUBLE, 8},
                                                         {::onnx::TensorProto::FLOAT16, 2},
                                                         {::onnx::TensorProto::BFLOAT16, 2}};
    for (const auto& [type, size] : types) add_weight(model, std::format("w{}", type), {1024, 4}, type);
    add_weight(model, "integers", {1024}, ::onnx::TensorProto::INT64);
    const TemporaryFolder folder;
    write(folder / "m.onnx", model.SerializeAsString());
    const auto file = materialise((folder / "m.onnx").string(), WeightSource::random, 3, folder / "made");
    ASSERT_TRUE(file) << to_text(file.error());
    const std::string data = read(file->string() + ".weights");
    std::size_t at = 0;
    for (const auto& [type, size] : types) {
        double sum = 0, square = 0;
        for (std::size_t i = 0; i < 4096; ++i) {
            const char* bytes = data.data() + at + i * size;
            double value = 0;
            std::uint16_t half = 0;
            float single = 0;
            if (size == 2) std::memcpy(&half, bytes, 2);
            if (size == 4) std::memcpy(&single, bytes, 4);
            if (size == 4) value = static_cast<double>(single);
            if (size == 8) std::memcpy(&value, bytes, 8);
            if (type == ::onnx::TensorProto::BFLOAT16)
                value = static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16));
            if (type == ::onnx::TensorProto::FLOAT16)  // no subnormal numbers but tiny ones
                value = std::ldexp((half & 0x8000) != 0 ? -1.0 : 1.0, ((half >> 10) & 31) - 15) * (1 + (half & 1023) / 1024.0);
            sum += value;
            square += value * value;
        }
        EXPECT_NEAR(sum / 4096, 0, 0.05) << type;
        EXPECT_NEAR(square / 4096, 0.25, 0.05) << type;  // of fan-in 4
        at += 4096 * size;
    }
    EXPECT_EQ(data.substr(at), std::string(8192, '\0'));
}

}  // namespace
}  // namespace sluice::onnx
