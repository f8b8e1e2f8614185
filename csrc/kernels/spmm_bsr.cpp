// SpMM for column vectors and blocks: four rows that share their columns.
//
// A step multiplies one column of the four rows: nv loads of B serve 4 nv FMAs, so that the FMA units are the only
// limit. Taller vectors and blocks are several groups with the same columns.
#include "spmm_panels.h"

namespace tamis::TAMIS_ISA {

struct BsrTile {
  static constexpr int ids = 1;

  template <int row, int nv> static TAMIS_INLINE void add_row(Vec w, const Vec (&b)[nv], Vec (&acc)[nv]) {
    const Vec value = w.pick<row>();
#pragma GCC unroll 8
    for (int v = 0; v < nv; ++v) acc[v] = fma(b[v], value, acc[v]);
  }

  template <int nv>
  static TAMIS_INLINE void add(int32_t steps, const uint16_t* ids_of, const float* values, const float* slice,
                               Vec (&acc)[4][nv]) {
    for (int32_t s = 0; s < steps; ++s) {
      const float* p = slice + ids_of[s] * (nv * Vec::width);
      Vec b[nv];
#pragma GCC unroll 8
      for (int v = 0; v < nv; ++v) {
        b[v] = Vec::load(p + v * Vec::width);
        TAMIS_KEEP(b[v]);
      }
      const Vec w = Vec::load_four(values + 4 * s);
      add_row<0>(w, b, acc[0]);
      add_row<1>(w, b, acc[1]);
      add_row<2>(w, b, acc[2]);
      add_row<3>(w, b, acc[3]);
    }
  }
};

void spmm_bsr(const SpmmCall& call);
void spmm_bsr(const SpmmCall& call) { spmm_panels<BsrTile>(call); }

}  // namespace tamis::TAMIS_ISA
