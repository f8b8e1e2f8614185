// SDDMM on a matrix that is packed for the panel kernels: groups of four rows, within blocks of columns, within parts of rows.
//
// A Tile<Id> knows the columns of a step: dots<nv, steps>(ids, rows, b) are the values of `steps` steps, four a step, and
// long_chunk<nv>(...) those of more steps at once, where that reads less.
#pragma once
#include "sddmm.h"

namespace tamis::TAMIS_ISA {

constexpr int chunk_steps = Vec::width / 4;  // whose values fill a vector

template <template <class> class Tile> struct Groups {
  static int64_t blocks(const SpmmPacked& p) { return p.k ? (p.k + p.block_cols - 1) / p.block_cols : 1; }
  static int64_t block_cols(const SpmmPacked& p) { return p.block_cols; }

  template <int nv> static void add(const SpmmPacked& packed, int64_t cell, const SddmmPanel& panel) {
    if (packed.wide_ids) add_block<Tile<uint16_t>, nv>(packed, cell, panel);
    else add_block<Tile<uint8_t>, nv>(packed, cell, panel);
  }

  template <class T, int nv> static void add_block(const SpmmPacked& packed, int64_t cell, const SddmmPanel& panel) {
    constexpr int64_t stride = Row<nv>::stride;
    const float *a = panel.a, *b = panel.b;
    const auto& [first_group, first_step] = packed.blocks[cell];
    const int64_t end = packed.blocks[cell + 1][0];
    const auto* ids = static_cast<const typename T::id*>(packed.ids) + first_step * T::ids;
    float* values = panel.values + first_step * 4;
    for (int64_t g = first_group; g < end; ++g) {
      const SpmmGroup& group = packed.groups[g];
      const float* rows[4];
      for (int r = 0; r < 4; ++r) rows[r] = a + (group.rows[r] == packed.part_rows ? 0 : group.rows[r]) * stride;
      if (g + 1 < end) prefetch_rows<nv>(packed.groups[g + 1], a);
      int s = T::template long_chunks<nv>(group.steps, ids, rows, b, panel, values);
      for (; s + chunk_steps <= group.steps; s += chunk_steps)
        panel.put(values + 4 * s, T::template dots<nv, chunk_steps>(ids + T::ids * s, rows, b));
      last_steps<T, nv, chunk_steps - 1>(group.steps - s, ids + T::ids * s, rows, b, panel, values + 4 * s);
      if (panel.last) T::clear_padding(packed.block_cols, group.steps, ids, values);
      ids += T::ids * group.steps;
      values += 4 * group.steps;
    }
  }

  // Rows come in the order of their counts, which no hardware prefetcher follows.
  template <int nv> static TAMIS_INLINE void prefetch_rows(const SpmmGroup& group, const float* a) {
    for (int r = 0; r < 4; ++r)
      for (int line = 0; line < Row<nv>::stride; line += 16) __builtin_prefetch(a + group.rows[r] * Row<nv>::stride + line);
  }

  template <class T, int nv, int steps>
  static TAMIS_INLINE void last_steps(int left, const typename T::id* ids, const float* const (&rows)[4], const float* b,
                                      const SddmmPanel& panel, float* values) {
    if constexpr (steps > 0) {
      if (left == steps) panel.put_first(values, T::template dots<nv, steps>(ids, rows, b), 4 * steps);
      else last_steps<T, nv, steps - 1>(left, ids, rows, b, panel, values);
    }
  }
};

}  // namespace tamis::TAMIS_ISA
