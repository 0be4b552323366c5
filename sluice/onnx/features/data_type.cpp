#include <onnx/onnx_pb.h>

#include "sluice/onnx/features.hpp"

namespace sluice::onnx {

std::optional<graph::DataType> data_type_of(std::int32_t onnx_elem_type) {
    using graph::DataType;
    using Proto = ::onnx::TensorProto;
    switch (onnx_elem_type) {
        case Proto::FLOAT:
            return DataType::f32;
        case Proto::DOUBLE:
            return DataType::f64;
        case Proto::FLOAT16:
            return DataType::f16;
        case Proto::BFLOAT16:
            return DataType::bf16;
        case Proto::FLOAT8E4M3FN:
        case Proto::FLOAT8E4M3FNUZ:
        case Proto::FLOAT8E5M2:
        case Proto::FLOAT8E5M2FNUZ:
            return DataType::f8;
        case Proto::INT64:
        case Proto::UINT64:
            return DataType::i64;
        case Proto::INT32:
        case Proto::UINT32:
            return DataType::i32;
        case Proto::INT16:
        case Proto::UINT16:
            return DataType::i16;
        case Proto::INT8:
        case Proto::UINT8:
            return DataType::i8;
        case Proto::INT4:
        case Proto::UINT4:
            return DataType::i4;
        case Proto::BOOL:
            return DataType::boolean;
        case Proto::STRING:
            return DataType::text;
        case Proto::COMPLEX64:
        case Proto::COMPLEX128:
            return DataType::other;
        default:
            return std::nullopt;
    }
}

}  // namespace sluice::onnx
