// The float32 FMA rate of one thread: what every share-of-peak figure is measured against.
#include <time.h>

#include "kernels.h"
#include "simd.h"

namespace tamis::TAMIS_ISA {

namespace {
double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}
}  // namespace

double fma_peak(double seconds);
double fma_peak(double seconds) {
  constexpr int chains = 10;  // more than latency x ports (4 x 2), fewer than registers on every ISA
  constexpr int64_t batch = 20000;
  Vec acc[chains];
#pragma GCC unroll 10
  for (int i = 0; i < chains; ++i) acc[i] = Vec::broadcast(static_cast<float>(i));
  const Vec x = Vec::broadcast(0.999f), y = Vec::broadcast(0.001f);
  double best = 0;
  const double start = now();
  for (double t = start; t < start + seconds;) {
    for (int64_t r = 0; r < batch; ++r) {
#pragma GCC unroll 10
      for (int i = 0; i < chains; ++i) acc[i] = fma(acc[i], x, y);
      TAMIS_KEEP(acc[0]);
    }
    const double end = now();
    const double rate = static_cast<double>(2 * batch * chains * Vec::width) / (end - t) / 1e9;
    if (rate > best) best = rate;
    t = end;
  }
#pragma GCC unroll 10
  for (int i = 0; i < chains; ++i) TAMIS_KEEP(acc[i]);
  return best;
}

}  // namespace tamis::TAMIS_ISA
