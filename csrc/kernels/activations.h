// bias + activation on the way out of a kernel.
#pragma once
#include "kernels.h"
#include "simd.h"

namespace tamis::TAMIS_ISA {

// e^x to about 2 ulp: 2^(x / ln 2), the integer part moved into the exponent and a polynomial for the rest. Infinity from
// 88.4 on, where 2^128 appears, and 2^-126 from -87.3 down.
TAMIS_INLINE Vec exp(Vec x) {
  const Vec high = Vec::broadcast(89.0f), low = Vec::broadcast(-87.3365478515625f);
  const Vec bounded = min(high, max(low, x));  // max(low, NaN) = NaN, min(high, NaN) = NaN: second operand wins
  const Vec shift = Vec::broadcast(12582912.0f);  // 1.5 * 2^23: adding it rounds to the nearest integer
  const Vec rounded = fma(bounded, Vec::broadcast(1.44269504088896341f), shift);
  const Vec whole = rounded - shift;
  Vec r = fma(whole, Vec::broadcast(-0.693359375f), bounded);
  r = fma(whole, Vec::broadcast(2.12194440e-4f), r);
  Vec p = Vec::broadcast(1.9875691500e-4f);
  p = fma(p, r, Vec::broadcast(1.3981999507e-3f));
  p = fma(p, r, Vec::broadcast(8.3334519073e-3f));
  p = fma(p, r, Vec::broadcast(4.1665795894e-2f));
  p = fma(p, r, Vec::broadcast(1.6666665459e-1f));
  p = fma(p, r, Vec::broadcast(5.0000001201e-1f));
  p = fma(p, r * r, r) + Vec::broadcast(1.0f);
  return scaled(p, whole);
}

// Sources: Abramowitz & Stegun, Handbook of Mathematical Functions, 7.1.26 (|error| <= 1.5e-7).
TAMIS_INLINE Vec erf(Vec x) {
  const Vec zero = Vec::zero(), one = Vec::broadcast(1.0f);
  const Vec a = max(x, zero - x);
  const Vec t = one / fma(Vec::broadcast(0.3275911f), a, one);
  Vec p = Vec::broadcast(1.061405429f);
  p = fma(p, t, Vec::broadcast(-1.453152027f));
  p = fma(p, t, Vec::broadcast(1.421413741f));
  p = fma(p, t, Vec::broadcast(-0.284496736f));
  p = fma(p, t, Vec::broadcast(0.254829592f));
  const Vec magnitude = one - p * t * exp(zero - a * a);
  return signed_as(magnitude, x);
}

template <Activation activation> TAMIS_INLINE Vec activate(Vec x) {
  const Vec one = Vec::broadcast(1.0f);
  if constexpr (activation == Activation::relu) return max(Vec::zero(), x);  // NaN stays NaN: second operand wins
  if constexpr (activation == Activation::gelu) {
    const Vec half = Vec::broadcast(0.5f) * x;
    return fma(half, erf(x * Vec::broadcast(0.70710678118654752f)), half);
  }
  if constexpr (activation == Activation::silu) return x / (one + exp(Vec::zero() - x));
  return x;
}

// The transcendental ones stay out of line: inlined into every store of every kernel they would be most of the library.
static __attribute__((noinline)) Vec activate_slowly(Vec x, Activation activation) {
  return activation == Activation::gelu ? activate<Activation::gelu>(x) : activate<Activation::silu>(x);
}

TAMIS_INLINE Vec activate(Vec x, Activation activation) {
  if (activation == Activation::none) return x;
  if (activation == Activation::relu) return activate<Activation::relu>(x);
  return activate_slowly(x, activation);
}

}  // namespace tamis::TAMIS_ISA
