// SDDMM on a matrix that is packed for spmv_window: strips of up to 16 nonzeros of a row.
#include "sddmm.h"

namespace tamis::TAMIS_ISA {
namespace {

struct Strips {
  static constexpr int lanes = WindowStep::lanes;

  static int64_t blocks(const WindowPacked&) { return 1; }
  static int64_t block_cols(const WindowPacked& p) { return p.k; }

  template <int nv> static void add(const WindowPacked& packed, int64_t part, const SddmmPanel& panel) {
    const auto& [first_group, first_step] = packed.parts[part];
    const WindowStep* step = packed.steps + first_step;
    float* values = panel.values + first_step * 4 * lanes;
    for (int64_t g = first_group; g < packed.parts[part + 1][0]; ++g) {
      const SpmmGroup& group = packed.groups[g];
      for (const WindowStep* end = step + group.steps; step != end; ++step, values += 4 * lanes)
        for (int r = 0; r < 4; ++r) {
          const float* b = panel.b + step->base[r] * lanes * Row<nv>::stride;
          for (int lane = 0; lane < lanes; lane += Vec::width)
            add_lanes<nv>(panel.a + group.rows[r] * Row<nv>::stride, b, step->ids[r] + lane, step->mask[r] >> lane, panel,
                          values + r * lanes + lane);
        }
    }
  }

  // As many lanes as a vector has. Those without a nonzero get 0, and their ids point anywhere.
  template <int nv>
  static TAMIS_INLINE void add_lanes(const float* row_of_a, const float* b, const uint8_t* ids, int mask, const SddmmPanel& panel,
                                     float* values) {
    if ((mask & ((1 << Vec::width) - 1)) == 0) return Vec::zero().store(values);
    const Row<nv> row(row_of_a);
    Vec acc[Vec::width];
    TAMIS_UNROLL_LANES
    for (int i = 0; i < Vec::width; ++i) acc[i] = row.times(b + (mask >> i & 1 ? ids[i] : 0) * Row<nv>::stride);
    panel.put(values, sum_each(acc));
    for (int i = 0; i < Vec::width; ++i)
      if (!(mask >> i & 1)) values[i] = 0;
  }
};

}  // namespace

void sddmm_window(const SddmmWindowCall& call);
void sddmm_window(const SddmmWindowCall& call) { sddmm<Strips>(call); }

}  // namespace tamis::TAMIS_ISA
