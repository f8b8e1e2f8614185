// Activations as levels of 8 bits, one range per token, in the order in which spmm_int8 reads them.
//
// x ~ low + step * level, low being the token's least value and step its range over the highest level. A token that holds
// NaN or Inf, or whose range float32 cannot hold, has low = NaN, and so has all of its products.
#pragma once
#include "dot8.h"
#include "elements.h"
#include "transpose.h"

namespace tamis::TAMIS_ISA {

constexpr float magic = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest whole number in the lowest bits

// Calls body(i, x) for each vector of a row; what is missing in the last one repeats the row's first value.
template <class T, class Body> TAMIS_INLINE void for_each_vector(const typename T::type* row, int64_t k, Body&& body) {
  int64_t i = 0;
  for (; i + Vec::width <= k; i += Vec::width) body(i, T::load(row + i));
  if (i == k) return;
  alignas(64) float first[Vec::width], last[Vec::width];
  T::load_first(row, 1).store(first);
  T::load_first(row + i, static_cast<int>(k - i)).store(last);
  for (int64_t j = k - i; j < Vec::width; ++j) last[j] = first[0];
  body(i, Vec::load(last));
}

struct Range {
  float low, step;
};

// Least and largest of what it saw; `bad` is NaN once it saw NaN or Inf.
struct Extremes {
  Vec low = Vec::broadcast(__builtin_inff()), high = Vec::broadcast(-__builtin_inff()), bad = Vec::zero();
  TAMIS_INLINE void add(Vec x) {
    low = min(x, low);  // the second operand wins where either is NaN
    high = max(x, high);
    bad = fma(x, Vec::zero(), bad);
  }
};

template <class T> TAMIS_INLINE Range range_of(const typename T::type* row, int64_t k) {
  Extremes seen[4];  // chains of their own, else each waits for the last one's sum
  int64_t i = 0;
  for (; i + 4 * Vec::width <= k; i += 4 * Vec::width)
    TAMIS_UNROLL
    for (int c = 0; c < 4; ++c) seen[c].add(T::load(row + i + c * Vec::width));
  for_each_vector<T>(row + i, k - i, [&](int64_t, Vec x) { seen[0].add(x); });
  TAMIS_UNROLL
  for (int c = 1; c < 4; ++c) {
    seen[0].low = min(seen[c].low, seen[0].low);
    seen[0].high = max(seen[c].high, seen[0].high);
    seen[0].bad = seen[0].bad + seen[c].bad;
  }
  alignas(64) float lows[Vec::width], highs[Vec::width];
  seen[0].low.store(lows);
  seen[0].high.store(highs);
  for (int lane = 1; lane < Vec::width; ++lane) {
    lows[0] = lows[lane] < lows[0] ? lows[lane] : lows[0];
    highs[0] = highs[lane] > highs[0] ? highs[lane] : highs[0];
  }
  const float span = highs[0] - lows[0], nothing = sum(seen[0].bad);
  if (!(span <= 3.402823466e38f) || nothing != 0.0f) return {__builtin_nanf(""), 0.0f};
  return {lows[0], span / Dot8::highest_level};
}

// One token: [k] -> [k] levels, rounded up to whole vectors.
template <class T> TAMIS_INLINE Range quantize_token(const typename T::type* row, int64_t k, uint8_t* levels) {
  const Range range = range_of<T>(row, k);
  // Below this step its reciprocal overflows, and no sum could tell the levels apart.
  const Vec low = Vec::broadcast(range.low), inverse = Vec::broadcast(range.step > 1e-37f ? 1.0f / range.step : 0.0f);
  for_each_vector<T>(row, k, [&](int64_t i, Vec x) {
    Dot8::store_low_bytes(levels + i, fma(x - low, inverse, Vec::broadcast(magic)));
  });
  return range;
}

// Up to Vec::width tokens: quads[q * stride + 4 * token + j] = level of column 4 q + j; zero for tokens that there are not.
template <class T>
void quantize_tokens(const typename T::type* tokens, int64_t ld, int64_t count, int64_t k, uint8_t* scratch, uint8_t* quads,
                     int64_t stride, float* steps, float* lows) {
  const int64_t row_bytes = (k + 63) / 64 * 64;
  for (int64_t t = 0; t < Vec::width; ++t) {
    const Range range = t < count && k ? quantize_token<T>(tokens + t * ld, k, scratch + t * row_bytes) : Range{0, 0};
    steps[t] = range.step;
    lows[t] = range.low;
  }
  transpose_any<Float32>(reinterpret_cast<const float*>(scratch), row_bytes / 4, count, k / 4,
                         reinterpret_cast<float*>(quads), stride / 4);
}

}  // namespace tamis::TAMIS_ISA
