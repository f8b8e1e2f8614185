// Four 8-bit products and their sum in each 32-bit lane: levels of activations (unsigned) times weights (signed).
//
// Where there is no instruction for it (VNNI), products are first added in pairs in 16 bits, which would saturate at
// 2 * 255 * 127: activations then have 128 levels instead of 256.
#pragma once
#include "simd.h"

namespace tamis::TAMIS_ISA {

#if defined(TAMIS_ISA_avx512)

struct Dot8 {
  using Int = __m512i;
#if defined(__AVX512VNNI__)
  static constexpr int highest_level = 255;
  // The intrinsic of GCC 12 copies the sums before and after, at twice the instructions of the loop.
  static TAMIS_INLINE Int add(Int sums, Int levels, Int weights) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(levels), "v"(weights));
    return sums;
  }
#else
  static constexpr int highest_level = 127;
  static TAMIS_INLINE Int add(Int sums, Int levels, Int weights) {
    return _mm512_add_epi32(sums, _mm512_madd_epi16(_mm512_maddubs_epi16(levels, weights), _mm512_set1_epi16(1)));
  }
#endif
  static TAMIS_INLINE Int zero() { return _mm512_setzero_si512(); }
  static TAMIS_INLINE Int load(const uint8_t* p) { return _mm512_loadu_si512(p); }
  static TAMIS_INLINE Int repeat_four(__m128i four) { return _mm512_broadcast_i32x4(four); }
  template <int i> static TAMIS_INLINE Int pick(Int fours) { return _mm512_shuffle_epi32(fours, static_cast<_MM_PERM_ENUM>(i * 0x55)); }
  static TAMIS_INLINE Vec to_float(Int sums) { return {_mm512_cvtepi32_ps(sums)}; }
  static TAMIS_INLINE void store_low_bytes(uint8_t* p, Vec bits) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_castps_si512(bits.v)));
  }
};

#elif defined(TAMIS_ISA_avx2)

struct Dot8 {
  using Int = __m256i;
  static constexpr int highest_level = 127;
  static TAMIS_INLINE Int add(Int sums, Int levels, Int weights) {
    return _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_maddubs_epi16(levels, weights), _mm256_set1_epi16(1)));
  }
  static TAMIS_INLINE Int zero() { return _mm256_setzero_si256(); }
  static TAMIS_INLINE Int load(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static TAMIS_INLINE Int repeat_four(__m128i four) { return _mm256_broadcastsi128_si256(four); }
  template <int i> static TAMIS_INLINE Int pick(Int fours) { return _mm256_shuffle_epi32(fours, i * 0x55); }
  static TAMIS_INLINE Vec to_float(Int sums) { return {_mm256_cvtepi32_ps(sums)}; }
  static TAMIS_INLINE void store_low_bytes(uint8_t* p, Vec bits) {
    const __m256i low = _mm256_and_si256(_mm256_castps_si256(bits.v), _mm256_set1_epi32(0xff));
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
  }
};

#else

struct Dot8 {
  struct Int {
    int32_t lane[4];
  };
  static constexpr int highest_level = 255;
  static TAMIS_INLINE Int add(Int sums, Int levels, Int weights) {
    uint8_t x[16];
    int8_t w[16];
    __builtin_memcpy(x, &levels, 16);
    __builtin_memcpy(w, &weights, 16);
    for (int i = 0; i < 16; ++i) sums.lane[i / 4] += x[i] * w[i];
    return sums;
  }
  static TAMIS_INLINE Int zero() { return {}; }
  static TAMIS_INLINE Int load(const uint8_t* p) {
    Int x;
    __builtin_memcpy(&x, p, 16);
    return x;
  }
  static TAMIS_INLINE Int repeat_four(Int four) { return four; }
  template <int i> static TAMIS_INLINE Int pick(Int fours) { return {fours.lane[i], fours.lane[i], fours.lane[i], fours.lane[i]}; }
  static TAMIS_INLINE Vec to_float(Int sums) {
    return {float4{static_cast<float>(sums.lane[0]), static_cast<float>(sums.lane[1]), static_cast<float>(sums.lane[2]),
                   static_cast<float>(sums.lane[3])}};
  }
  static TAMIS_INLINE void store_low_bytes(uint8_t* p, Vec bits) {
    const int4v low = reinterpret_cast<int4v>(bits.v);
    for (int i = 0; i < 4; ++i) p[i] = static_cast<uint8_t>(low[i]);
  }
};

#endif

// The weights of a step: four for each of four rows.
struct StepWeights {
#if defined(TAMIS_ISA_avx512) || defined(TAMIS_ISA_avx2)
  __m128i four;
  static TAMIS_INLINE StepWeights load(const int8_t* p) { return {_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))}; }
  // Adds the sum of each row's weights to its lane.
  TAMIS_INLINE __m128i add_to(__m128i sums) const {
#if defined(__AVX512VNNI__)
    asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(_mm_set1_epi8(1)), "v"(four));
    return sums;
#else
    return _mm_add_epi32(sums, _mm_madd_epi16(_mm_maddubs_epi16(_mm_set1_epi8(1), four), _mm_set1_epi16(1)));
#endif
  }
  using Sums = __m128i;
  static TAMIS_INLINE Sums zero() { return _mm_setzero_si128(); }
  static TAMIS_INLINE void store(int32_t* p, Sums sums) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), sums); }
#else
  Dot8::Int four;
  static TAMIS_INLINE StepWeights load(const int8_t* p) { return {Dot8::load(reinterpret_cast<const uint8_t*>(p))}; }
  TAMIS_INLINE Dot8::Int add_to(Dot8::Int sums) const {
    return Dot8::add(sums, {0x01010101, 0x01010101, 0x01010101, 0x01010101}, four);
  }
  using Sums = Dot8::Int;
  static TAMIS_INLINE Sums zero() { return Dot8::zero(); }
  static TAMIS_INLINE void store(int32_t* p, Sums sums) { __builtin_memcpy(p, &sums, 16); }
#endif
};

}  // namespace tamis::TAMIS_ISA
