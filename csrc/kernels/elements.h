// float32, bfloat16, float16 and int8 in memory; always float32 in registers.
#pragma once
#include "kernels.h"
#include "simd.h"

namespace tamis::TAMIS_ISA {

typedef float Lanes __attribute__((vector_size(16)));
typedef float LanesUnaligned __attribute__((vector_size(16), aligned(4)));

struct Float32 {
  using type = float;
  static TAMIS_INLINE Lanes load_lanes(const float* p) { return *reinterpret_cast<const LanesUnaligned*>(p); }
  static TAMIS_INLINE Vec load(const float* p) { return Vec::load(p); }
  static TAMIS_INLINE Vec load_first(const float* p, int count) { return Vec::load_first(p, count); }
  static TAMIS_INLINE void store(float* p, Vec x) { x.store(p); }
  static TAMIS_INLINE void store_first(float* p, Vec x, int count) { x.store_first(p, count); }
};

// Stored values only: whole numbers, to be scaled afterwards.
struct Int8 {
  using type = int8_t;
  static TAMIS_INLINE Lanes load_lanes(const int8_t* p) {
#if defined(__SSE4_1__)
    int32_t four;
    __builtin_memcpy(&four, p, sizeof four);
    return (Lanes)_mm_cvtepi32_ps(_mm_cvtepi8_epi32(_mm_cvtsi32_si128(four)));
#else
    return Lanes{static_cast<float>(p[0]), static_cast<float>(p[1]), static_cast<float>(p[2]), static_cast<float>(p[3])};
#endif
  }
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
  static TAMIS_INLINE Lanes load_lanes(const uint16_t* p) { return Half::widen_four(p); }
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
  static TAMIS_INLINE Lanes widen_four(const uint16_t* p) {
#if defined(__SSE4_1__)
    return (Lanes)_mm_slli_epi32(_mm_cvtepu16_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))), 16);
#else
    return Lanes{bfloat16_to_float(p[0]), bfloat16_to_float(p[1]), bfloat16_to_float(p[2]), bfloat16_to_float(p[3])};
#endif
  }
  static TAMIS_INLINE Vec widen(const uint16_t* p) { return Vec::load_bf16(p); }
  static TAMIS_INLINE uint16_t narrow(float x) { return round_to_bf16(x); }
};
struct Float16Conversion {
  static TAMIS_INLINE Lanes widen_four(const uint16_t* p) {
#if defined(__F16C__)
    return (Lanes)_mm_cvtph_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
#else
    return Lanes{half_to_float(p[0]), half_to_float(p[1]), half_to_float(p[2]), half_to_float(p[3])};
#endif
  }
  static TAMIS_INLINE Vec widen(const uint16_t* p) { return Vec::load_f16(p); }
  static TAMIS_INLINE uint16_t narrow(float x) { return round_to_f16(x); }
};
using Bfloat16 = HalfElement<Bfloat16Conversion>;
using Float16 = HalfElement<Float16Conversion>;

// Calls body with an object of the type that holds the elements, or the stored values.
template <class Body> TAMIS_INLINE auto with_element(Element element, Body&& body) {
  switch (element) {
    case Element::bfloat16: return body(Bfloat16{});
    case Element::float16: return body(Float16{});
    default: return body(Float32{});
  }
}
template <class Body> TAMIS_INLINE auto with_stored(Stored stored, Body&& body) {
  switch (stored) {
    case Stored::bfloat16: return body(Bfloat16{});
    case Stored::float16: return body(Float16{});
    case Stored::int8: return body(Int8{});
    default: return body(Float32{});
  }
}

}  // namespace tamis::TAMIS_ISA
