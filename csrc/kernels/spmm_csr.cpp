// SpMM for unstructured sparsity: four rows with columns of their own.
//
// A step multiplies one nonzero of each of the four rows: one 64-bit load brings four column ids, one load four values,
// and each row of B is a memory operand of the FMAs. So a nonzero costs nv + 1/2 loads for nv FMAs. Rows were sorted by
// their count in each (part, block), so that the four need hardly any padding; padding points at a row of zeros of the
// slice, since 0 * Inf is NaN.
#include <string.h>

#include "spmm_panels.h"

namespace tamis::TAMIS_ISA {

struct CsrTile {
  static constexpr int ids = 4;

  static TAMIS_INLINE Lanes gather(const uint16_t* ids_of, int32_t step, const float* b) {
    uint64_t four_ids;
    memcpy(&four_ids, ids_of + 4 * step, sizeof four_ids);
    return Lanes{b[four_ids & 0xffff], b[(four_ids >> 16) & 0xffff], b[(four_ids >> 32) & 0xffff], b[four_ids >> 48]};
  }

  template <int row, int nv> static TAMIS_INLINE void add_one(uint64_t four_ids, Vec w, const float* slice, Vec (&acc)[nv]) {
    const float* b = slice + ((four_ids >> (16 * row)) & 0xffff) * (nv * Vec::width);
    const Vec value = w.pick<row>();
    TAMIS_UNROLL
    for (int v = 0; v < nv; ++v) acc[v] = fma(Vec::load(b + v * Vec::width), value, acc[v]);
  }

  template <int nv>
  static TAMIS_INLINE void step(const uint16_t* ids_of, const float* values, const float* slice, Vec (&acc)[4][nv]) {
    uint64_t four_ids;
    memcpy(&four_ids, ids_of, sizeof four_ids);
    const Vec w = Vec::load_four(values);
    add_one<0>(four_ids, w, slice, acc[0]);
    add_one<1>(four_ids, w, slice, acc[1]);
    add_one<2>(four_ids, w, slice, acc[2]);
    add_one<3>(four_ids, w, slice, acc[3]);
  }
};

void spmm_csr(const SpmmCall& call);
void spmm_csr(const SpmmCall& call) { spmm_panels<CsrTile>(call); }

}  // namespace tamis::TAMIS_ISA
