// float32, bfloat16 and float16 in memory; always float32 in registers.
#pragma once
#include "simd.h"

namespace tamis::TAMIS_ISA {

struct Float32 {
  using type = float;
  static TAMIS_INLINE Vec load(const float* p) { return Vec::load(p); }
  static TAMIS_INLINE Vec load_first(const float* p, int count) { return Vec::load_first(p, count); }
  static TAMIS_INLINE void store(float* p, Vec x) { x.store(p); }
  static TAMIS_INLINE void store_first(float* p, Vec x, int count) { x.store_first(p, count); }
};

// Stored values only: whole numbers, to be scaled afterwards.
struct Int8 {
  using type = int8_t;
  static TAMIS_INLINE Vec load(const int8_t* p) { return Vec::load_i8(p); }
};

TAMIS_INLINE uint16_t round_to_bf16(float x) {
  union { float f; uint32_t u; } bits = {x};
  if (x != x) return static_cast<uint16_t>((bits.u >> 16) | 0x40);  // keeps a NaN a NaN
  return static_cast<uint16_t>((bits.u + 0x7fff + ((bits.u >> 16) & 1)) >> 16);
}

TAMIS_INLINE uint16_t round_to_f16(float x) {
#if defined(__F16C__)
  return _cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT);
#else
  union { float f; uint32_t u; } bits = {x};
  const uint16_t sign = static_cast<uint16_t>((bits.u >> 16) & 0x8000);
  bits.u &= 0x7fffffff;
  if (bits.u > 0x7f800000) return sign | 0x7e00;
  if (bits.u >= 0x477ff000) return sign | 0x7c00;  // rounds to infinity
  if (bits.u < 0x38800000) {                       // subnormal: let the adder round
    union { float f; uint32_t u; } tiny = {bits.f + 0.5f};
    return static_cast<uint16_t>(sign | (tiny.u - 0x3f000000));
  }
  return static_cast<uint16_t>(sign | ((bits.u - 0x38000000 + 0xfff + ((bits.u >> 13) & 1)) >> 13));
#endif
}

// The two 16-bit types differ in the conversion only.
template <class Half> struct HalfElement {
  using type = uint16_t;
  static TAMIS_INLINE Vec load(const uint16_t* p) { return Half::widen(p); }
  static TAMIS_INLINE Vec load_first(const uint16_t* p, int count) {
    uint16_t buffer[Vec::width] = {};
    for (int i = 0; i < count; ++i) buffer[i] = p[i];
    return Half::widen(buffer);
  }
  static TAMIS_INLINE void store(uint16_t* p, Vec x) { store_first(p, x, Vec::width); }
  static TAMIS_INLINE void store_first(uint16_t* p, Vec x, int count) {
    float buffer[Vec::width];
    x.store(buffer);
    for (int i = 0; i < count; ++i) p[i] = Half::narrow(buffer[i]);
  }
};
struct Bfloat16Conversion {
  static TAMIS_INLINE Vec widen(const uint16_t* p) { return Vec::load_bf16(p); }
  static TAMIS_INLINE uint16_t narrow(float x) { return round_to_bf16(x); }
};
struct Float16Conversion {
  static TAMIS_INLINE Vec widen(const uint16_t* p) { return Vec::load_f16(p); }
  static TAMIS_INLINE uint16_t narrow(float x) { return round_to_f16(x); }
};
using Bfloat16 = HalfElement<Bfloat16Conversion>;
using Float16 = HalfElement<Float16Conversion>;

}  // namespace tamis::TAMIS_ISA
