#pragma once

namespace sluice {

// The 16-bit floating point of ONNX, by the names that gcc and clang share: clang's library lacks <stdfloat>'s.
__extension__ using Float16 = _Float16;
__extension__ using BFloat16 = __bf16;

}  // namespace sluice
