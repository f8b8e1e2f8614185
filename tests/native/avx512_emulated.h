// The AVX-512 intrinsics that csrc uses, in plain C++ and lane by lane: included before everything else
// (tests/native/test_avx512_emulated.py), it lets the avx512 kernels run on a CPU that has only AVX2.
#pragma once
#include <immintrin.h>
#include <stdint.h>

// GCC's own vector types of 64 bytes compile for any CPU; its functions over them do not.
namespace emulated {

typedef int32_t Int32 __attribute__((vector_size(64)));
typedef int64_t Int64 __attribute__((vector_size(64)));

template <class V, class F> inline V each(F&& lane) {
  V out;
  for (unsigned i = 0; i < sizeof(V) / sizeof(out[0]); ++i) out[i] = lane(i);
  return out;
}
template <class F> inline __mmask16 mask_of(unsigned lanes, F&& lane) {
  unsigned out = 0;
  for (unsigned i = 0; i < lanes; ++i) out |= static_cast<unsigned>(lane(i) ? 1 : 0) << i;
  return static_cast<__mmask16>(out);
}
inline bool set(__mmask16 mask, unsigned i) { return mask >> i & 1; }

inline __m512 zero() { return __m512{}; }
inline __m512 all(float x) { return each<__m512>([=](unsigned) { return x; }); }
inline __m512i all32(int32_t x) { return (__m512i)each<Int32>([=](unsigned) { return x; }); }
inline __m512i all64(int64_t x) { return (__m512i)each<Int64>([=](unsigned) { return x; }); }

inline __m512 load(const void* p) { __m512 v; __builtin_memcpy(&v, p, 64); return v; }
inline __m512i load_int(const void* p) { return (__m512i)load(p); }
inline __m512 masked_load(__mmask16 m, const float* p) { return each<__m512>([=](unsigned i) { return set(m, i) ? p[i] : 0.0f; }); }
inline void store(float* p, __m512 v) { __builtin_memcpy(p, &v, 64); }
inline void masked_store(float* p, __mmask16 m, __m512 v) { for (unsigned i = 0; i < 16; ++i) if (set(m, i)) p[i] = v[i]; }

inline __m512 fma(__m512 a, __m512 b, __m512 c) { return each<__m512>([&](unsigned i) { return __builtin_fmaf(a[i], b[i], c[i]); }); }
inline __m512 masked_fma(__m512 a, __m512 b, __m512 c, __mmask16 m) {
  return each<__m512>([&](unsigned i) { return set(m, i) ? __builtin_fmaf(a[i], b[i], c[i]) : c[i]; });
}
inline __m512 greater(__m512 a, __m512 b) { return each<__m512>([&](unsigned i) { return a[i] > b[i] ? a[i] : b[i]; }); }
inline __m512 smaller(__m512 a, __m512 b) { return each<__m512>([&](unsigned i) { return a[i] < b[i] ? a[i] : b[i]; }); }
// In the order of GCC's reduction: halves, quarters, ...
inline float sum(__m512 v) {
  for (unsigned half = 8; half; half /= 2) for (unsigned i = 0; i < half; ++i) v[i] += v[i + half];
  return v[0];
}

inline __m512 scaled(__m512 a, __m512 b) {
  return each<__m512>([&](unsigned i) { return b[i] == b[i] ? __builtin_ldexpf(a[i], static_cast<int>(b[i])) : b[i]; });
}
inline __m512 bitwise(__m512 a, __m512 b, bool exclusive) {
  const Int32 x = (Int32)a, y = (Int32)b;
  return (__m512)(exclusive ? x ^ y : x & y);
}

inline __m512 four_times(__m128 v) { return each<__m512>([&](unsigned i) { return v[i % 4]; }); }
inline __m512 in_lanes(__m512 v, int control) {
  return each<__m512>([&](unsigned i) { return v[i / 4 * 4 + (control >> 2 * (i % 4) & 3)]; });
}
inline __m512 of_two(__m512 a, __m512i ids, __m512 b) {
  const Int32 at = (Int32)ids;
  return each<__m512>([&](unsigned i) { return at[i] & 16 ? b[at[i] & 15] : a[at[i] & 15]; });
}
inline __m512 lanes_of_two(__m512 a, __m512 b, int control) {
  return each<__m512>([&](unsigned i) { return (i < 8 ? a : b)[4 * (control >> 2 * (i / 4) & 3) + i % 4]; });
}
inline __m128 quarter(__m512 v, int which) { return each<__m128>([&](unsigned i) { return v[4 * which + i]; }); }
inline __m512 blend(__mmask16 m, __m512 a, __m512 b) { return each<__m512>([&](unsigned i) { return set(m, i) ? b[i] : a[i]; }); }
inline __m512 interleave(__m512 a, __m512 b, unsigned from) {
  return each<__m512>([&](unsigned i) { return (i % 2 ? b : a)[i / 4 * 4 + from + i % 4 / 2]; });
}
inline __m512d interleave_pairs(__m512d a, __m512d b, unsigned from) {
  return each<__m512d>([&](unsigned i) { return (i % 2 ? b : a)[i / 2 * 2 + from]; });
}

template <class From, class V> inline __m512i widen(V v) {
  From from[16];
  __builtin_memcpy(from, &v, sizeof from);
  return (__m512i)each<Int32>([&](unsigned i) { return static_cast<int32_t>(from[i]); });
}
inline __m512 to_float(__m512i v) { const Int32 x = (Int32)v; return each<__m512>([&](unsigned i) { return static_cast<float>(x[i]); }); }
inline __m512 from_half(__m256i v) {
  uint16_t from[16];
  __builtin_memcpy(from, &v, sizeof from);
  return each<__m512>([&](unsigned i) { return _cvtsh_ss(from[i]); });
}
inline __m512i shift_left(__m512i v, int by) { return (__m512i)each<Int32>([=](unsigned i) { return static_cast<int32_t>(static_cast<uint32_t>(((Int32)v)[i]) << by); }); }

template <class V, class F> inline __mmask16 compare(__m512i a, __m512i b, F&& holds) {
  const V x = (V)a, y = (V)b;
  return mask_of(64 / sizeof(x[0]), [&](unsigned i) { return holds(x[i], y[i]); });
}

}  // namespace emulated

// Macros in GCC's headers.
#undef _mm512_extractf32x4_ps
#undef _mm512_permute_ps
#undef _mm512_shuffle_f32x4
#undef _mm512_slli_epi32
#undef _mm512_scalef_ps

#define _mm512_add_ps(a, b) ((a) + (b))
#define _mm512_sub_ps(a, b) ((a) - (b))
#define _mm512_mul_ps(a, b) ((a) * (b))
#define _mm512_div_ps(a, b) ((a) / (b))
#define _mm512_max_ps emulated::greater
#define _mm512_min_ps emulated::smaller
#define _mm512_fmadd_ps emulated::fma
#define _mm512_mask3_fmadd_ps emulated::masked_fma
#define _mm512_reduce_add_ps emulated::sum
#define _mm512_scalef_ps emulated::scaled
#define _mm512_and_ps(a, b) emulated::bitwise(a, b, false)
#define _mm512_xor_ps(a, b) emulated::bitwise(a, b, true)
#define _mm512_setzero_ps emulated::zero
#define _mm512_set1_ps emulated::all
#define _mm512_set1_epi32 emulated::all32
#define _mm512_set1_epi64 emulated::all64
#define _mm512_loadu_ps emulated::load
#define _mm512_loadu_si512 emulated::load_int
#define _mm512_maskz_loadu_ps emulated::masked_load
#define _mm512_storeu_ps emulated::store
#define _mm512_mask_storeu_ps emulated::masked_store
#define _mm512_broadcast_f32x4 emulated::four_times
#define _mm512_permute_ps emulated::in_lanes
#define _mm512_permutex2var_ps emulated::of_two
#define _mm512_shuffle_f32x4 emulated::lanes_of_two
#define _mm512_extractf32x4_ps emulated::quarter
#define _mm512_mask_blend_ps emulated::blend
#define _mm512_unpacklo_ps(a, b) emulated::interleave(a, b, 0)
#define _mm512_unpackhi_ps(a, b) emulated::interleave(a, b, 2)
#define _mm512_unpacklo_pd(a, b) emulated::interleave_pairs(a, b, 0)
#define _mm512_unpackhi_pd(a, b) emulated::interleave_pairs(a, b, 1)
#define _mm512_castps_pd(v) ((__m512d)(v))
#define _mm512_castpd_ps(v) ((__m512)(v))
#define _mm512_castsi512_ps(v) ((__m512)(v))
#define _mm512_cvtepi8_epi32 emulated::widen<int8_t>
#define _mm512_cvtepu8_epi32 emulated::widen<uint8_t>
#define _mm512_cvtepu16_epi32 emulated::widen<uint16_t>
#define _mm512_cvtepi32_ps emulated::to_float
#define _mm512_cvtph_ps emulated::from_half
#define _mm512_slli_epi32 emulated::shift_left
#define _mm512_test_epi32_mask(a, b) emulated::compare<emulated::Int32>(a, b, [](int32_t x, int32_t y) { return (x & y) != 0; })
#define _mm512_cmplt_epi32_mask(a, b) emulated::compare<emulated::Int32>(a, b, [](int32_t x, int32_t y) { return x < y; })
#define _mm512_cmpneq_epi32_mask(a, b) emulated::compare<emulated::Int32>(a, b, [](int32_t x, int32_t y) { return x != y; })
#define _mm512_cmpeq_epi32_mask(a, b) emulated::compare<emulated::Int32>(a, b, [](int32_t x, int32_t y) { return x == y; })
#define _mm512_cmplt_epi64_mask(a, b) emulated::compare<emulated::Int64>(a, b, [](int64_t x, int64_t y) { return x < y; })
#define _mm512_cmpeq_epi64_mask(a, b) emulated::compare<emulated::Int64>(a, b, [](int64_t x, int64_t y) { return x == y; })

// Nothing to keep in a register where there is none of 512 bits.
#define TAMIS_KEEP(vec) static_cast<void>(vec)
