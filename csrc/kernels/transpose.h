// Transposes of small tiles in registers, between row-major activations and the kernels' feature-major panels.
#pragma once
#include "elements.h"
#include "simd.h"

namespace tamis::TAMIS_ISA {

#if defined(__AVX2__)

constexpr int tile = 8;

TAMIS_INLINE void transpose_tile(__m256 (&r)[8]) {
  __m256 t[8], s[8];
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    s[4 * i + 0] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    s[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
    s[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    s[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm256_permute2f128_ps(s[i], s[i + 4], 0x20);
    r[i + 4] = _mm256_permute2f128_ps(s[i], s[i + 4], 0x31);
  }
}

TAMIS_INLINE __m256 load_eight(const float* p, Float32) { return _mm256_loadu_ps(p); }
TAMIS_INLINE __m256 load_eight(const uint16_t* p, Bfloat16) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)), 16));
}
TAMIS_INLINE __m256 load_eight(const uint16_t* p, Float16) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p)); }

// to[j * to_stride + i] = from[i * from_stride + j], i, j < tile, widened to float32.
template <class T>
TAMIS_INLINE void transpose_load(const typename T::type* from, int64_t from_stride, float* to, int64_t to_stride) {
  __m256 r[8];
  for (int i = 0; i < 8; ++i) r[i] = load_eight(from + i * from_stride, T{});
  transpose_tile(r);
  for (int i = 0; i < 8; ++i) _mm256_storeu_ps(to + i * to_stride, r[i]);
}

#else

constexpr int tile = 4;

template <class T>
TAMIS_INLINE void transpose_load(const typename T::type* from, int64_t from_stride, float* to, int64_t to_stride) {
  for (int i = 0; i < 4; ++i) {
    const Vec row = T::load(from + i * from_stride);
    for (int j = 0; j < 4; ++j) to[j * to_stride + i] = row.v[j];
  }
}

#endif

// The same for any `rows` x `cols` of `from`; cells of `to` beyond them are left alone.
template <class T>
void transpose_any(const typename T::type* from, int64_t from_stride, int64_t rows, int64_t cols, float* to,
                   int64_t to_stride) {
  const int64_t full_rows = rows / tile * tile, full_cols = cols / tile * tile;
  for (int64_t i = 0; i < full_rows; i += tile)
    for (int64_t j = 0; j < full_cols; j += tile)
      transpose_load<T>(from + i * from_stride + j, from_stride, to + j * to_stride + i, to_stride);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = i < full_rows ? full_cols : 0; j < cols; ++j)
      T::load_first(from + i * from_stride + j, 1).store_first(to + j * to_stride + i, 1);
}

}  // namespace tamis::TAMIS_ISA
