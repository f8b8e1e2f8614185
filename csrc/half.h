// float16 and bfloat16 as numbers, where the CPU has no instruction for them.
#pragma once
#include <cstdint>

#define TAMIS_INLINE inline __attribute__((always_inline))

namespace tamis {

TAMIS_INLINE float half_to_float(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16, exponent = (h >> 10) & 31, mantissa = h & 1023;
  union { uint32_t u; float f; } out;
  if (exponent == 31) out.u = sign | 0x7f800000u | (mantissa << 13);
  else if (exponent) out.u = sign | ((exponent + 112) << 23) | (mantissa << 13);
  else { out.f = static_cast<float>(mantissa) * 5.9604644775390625e-8f; out.u |= sign; }
  return out.f;
}

TAMIS_INLINE float bfloat16_to_float(uint16_t h) {
  union { uint32_t u; float f; } out = {static_cast<uint32_t>(h) << 16};
  return out.f;
}

}  // namespace tamis
