// SDDMM for column vectors and blocks: four rows that share their columns.
//
// Four rows of A times the rows of B of width / 4 steps is a small dense product: every vector loaded serves several FMAs.
#include "sddmm_groups.h"

namespace tamis::TAMIS_ISA {
namespace {

template <class Id> struct BsrTile {
  using id = Id;
  static constexpr int ids = 1;

  template <int nv, int steps> static TAMIS_INLINE Vec dots(const Id* of, const float* const (&rows)[4], const float* b) {
    Vec acc[Vec::width];
    TAMIS_UNROLL_LANES
    for (int i = 0; i < Vec::width; ++i) acc[i] = Vec::zero();
    TAMIS_UNROLL_LANES
    for (int v = 0; v < nv; ++v) {
      Vec a[4];
      TAMIS_UNROLL_LANES
      for (int r = 0; r < 4; ++r) {
        a[r] = Vec::load(rows[r] + v * Vec::width);
        TAMIS_KEEP(a[r]);
      }
      TAMIS_UNROLL_LANES
      for (int s = 0; s < steps; ++s) {
        Vec x = Vec::load(b + of[s] * Row<nv>::stride + v * Vec::width);
        TAMIS_KEEP(x);
        TAMIS_UNROLL_LANES
        for (int r = 0; r < 4; ++r) acc[4 * s + r] = fma(a[r], x, acc[4 * s + r]);
      }
    }
    return sum_each(acc);
  }

  template <int nv>
  static int long_chunks(int, const Id*, const float* const (&)[4], const float*, const SddmmPanel&, float*) { return 0; }

  static void clear_padding(int, int, const Id*, float*) {}  // there is none
};

}  // namespace

void sddmm_bsr(const SddmmCall& call);
void sddmm_bsr(const SddmmCall& call) { sddmm<Groups<BsrTile>>(call); }

}  // namespace tamis::TAMIS_ISA
