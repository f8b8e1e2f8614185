// sum_each: the sums of as many vectors as a vector has lanes, as one vector: lane i is the sum of acc[i]. 3 operations a sum instead of 8.
//
// even_pairs(x, y), odd_pairs(x, y): the pairs x[4 i], x[4 i + 1], y[4 i], y[4 i + 1], and those of 4 i + 2 and 4 i + 3, for each i.
#pragma once
#include "transpose.h"

namespace tamis::TAMIS_ISA {

#if defined(TAMIS_ISA_avx512)

TAMIS_INLINE Vec sum_each(const Vec (&acc)[16]) {
  __m512 t[8], u[4], v[2];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
    t[i] = _mm512_add_ps(_mm512_unpacklo_ps(acc[2 * i].v, acc[2 * i + 1].v), _mm512_unpackhi_ps(acc[2 * i].v, acc[2 * i + 1].v));
  // 128-bit lane l of u[i] is the sums of lane l of acc[4 i] to acc[4 i + 3].
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) u[i] = _mm512_add_ps(low_pairs(t[2 * i], t[2 * i + 1]), high_pairs(t[2 * i], t[2 * i + 1]));
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i)
    v[i] = _mm512_add_ps(_mm512_shuffle_f32x4(u[2 * i], u[2 * i + 1], 0x88), _mm512_shuffle_f32x4(u[2 * i], u[2 * i + 1], 0xdd));
  return {_mm512_add_ps(_mm512_shuffle_f32x4(v[0], v[1], 0x88), _mm512_shuffle_f32x4(v[0], v[1], 0xdd))};
}

TAMIS_INLINE Vec even_pairs(Vec x, Vec y) { return {low_pairs(x.v, y.v)}; }
TAMIS_INLINE Vec odd_pairs(Vec x, Vec y) { return {high_pairs(x.v, y.v)}; }

#elif defined(TAMIS_ISA_avx2)

TAMIS_INLINE Vec even_pairs(Vec x, Vec y) { return {_mm256_shuffle_ps(x.v, y.v, 0x44)}; }
TAMIS_INLINE Vec odd_pairs(Vec x, Vec y) { return {_mm256_shuffle_ps(x.v, y.v, 0xee)}; }

TAMIS_INLINE Vec sum_each(const Vec (&acc)[8]) {
  __m256 t[4], u[2];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
    t[i] = _mm256_add_ps(_mm256_unpacklo_ps(acc[2 * i].v, acc[2 * i + 1].v), _mm256_unpackhi_ps(acc[2 * i].v, acc[2 * i + 1].v));
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i)
    u[i] = (even_pairs({t[2 * i]}, {t[2 * i + 1]}) + odd_pairs({t[2 * i]}, {t[2 * i + 1]})).v;
  return {_mm256_add_ps(_mm256_permute2f128_ps(u[0], u[1], 0x20), _mm256_permute2f128_ps(u[0], u[1], 0x31))};
}

#else

TAMIS_INLINE Vec even_pairs(Vec x, Vec y) { return {float4{x.v[0], x.v[1], y.v[0], y.v[1]}}; }
TAMIS_INLINE Vec odd_pairs(Vec x, Vec y) { return {float4{x.v[2], x.v[3], y.v[2], y.v[3]}}; }

TAMIS_INLINE Vec sum_each(const Vec (&acc)[4]) {
  Vec t[4] = {acc[0], acc[1], acc[2], acc[3]};
  transpose(t);
  return (t[0] + t[2]) + (t[1] + t[3]);
}

#endif

}  // namespace tamis::TAMIS_ISA
