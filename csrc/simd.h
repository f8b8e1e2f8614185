// The vector of the instruction set being compiled: one type, the same names for every ISA.
//
// A kernel is written once over Vec and compiled once per ISA in namespace tamis::TAMIS_ISA. Only <cstdint>, half.h and
// intrinsics may be included here: a standard-library template instantiated under -mavx512f would export a weak symbol
// that the linker may hand to an older CPU.
#pragma once
#include <cstddef>
#include <cstdint>

#include "half.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// GCC folds a load that several FMAs share into each of them, and so loads it again and again. Passing the register
// through an empty asm keeps it a register.
#ifndef TAMIS_KEEP  // tests/native emulate vectors that the CPU has no register for
#define TAMIS_KEEP(vec) asm volatile("" : "+" TAMIS_REG(vec.v))
#endif
// asm volatile also pins the *order* of such loads, which is what a software-pipelined loop wants.

// Every loop over accumulators is unrolled by pragma: one dynamic index, and GCC keeps them all in memory.
#define TAMIS_UNROLL _Pragma("GCC unroll 8")

namespace tamis::TAMIS_ISA {

#if defined(TAMIS_ISA_avx512)

#define TAMIS_REG(x) "v"(x)
struct Vec {
  static constexpr int width = 16;
  static constexpr int registers = 32;
  __m512 v;
  static TAMIS_INLINE Vec zero() { return {_mm512_setzero_ps()}; }
  static TAMIS_INLINE Vec broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static TAMIS_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static TAMIS_INLINE Vec load_first(const float* p, int count) {
    return {_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), p)};
  }
  // Four floats, repeated in every 128-bit lane; pick<i> then broadcasts the i-th without another load.
  static TAMIS_INLINE Vec repeat_four(__m128 four) { return {_mm512_broadcast_f32x4(four)}; }
  template <int i> TAMIS_INLINE Vec pick() const { return {_mm512_permute_ps(v, i * 0x55)}; }
  TAMIS_INLINE void store(float* p) const { _mm512_storeu_ps(p, v); }
  TAMIS_INLINE void store_first(float* p, int count) const {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), v);
  }
  static TAMIS_INLINE Vec load_bf16(const uint16_t* p) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p)), 16))};
  }
  static TAMIS_INLINE Vec load_f16(const uint16_t* p) { return {_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p))}; }
  static TAMIS_INLINE Vec load_i8(const int8_t* p) {
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)p)))};
  }
};
TAMIS_INLINE Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
TAMIS_INLINE Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
TAMIS_INLINE Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
TAMIS_INLINE Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
TAMIS_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
// x > y ? x : y lane by lane; y where either is NaN, as the x86 instruction does.
TAMIS_INLINE Vec max(Vec x, Vec y) { return {_mm512_max_ps(x.v, y.v)}; }
TAMIS_INLINE Vec min(Vec x, Vec y) { return {_mm512_min_ps(x.v, y.v)}; }
TAMIS_INLINE float sum(Vec a) { return _mm512_reduce_add_ps(a.v); }
// x * 2^whole, for whole numbers from -126 to 128; NaN if x is.
TAMIS_INLINE Vec scaled(Vec x, Vec whole) { return {_mm512_scalef_ps(x.v, whole.v)}; }
// x, negated where `by` is negative.
TAMIS_INLINE Vec signed_as(Vec x, Vec by) { return {_mm512_xor_ps(x.v, _mm512_and_ps(by.v, _mm512_set1_ps(-0.0f)))}; }

#elif defined(TAMIS_ISA_avx2)

#define TAMIS_REG(x) "x"(x)
TAMIS_INLINE __m256i first_lanes(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
struct Vec {
  static constexpr int width = 8;
  static constexpr int registers = 16;
  __m256 v;
  static TAMIS_INLINE Vec zero() { return {_mm256_setzero_ps()}; }
  static TAMIS_INLINE Vec broadcast(float x) { return {_mm256_set1_ps(x)}; }
  static TAMIS_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static TAMIS_INLINE Vec load_first(const float* p, int count) { return {_mm256_maskload_ps(p, first_lanes(count))}; }
  static TAMIS_INLINE Vec repeat_four(__m128 four) { return {_mm256_set_m128(four, four)}; }
  template <int i> TAMIS_INLINE Vec pick() const { return {_mm256_permute_ps(v, i * 0x55)}; }
  TAMIS_INLINE void store(float* p) const { _mm256_storeu_ps(p, v); }
  TAMIS_INLINE void store_first(float* p, int count) const { _mm256_maskstore_ps(p, first_lanes(count), v); }
  static TAMIS_INLINE Vec load_bf16(const uint16_t* p) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)), 16))};
  }
  static TAMIS_INLINE Vec load_f16(const uint16_t* p) { return {_mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p))}; }
  static TAMIS_INLINE Vec load_i8(const int8_t* p) {
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p)))};
  }
};
TAMIS_INLINE Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
TAMIS_INLINE Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
TAMIS_INLINE Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
TAMIS_INLINE Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
TAMIS_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
TAMIS_INLINE Vec max(Vec x, Vec y) { return {_mm256_max_ps(x.v, y.v)}; }
TAMIS_INLINE Vec min(Vec x, Vec y) { return {_mm256_min_ps(x.v, y.v)}; }
TAMIS_INLINE Vec scaled(Vec x, Vec whole) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(whole.v), _mm256_set1_epi32(127));
  return {_mm256_mul_ps(x.v, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)))};
}
TAMIS_INLINE Vec signed_as(Vec x, Vec by) { return {_mm256_xor_ps(x.v, _mm256_and_ps(by.v, _mm256_set1_ps(-0.0f)))}; }
TAMIS_INLINE float sum(Vec a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}

#else  // baseline: GCC's portable 128-bit vectors = SSE2 on x86, NEON on Arm

#if defined(__x86_64__)
#define TAMIS_REG(x) "x"(x)
#else
#define TAMIS_REG(x) "w"(x)
#endif
typedef float float4 __attribute__((vector_size(16)));
typedef float float4_unaligned __attribute__((vector_size(16), aligned(4)));
typedef int32_t int4v __attribute__((vector_size(16)));
struct Vec {
  static constexpr int width = 4;
#if defined(__aarch64__)
  static constexpr int registers = 32;
#else
  static constexpr int registers = 16;
#endif
  float4 v;
  static TAMIS_INLINE Vec zero() { return {float4{0, 0, 0, 0}}; }
  static TAMIS_INLINE Vec broadcast(float x) { return {float4{x, x, x, x}}; }
  static TAMIS_INLINE Vec load(const float* p) { return {*reinterpret_cast<const float4_unaligned*>(p)}; }
  static TAMIS_INLINE Vec load_first(const float* p, int count) {
    Vec r = zero();
    for (int i = 0; i < count; ++i) r.v[i] = p[i];
    return r;
  }
  static TAMIS_INLINE Vec repeat_four(float4 four) { return {four}; }
  template <int i> TAMIS_INLINE Vec pick() const { return {float4{v[i], v[i], v[i], v[i]}}; }
  TAMIS_INLINE void store(float* p) const { *reinterpret_cast<float4_unaligned*>(p) = v; }
  TAMIS_INLINE void store_first(float* p, int count) const {
    for (int i = 0; i < count; ++i) p[i] = v[i];
  }
  static TAMIS_INLINE Vec load_bf16(const uint16_t* p) {
    return {float4{bfloat16_to_float(p[0]), bfloat16_to_float(p[1]), bfloat16_to_float(p[2]), bfloat16_to_float(p[3])}};
  }
  static TAMIS_INLINE Vec load_f16(const uint16_t* p) {
    return {float4{half_to_float(p[0]), half_to_float(p[1]), half_to_float(p[2]), half_to_float(p[3])}};
  }
  static TAMIS_INLINE Vec load_i8(const int8_t* p) {
    return {float4{static_cast<float>(p[0]), static_cast<float>(p[1]), static_cast<float>(p[2]), static_cast<float>(p[3])}};
  }
};
TAMIS_INLINE Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
TAMIS_INLINE Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
TAMIS_INLINE Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
TAMIS_INLINE Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }
TAMIS_INLINE Vec fma(Vec a, Vec b, Vec c) {
#if defined(__aarch64__)
  return {vfmaq_f32(c.v, a.v, b.v)};
#else
  return {a.v * b.v + c.v};
#endif
}
TAMIS_INLINE Vec max(Vec x, Vec y) { return {x.v > y.v ? x.v : y.v}; }
TAMIS_INLINE Vec min(Vec x, Vec y) { return {x.v < y.v ? x.v : y.v}; }
TAMIS_INLINE Vec scaled(Vec x, Vec whole) {
  int4v power;
  for (int i = 0; i < 4; ++i) power[i] = whole.v[i] == whole.v[i] ? (static_cast<int32_t>(whole.v[i]) + 127) << 23 : 0;
  return {x.v * reinterpret_cast<float4>(power)};
}
TAMIS_INLINE Vec signed_as(Vec x, Vec by) {
  const int4v sign = reinterpret_cast<int4v>(by.v) & (int4v{} + INT32_MIN);
  return {reinterpret_cast<float4>(reinterpret_cast<int4v>(x.v) ^ sign)};
}
TAMIS_INLINE float sum(Vec a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }

#endif

}  // namespace tamis::TAMIS_ISA
