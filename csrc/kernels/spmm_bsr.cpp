// SpMM for column vectors and blocks: four rows that share their columns.
//
// A step multiplies one column of the four rows: nv loads of B serve 4 nv FMAs, so that the FMA units are the only
// limit. Taller vectors and blocks are several groups with the same columns.
#include "spmm_panels.h"

namespace tamis::TAMIS_ISA {

template <class Id> struct BsrTile {
  using id = Id;
  static constexpr int ids = 1;

  static TAMIS_INLINE Lanes gather(const Id* ids_of, const float* b) {
    const float x = b[*ids_of];
    return Lanes{x, x, x, x};
  }

  // With 16 registers there is none left for the four values: they are broadcast from memory one by one.
  static constexpr bool values_in_register = Vec::registers >= 32;

  template <int row, int nv>
  static TAMIS_INLINE void add_row(const float* values, Vec w, const Vec (&b)[nv], Vec (&acc)[nv]) {
    const Vec value = values_in_register ? w.pick<row>() : Vec::broadcast(values[row]);
    TAMIS_UNROLL
    for (int v = 0; v < nv; ++v) acc[v] = fma(b[v], value, acc[v]);
  }

  template <int nv>
  static TAMIS_INLINE void add_rows(const float* values, Vec w, const Vec (&b)[nv], Vec (&acc)[4][nv]) {
    add_row<0>(values, w, b, acc[0]);
    add_row<1>(values, w, b, acc[1]);
    add_row<2>(values, w, b, acc[2]);
    add_row<3>(values, w, b, acc[3]);
  }

  // Values that must be converted take that register all the same, so B is read again for each row.
  template <int row, int nv> static TAMIS_INLINE void add_row_of(const float* b, Vec w, Vec (&acc)[nv]) {
    asm volatile("" : "+r"(b));  // else GCC keeps B in registers that it does not have
    const Vec value = w.pick<row>();
    TAMIS_UNROLL
    for (int v = 0; v < nv; ++v) acc[v] = fma(Vec::load(b + v * Vec::width), value, acc[v]);
  }

  template <class Value, int nv>
  static TAMIS_INLINE void step(const Id* ids_of, const typename Value::type* values, const float* slice, Vec (&acc)[4][nv]) {
    const float* p = slice + *ids_of * (nv * Vec::width);
    if constexpr (!values_in_register && sizeof(typename Value::type) != sizeof(float)) {
      const Vec w = Vec::repeat_four(Value::load_lanes(values));
      add_row_of<0>(p, w, acc[0]);
      add_row_of<1>(p, w, acc[1]);
      add_row_of<2>(p, w, acc[2]);
      add_row_of<3>(p, w, acc[3]);
    } else {
      Vec b[nv];
      TAMIS_UNROLL
      for (int v = 0; v < nv; ++v) {
        b[v] = Vec::load(p + v * Vec::width);
        TAMIS_KEEP(b[v]);
      }
      if constexpr (values_in_register) add_rows(nullptr, Vec::repeat_four(Value::load_lanes(values)), b, acc);
      else add_rows(values, Vec::zero(), b, acc);
    }
  }
};

void spmm_bsr(const SpmmCall& call);
void spmm_bsr(const SpmmCall& call) { spmm_panels<BsrTile>(call); }

}  // namespace tamis::TAMIS_ISA
