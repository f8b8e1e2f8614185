// SpMM for unstructured sparsity: four rows with columns of their own.
//
// A step multiplies one nonzero of each of the four rows: one load brings four column ids, one load four values, and each
// row of B is a memory operand of the FMAs. So a nonzero costs nv + 1/2 loads for nv FMAs. Rows were sorted by their
// count in each (part, block), so that the four need hardly any padding; padding points at a row of zeros of the slice,
// since 0 * Inf is NaN.
#include "spmm_panels.h"

namespace tamis::TAMIS_ISA {

template <class Id> struct CsrTile {
  using id = Id;
  static constexpr int ids = 4;
  static constexpr int id_bits = 8 * sizeof(Id);

  // The four ids of a step by one load.
  static TAMIS_INLINE uint64_t load_ids(const Id* p) {
    if constexpr (sizeof(Id) == 1) {
      uint32_t four;
      __builtin_memcpy(&four, p, sizeof four);
      return four;
    } else {
      uint64_t four;
      __builtin_memcpy(&four, p, sizeof four);
      return four;
    }
  }
  template <int row> static TAMIS_INLINE uint64_t id_of(uint64_t four_ids) { return static_cast<Id>(four_ids >> (id_bits * row)); }

  static TAMIS_INLINE Lanes gather(const Id* ids_of, const float* b) {
    const uint64_t four = load_ids(ids_of);
    return Lanes{b[id_of<0>(four)], b[id_of<1>(four)], b[id_of<2>(four)], b[id_of<3>(four)]};
  }

  template <int row, int nv> static TAMIS_INLINE void add_one(uint64_t four_ids, Vec w, const float* slice, Vec (&acc)[nv]) {
    const float* b = slice + id_of<row>(four_ids) * (nv * Vec::width);
    const Vec value = w.pick<row>();
    TAMIS_UNROLL
    for (int v = 0; v < nv; ++v) acc[v] = fma(Vec::load(b + v * Vec::width), value, acc[v]);
  }

  template <class Value, int nv>
  static TAMIS_INLINE void step(const Id* ids_of, const typename Value::type* values, const float* slice, Vec (&acc)[4][nv]) {
    const uint64_t four_ids = load_ids(ids_of);
    const Vec w = Vec::repeat_four(Value::load_lanes(values));
    add_one<0>(four_ids, w, slice, acc[0]);
    add_one<1>(four_ids, w, slice, acc[1]);
    add_one<2>(four_ids, w, slice, acc[2]);
    add_one<3>(four_ids, w, slice, acc[3]);
  }
};

void spmm_csr(const SpmmCall& call);
void spmm_csr(const SpmmCall& call) { spmm_panels<CsrTile>(call); }

}  // namespace tamis::TAMIS_ISA
