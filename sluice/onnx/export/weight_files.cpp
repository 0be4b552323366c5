#include "sluice/onnx/export/weight_files.hpp"

#include <algorithm>
#include <format>
#include <fstream>

namespace sluice::onnx {

namespace fs = std::filesystem;

namespace {}

Result<::onnx::TensorProto> WeightFiles::place(const ::onnx::TensorProto& tensor) {
    if (is_absent(tensor)) return fail(absent_weights(model_, std::format("initializer '{}' was saved without its data", tensor.name())));
    const std::int64_t bytes = data_bytes(tensor);
    if (!is_external(tensor) && bytes <= kLargestEmbedded) return tensor;
    ::onnx::TensorProto placed;
    placed.set_name(tensor.name());
    placed.set_data_type(tensor.data_type());
    *placed.mutable_dims() = tensor.dims();
    if (tensor.has_doc_string()) placed.set_doc_string(tensor.doc_string());
    if (is_external(tensor)) {
        const auto data = place_external(external_of(tensor), tensor.name());
        if (!data) return fail(data.error());
        set_external(placed, *data);
        return placed;
    }
    if (const auto found = written_.find(&tensor); found != written_.end()) {
        set_external(placed, found->second);
        return placed;
    }
    auto raw = embedded_bytes(tensor);
    if (!raw) return tensor;
    const auto data = write_out(tensor, std::move(*raw));
    if (!data) return fail(data.error());
    set_external(placed, *data);
    return placed;
}

Result<ExternalData> WeightFiles::place_external(const ExternalData& data, std::string_view tensor) {
    if (const auto link = links_.find(data.location); link != links_.end() && placement_ == WeightPlacement::move)
        return ExternalData{link->second, data.offset, data.bytes};
    const auto file = find_weights(model_, data, tensor);
    if (!file) return fail(file.error());
    if (placement_ == WeightPlacement::copy) return copy(*file, data);
    auto name = link_to(data.location, *file);
    if (!name) return fail(std::move(name.error()));
    return ExternalData{std::move(*name), data.offset, data.bytes};
}

Result<std::string> WeightFiles::link_to(const std::string& location, const fs::path& file) {
    if (const auto found = links_.find(location); found != links_.end()) return found->second;
    const std::string name = next_name();
    std::error_code error;
    if (placement_ == WeightPlacement::move) {
        fs::rename(file, folder_ / name, error);
    } else {
        const fs::path source = fs::canonical(file, error);
        const fs::path place = error ? fs::path() : fs::weakly_canonical(fs::absolute(final_), error);
        if (!error) fs::create_symlink(source.lexically_relative(place), folder_ / name, error);
    }
    if (error)
        return fail(
            input_error(std::format("cannot link the weight file '{}' into '{}': {}", file.string(), final_.string(), error.message()))
                .fix("copy the weights instead: --self-contained"));
    return links_.emplace(location, name).first->second;
}

std::string WeightFiles::next_name() { return std::format("weights-{}.bin", names_++); }

Result<WeightFiles::Written*> WeightFiles::writable() {
    if (file_) return &*file_;
    std::string name = placement_ == WeightPlacement::copy ? std::format("stage-{}.weights", stage_) : next_name();
    auto file = NewFile::make(folder_ / name);
    if (!file) return fail(std::move(file.error()));
    file_.emplace(std::move(name), std::move(*file));
    return &*file_;
}

Result<ExternalData> WeightFiles::write_out(const ::onnx::TensorProto& tensor, std::string bytes) {
    const auto to = writable();
    if (!to) return fail(to.error());
    const ExternalData data{(*to)->name, to_page((*to)->bytes), static_cast<std::int64_t>(bytes.size())};
    if (auto done = (*to)->file.write_at(data.offset, bytes); !done) return fail(std::move(done.error()));
    (*to)->bytes = data.offset + data.bytes;
    written_.emplace(&tensor, data);
    return data;
}

Result<ExternalData> WeightFiles::copy(const fs::path& file, const ExternalData& data) {
    const auto key = std::pair(data.location, data.offset);
    if (const auto found = copied_.find(key); found != copied_.end() && found->second.bytes >= data.bytes)
        return ExternalData{found->second.location, found->second.offset, data.bytes};
    const auto to = writable();
    if (!to) return fail(to.error());
    const ExternalData placed{(*to)->name, to_page((*to)->bytes), data.bytes};
    std::ifstream in(file, std::ios::binary);
    in.seekg(data.offset);
    std::string buffer(static_cast<std::size_t>(std::min(kWeightBuffer, data.bytes)), '\0');
    for (std::int64_t done = 0; done < data.bytes;) {
        if (stop_.stop_requested()) return fail({DiagnosticKind::stopped, "stopped while copying weights", {}, {}, {}});
        const auto piece = std::min(kWeightBuffer, data.bytes - done);
        if (!in.read(buffer.data(), piece)) return fail(input_error(std::format("cannot read '{}' to its end", file.string())));
        const std::string_view view(buffer.data(), static_cast<std::size_t>(piece));
        if (auto wrote = (*to)->file.write_at(placed.offset + done, view); !wrote) return fail(std::move(wrote.error()));
        done += piece;
    }
    (*to)->bytes = placed.offset + placed.bytes;
    copied_.insert_or_assign(key, placed);
    return placed;
}

Result<void> WeightFiles::end_stage() {
    if (placement_ != WeightPlacement::copy) return {};
    copied_.clear();
    written_.clear();
    return finish();
}

Result<void> WeightFiles::finish() {
    if (!file_) return {};
    auto done = file_->file.flush().and_then([&] { return file_->file.finish(); });
    file_.reset();
    return done;
}

}  // namespace sluice::onnx
