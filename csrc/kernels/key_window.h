// Consecutive sorted keys in one vector: how many are smaller than a key, and whether one equals it. Not every ISA has one.
#pragma once
#include "simd.h"

namespace tamis::TAMIS_ISA {

template <class Key> struct KeyWindow {
  static constexpr int width = 0;
};

#if defined(TAMIS_ISA_avx512)

template <> struct KeyWindow<int32_t> {
  static constexpr int width = 16;
  __m512i keys;
  static TAMIS_INLINE KeyWindow load(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
  TAMIS_INLINE int below(int32_t key) const {
    return __builtin_popcount(_mm512_cmplt_epi32_mask(keys, _mm512_set1_epi32(key)));
  }
  TAMIS_INLINE bool holds(int32_t key) const { return _mm512_cmpeq_epi32_mask(keys, _mm512_set1_epi32(key)) != 0; }
};

template <> struct KeyWindow<int64_t> {
  static constexpr int width = 8;
  __m512i keys;
  static TAMIS_INLINE KeyWindow load(const int64_t* p) { return {_mm512_loadu_si512(p)}; }
  TAMIS_INLINE int below(int64_t key) const {
    return __builtin_popcount(_mm512_cmplt_epi64_mask(keys, _mm512_set1_epi64(key)));
  }
  TAMIS_INLINE bool holds(int64_t key) const { return _mm512_cmpeq_epi64_mask(keys, _mm512_set1_epi64(key)) != 0; }
};

#elif defined(TAMIS_ISA_avx2)

template <> struct KeyWindow<int32_t> {
  static constexpr int width = 8;
  __m256i keys;
  static TAMIS_INLINE KeyWindow load(const int32_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
  TAMIS_INLINE int below(int32_t key) const {
    const __m256i smaller = _mm256_cmpgt_epi32(_mm256_set1_epi32(key), keys);
    return __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(smaller))));
  }
  TAMIS_INLINE bool holds(int32_t key) const {
    return _mm256_movemask_epi8(_mm256_cmpeq_epi32(keys, _mm256_set1_epi32(key))) != 0;
  }
};

template <> struct KeyWindow<int64_t> {
  static constexpr int width = 4;
  __m256i keys;
  static TAMIS_INLINE KeyWindow load(const int64_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
  TAMIS_INLINE int below(int64_t key) const {
    const __m256i smaller = _mm256_cmpgt_epi64(_mm256_set1_epi64x(key), keys);
    return __builtin_popcount(static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(smaller))));
  }
  TAMIS_INLINE bool holds(int64_t key) const {
    return _mm256_movemask_epi8(_mm256_cmpeq_epi64(keys, _mm256_set1_epi64x(key))) != 0;
  }
};

#endif

}  // namespace tamis::TAMIS_ISA
