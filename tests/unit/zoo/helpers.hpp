// What the zoo's tests share.
#pragma once

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "sluice/onnx/zoo.hpp"

namespace sluice::test {

inline std::string bytes_of(const std::string& specification, onnx::ZooWeights weights, std::uint64_t seed = 1) {
    auto bytes = onnx::zoo_bytes(specification, weights, seed);
    EXPECT_TRUE(bytes) << to_text(bytes.error());
    return bytes ? *std::move(bytes) : std::string();
}

inline ::onnx::ModelProto parse(const std::string& bytes) {
    ::onnx::ModelProto model;
    EXPECT_TRUE(model.ParseFromString(bytes));
    return model;
}

inline std::string external_value(const ::onnx::TensorProto& tensor, const std::string& key) {
    for (const auto& entry : tensor.external_data()) {
        if (entry.key() == key) return entry.value();
    }
    ADD_FAILURE() << tensor.name() << " has no " << key;
    return "0";
}

/// A folder that vanishes with the test.
class Folder {
public:
    Folder() : path_(std::filesystem::temp_directory_path() / ("sluice_zoo_test_" + std::to_string(::getpid()))) {
        std::filesystem::create_directories(path_);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (const auto& entry : std::filesystem::directory_iterator(path_)) all.push_back(entry.path().filename().string());
        std::ranges::sort(all);
        return all;
    }

private:
    std::filesystem::path path_;
};

}  // namespace sluice::test
