// The walk that all SDDMM kernels share: the entries of A @ B^T, A [m, n] and B [k, n], that a packed matrix stores, in its order.
//
//   for each run of cells, a cell being a block of columns of a part of rows                  (a thread takes a run)
//     for each panel of up to `dot_vectors` vectors of n, for each cell
//       copy (or transpose, for row-major activations) the rows of A (in a new part) and of B to scratch of the thread
//       every stored entry of the cell gains the product of its two rows
//
// In a panel a row of A fits in registers beside as many sums as a vector has lanes. Those are added up across their lanes together
// (sums.h), and are then a vector of values. A value depends on its two rows alone: equal bits for any number of threads and any plan.
// Each thread copies for itself: rows that another core has written cost more than the copy.
//
// A Pattern says how a packed matrix is read: blocks, block_cols, and add<nv>, which adds one panel of nv vectors to one cell.
#pragma once
#include "elements.h"
#include "kernels.h"
#include "parallel.h"
#include "sums.h"

namespace tamis::TAMIS_ISA {

#define TAMIS_UNROLL_LANES _Pragma("GCC unroll 16")

// Wider panels are no faster: their slices of B leave L1.
constexpr int dot_vectors = 4;

// A row of A in one panel, in registers.
template <int nv> struct Row {
  static constexpr int64_t stride = nv * Vec::width;
  Vec v[nv];
  explicit TAMIS_INLINE Row(const float* row) {
    TAMIS_UNROLL_LANES
    for (int i = 0; i < nv; ++i) {
      v[i] = Vec::load(row + i * Vec::width);
      TAMIS_KEEP(v[i]);
    }
  }
  // The products with a row of B, one sum a lane.
  TAMIS_INLINE Vec times(const float* b) const {
    Vec sum = v[0] * Vec::load(b);
    TAMIS_UNROLL_LANES
    for (int i = 1; i < nv; ++i) sum = fma(v[i], Vec::load(b + i * Vec::width), sum);
    return sum;
  }
};

// Panels of n, as equal as can be.
struct Panels {
  int64_t vectors, count;
  explicit Panels(int64_t n)
      : vectors((n + Vec::width - 1) / Vec::width), count((vectors + dot_vectors - 1) / dot_vectors) {}
  int64_t first_vector(int64_t panel) const { return panel * vectors / count; }
  int64_t width(int64_t panel) const { return (first_vector(panel + 1) - first_vector(panel)) * Vec::width; }
};

// A part of A and a block of B in one panel, and where the values go; is it the first or the last panel of all?
struct SddmmPanel {
  const float *a, *b;
  float* values;
  bool first, last;

  TAMIS_INLINE void put(float* to, Vec sums) const { (first ? sums : Vec::load(to) + sums).store(to); }
  TAMIS_INLINE void put_first(float* to, Vec sums, int count) const {
    (first ? sums : Vec::load_first(to, count) + sums).store_first(to, count);
  }
};

// Some rows of A or B in one panel, widened to float32; lanes beyond n are 0.
template <class T>
void load_rows(const typename T::type* from, int64_t ld, bool by_rows, int64_t first_row, int64_t rows, int64_t first_col,
               int64_t cols, float* to, int64_t stride) {
  if (by_rows) return transpose_any<T>(from + first_col * ld + first_row, ld, cols, rows, to, stride);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; j += Vec::width) {
      const auto* p = from + (first_row + i) * ld + first_col + j;
      const Vec x = cols - j >= Vec::width ? T::load(p) : T::load_first(p, static_cast<int>(cols - j));
      x.store(to + i * stride + j);
    }
}

template <class Pattern, int nv, class Packed>
void add_panel(int64_t width, const Packed& packed, int64_t cell, const SddmmPanel& panel) {
  if constexpr (nv > 0) {
    if (width == nv * Vec::width) Pattern::template add<nv>(packed, cell, panel);
    else add_panel<Pattern, nv - 1>(width, packed, cell, panel);
  }
}

template <class Pattern, class T, class Call> void add_cells(const Call& call, int64_t from, int64_t to) {
  using type = typename T::type;
  const auto& packed = call.pattern;
  const Panels panels(call.n);
  const int64_t blocks = Pattern::blocks(packed), block_cols = Pattern::block_cols(packed);
  const int64_t rows_of_scratch = packed.part_rows + block_cols + 1;  // padding reads a row beyond its block
  constexpr int64_t row_bytes = dot_vectors * Vec::width * sizeof(float);
  float* a = static_cast<float*>(thread_scratch(rows_of_scratch * row_bytes));
  float* b = a + packed.part_rows * (dot_vectors * Vec::width);
  for (int64_t p = 0; p < panels.count; ++p) {
    const int64_t first_col = panels.first_vector(p) * Vec::width, stride = panels.width(p);
    const int64_t cols = call.n - first_col < stride ? call.n - first_col : stride;
    const auto load = [&](const void* x, int64_t ld, int64_t first, int64_t rows, int64_t end, float* scratch) {
      load_rows<T>(static_cast<const type*>(x), ld, call.by_rows, first, end - first < rows ? end - first : rows, first_col, cols,
                   scratch, stride);
    };
    for (int64_t cell = from; cell < to; ++cell) {
      const int64_t part = cell / blocks, block = cell % blocks;
      if (cell == from || block == 0) load(call.a, call.lda, part * packed.part_rows, packed.part_rows, packed.m, a);
      load(call.b, call.ldb, block * block_cols, block_cols, packed.k, b);
      add_panel<Pattern, dot_vectors>(stride, packed, cell, {a, b, call.values, p == 0, p == panels.count - 1});
    }
  }
}

template <class Pattern, class Call> void sddmm(const Call& call) {
  const int64_t parts = (call.pattern.m + call.pattern.part_rows - 1) / call.pattern.part_rows;
  const int64_t cells = parts * Pattern::blocks(call.pattern), runs = cells < call.threads ? cells : call.threads;
  with_element(call.element, [&](auto element) {
    parallel_for(runs, call.threads, [&](int64_t run, int) {
      add_cells<Pattern, decltype(element)>(call, cells * run / runs, cells * (run + 1) / runs);
    });
  });
}

}  // namespace tamis::TAMIS_ISA
