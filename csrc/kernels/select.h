// Picks floats of a window by id, in registers: W / 32 two-vector permutes instead of 16 scalar loads.
#pragma once
#include "simd.h"

namespace tamis::TAMIS_ISA {

#if defined(TAMIS_ISA_avx512)

// b[ids[lane]] for ids below window, one of 32, 64, 128, 192, 256; anything for other ids.
template <int window> TAMIS_INLINE __m512 select(const float* b, __m512i ids) {
  if constexpr (window == 32) {
    return _mm512_permutex2var_ps(_mm512_loadu_ps(b), ids, _mm512_loadu_ps(b + 16));
  } else {
    constexpr int low = window == 192 ? 128 : window / 2;
    const __mmask16 upper = _mm512_test_epi32_mask(ids, _mm512_set1_epi32(low));
    return _mm512_mask_blend_ps(upper, select<low>(b, ids), select<window - low>(b + low, ids));
  }
}

#endif

}  // namespace tamis::TAMIS_ISA
