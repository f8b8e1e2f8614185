// SDDMM for unstructured sparsity: four rows with columns of their own.
//
// A nonzero costs a load of B for each FMA. Rows of A are read again for every vector of values: four rows in width / 4 steps, or, in long
// groups, two rows in twice the steps, which halves those loads; two such vectors make two of values.
#include "sddmm_groups.h"

namespace tamis::TAMIS_ISA {
namespace {

template <class Id> struct CsrTile {
  using id = Id;
  static constexpr int ids = 4;

  template <int nv, int steps> static TAMIS_INLINE Vec dots(const Id* of, const float* const (&rows)[4], const float* b) {
    Vec acc[Vec::width];
    TAMIS_UNROLL_LANES
    for (int r = 0; r < 4; ++r) {
      const Row<nv> row(rows[r]);
      TAMIS_UNROLL_LANES
      for (int s = 0; s < chunk_steps; ++s)
        acc[4 * s + r] = s < steps ? row.times(b + of[4 * s + r] * Row<nv>::stride) : Vec::zero();
    }
    return sum_each(acc);
  }

  // Two rows in 2 * chunk_steps steps: pairs whose steps are in the order in which even_pairs and odd_pairs take them.
  template <int nv> static TAMIS_INLINE Vec pairs(const Id* of, const float* row_0, const float* row_1, const float* b) {
    const float* rows[2] = {row_0, row_1};
    Vec acc[Vec::width];
    TAMIS_UNROLL_LANES
    for (int r = 0; r < 2; ++r) {
      const Row<nv> row(rows[r]);
      TAMIS_UNROLL_LANES
      for (int pair = 0; pair < 2 * chunk_steps; ++pair) {
        const int step = pair / 2 + pair % 2 * chunk_steps;
        acc[2 * pair + r] = row.times(b + of[4 * step + r] * Row<nv>::stride);
      }
    }
    return sum_each(acc);
  }

  // Returns the steps done.
  template <int nv>
  static TAMIS_INLINE int long_chunks(int steps, const Id* of, const float* const (&rows)[4], const float* b, const SddmmPanel& panel,
                                      float* values) {
    int s = 0;
    for (; s + 2 * chunk_steps <= steps; s += 2 * chunk_steps) {
      const Vec x = pairs<nv>(of + 4 * s, rows[0], rows[1], b), y = pairs<nv>(of + 4 * s + 2, rows[2], rows[3], b);
      panel.put(values + 4 * s, even_pairs(x, y));
      panel.put(values + 4 * s + Vec::width, odd_pairs(x, y));
    }
    return s;
  }

  // It stands at the end of a row.
  static void clear_padding(int block_cols, int steps, const Id* of, float* values) {
    for (int r = 0; r < 4; ++r)
      for (int at = 4 * (steps - 1) + r; at >= 0 && of[at] == block_cols; at -= 4) values[at] = 0;
  }
};

}  // namespace

void sddmm_csr(const SddmmCall& call);
void sddmm_csr(const SddmmCall& call) { sddmm<Groups<CsrTile>>(call); }

}  // namespace tamis::TAMIS_ISA
