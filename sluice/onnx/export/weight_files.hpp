// Private to this layer.
// The weight files of an export folder. Weights that lie beside the model are linked (relative, so that model and export can move
// together), moved or copied; those embedded in the model are written out once and shared by the stages that need them.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>

#include "sluice/base/new_file.hpp"
#include "sluice/onnx/external.hpp"

namespace sluice::onnx {

enum class WeightPlacement { link, move, copy };

class WeightFiles {
public:
    /// `final`: the name that `folder` will get.
    WeightFiles(std::filesystem::path model, std::filesystem::path folder, std::filesystem::path final, WeightPlacement placement,
                std::stop_token stop)
        : model_(std::move(model)), folder_(std::move(folder)), final_(std::move(final)), placement_(placement), stop_(std::move(stop)) {}

    void begin_stage(std::size_t stage) { stage_ = stage; }
    /// `tensor` as the current stage's file has it. Diagnostics: weights that are absent or too short; a link or file that cannot be made.
    [[nodiscard]] Result<::onnx::TensorProto> place(const ::onnx::TensorProto& tensor);
    /// The weight file of the current stage, if it has one, is whole.
    [[nodiscard]] Result<void> end_stage();
    [[nodiscard]] Result<void> finish();

private:
    struct Written {
        std::string name;
        NewFile file;
        std::int64_t bytes = 0;
    };
    [[nodiscard]] Result<ExternalData> place_external(const ExternalData& data, std::string_view tensor);
    [[nodiscard]] Result<ExternalData> write_out(const ::onnx::TensorProto& tensor, std::string bytes);
    [[nodiscard]] Result<std::string> link_to(const std::string& location, const std::filesystem::path& file);
    [[nodiscard]] Result<ExternalData> copy(const std::filesystem::path& file, const ExternalData& data);
    /// The file that data is written into now.
    [[nodiscard]] Result<Written*> writable();
    [[nodiscard]] std::string next_name();

    std::filesystem::path model_, folder_, final_;
    WeightPlacement placement_;
    std::stop_token stop_;
    std::size_t stage_ = 0, names_ = 0;
    std::unordered_map<std::string, std::string> links_;                    // location in the model -> name in the folder
    std::unordered_map<const ::onnx::TensorProto*, ExternalData> written_;  // embedded data written out
    std::map<std::pair<std::string, std::int64_t>, ExternalData> copied_;   // of the current stage, by location and offset
    std::optional<Written> file_;
};

}  // namespace sluice::onnx
