// Transposes of small tiles in registers, between row-major activations and the kernels' feature-major panels.
#pragma once
#include "elements.h"
#include "simd.h"

namespace tamis::TAMIS_ISA {

// rows[i][j] <-> rows[j][i]
#if defined(TAMIS_ISA_avx512)

TAMIS_INLINE __m512 low_pairs(__m512 a, __m512 b) {
  return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
TAMIS_INLINE __m512 high_pairs(__m512 a, __m512 b) {
  return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}

TAMIS_INLINE void transpose(Vec (&rows)[16]) {
  __m512 t[16], u[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_ps(rows[2 * i].v, rows[2 * i + 1].v);
    t[2 * i + 1] = _mm512_unpackhi_ps(rows[2 * i].v, rows[2 * i + 1].v);
  }
  // 128-bit lane l of u[4 g + c] is column 4 l + c of rows 4 g to 4 g + 3.
#pragma GCC unroll 4
  for (int g = 0; g < 4; ++g) {
    u[4 * g] = low_pairs(t[4 * g], t[4 * g + 2]);
    u[4 * g + 1] = high_pairs(t[4 * g], t[4 * g + 2]);
    u[4 * g + 2] = low_pairs(t[4 * g + 1], t[4 * g + 3]);
    u[4 * g + 3] = high_pairs(t[4 * g + 1], t[4 * g + 3]);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512 even_low = _mm512_shuffle_f32x4(u[c], u[4 + c], 0x88), odd_low = _mm512_shuffle_f32x4(u[c], u[4 + c], 0xdd);
    const __m512 even_high = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0x88);
    const __m512 odd_high = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0xdd);
    rows[c].v = _mm512_shuffle_f32x4(even_low, even_high, 0x88);
    rows[4 + c].v = _mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
    rows[8 + c].v = _mm512_shuffle_f32x4(even_low, even_high, 0xdd);
    rows[12 + c].v = _mm512_shuffle_f32x4(odd_low, odd_high, 0xdd);
  }
}

#elif defined(TAMIS_ISA_avx2)

TAMIS_INLINE void transpose(Vec (&rows)[8]) {
  __m256 t[8], s[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_ps(rows[2 * i].v, rows[2 * i + 1].v);
    t[2 * i + 1] = _mm256_unpackhi_ps(rows[2 * i].v, rows[2 * i + 1].v);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    s[4 * i + 0] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    s[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
    s[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    s[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    rows[i].v = _mm256_permute2f128_ps(s[i], s[i + 4], 0x20);
    rows[i + 4].v = _mm256_permute2f128_ps(s[i], s[i + 4], 0x31);
  }
}

#else

TAMIS_INLINE void transpose(Vec (&rows)[4]) {
  const Vec r[4] = {rows[0], rows[1], rows[2], rows[3]};
  for (int i = 0; i < 4; ++i) rows[i].v = float4{r[0].v[i], r[1].v[i], r[2].v[i], r[3].v[i]};
}

#endif

// Reads a tile of up to Vec::width rows and columns, widened to float32, as its columns; the rest is zero.
template <class T>
TAMIS_INLINE void load_transposed(const typename T::type* from, int64_t stride, int64_t rows, int64_t cols,
                                  Vec (&columns)[Vec::width]) {
  if (rows >= Vec::width && cols >= Vec::width) {
#pragma GCC unroll 16
    for (int i = 0; i < Vec::width; ++i) columns[i] = T::load(from + i * stride);
  } else {
    const int count = cols < Vec::width ? static_cast<int>(cols) : Vec::width;
#pragma GCC unroll 16
    for (int i = 0; i < Vec::width; ++i) columns[i] = i < rows ? T::load_first(from + i * stride, count) : Vec::zero();
  }
  transpose(columns);
}

// to[j * to_stride + i] = from[i * from_stride + j] for any `rows` x `cols` of `from`; rows of `to` are whole vectors.
template <class T>
void transpose_any(const typename T::type* from, int64_t from_stride, int64_t rows, int64_t cols, float* to,
                   int64_t to_stride) {
  for (int64_t i = 0; i < rows; i += Vec::width)
    for (int64_t j = 0; j < cols; j += Vec::width) {
      Vec columns[Vec::width];
      load_transposed<T>(from + i * from_stride + j, from_stride, rows - i, cols - j, columns);
      if (cols - j >= Vec::width) {
#pragma GCC unroll 16
        for (int c = 0; c < Vec::width; ++c) columns[c].store(to + (j + c) * to_stride + i);
      } else {
#pragma GCC unroll 16
        for (int c = 0; c < Vec::width; ++c)
          if (c < cols - j) columns[c].store(to + (j + c) * to_stride + i);
      }
    }
}

}  // namespace tamis::TAMIS_ISA
