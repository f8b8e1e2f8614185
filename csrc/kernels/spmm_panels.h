// The walk that all SpMM kernels share: panels of columns x ranges of parts of rows x blocks of K.
//
//   for each panel of up to `panel_vectors` vectors of columns, and each range of parts   (a unit; threads take units)
//     for each block of K
//       copy (or transpose, for row-major activations) B[block, panel] into a slice that fits in L1
//       for each part, for each group of four rows: sums in registers, from and to a buffer of the part in L2
//     bias, activation, and out
//
// The ranges are chosen per call, so that one packed matrix serves every n.
//
// A Tile<Id> adds the products of one step of a group: step<Value, nv>(ids, values, slice, acc). The types of ids and
// stored values are those of the innermost loops only, which are picked by pointer once per panel; the type of B and C
// is that of the loops around them. One column alone takes another way, spmm_column.h.
#pragma once
#include "activations.h"
#include "kernels.h"
#include "parallel.h"
#include "spmm_column.h"
#include "spmm_split.h"
#include "transpose.h"

namespace tamis::TAMIS_ISA {

// Four rows of accumulators, nv vectors wide, and the few registers a step needs besides.
constexpr int panel_vectors = Vec::registers >= 32 ? 4 : 3;

template <int nv> using Accumulators = Vec[4][nv];

template <int nv> struct Panel {
  static constexpr int stride = nv * Vec::width;
  const SpmmCall& call;
  int64_t first_part, end_part, first_col;
  int cols;         // valid columns, at most stride
  float* slice;     // [block_cols + 1, stride], the last row zero
  float* all_sums;  // [parts][part_rows + 1, stride], the last row of each for rows that do not exist
  void (*store)(const Panel&, int64_t row, const float* sums);  // a row of C, in its type

  float* sums_of(int64_t part) const { return all_sums + (part - first_part) * (call.a.part_rows + 1) * stride; }

  template <class T> void load_slice(int64_t first, int64_t count) const {
    const auto* b = static_cast<const typename T::type*>(call.b);
    if (call.by_rows) {
      transpose_any<T>(b + first_col * call.ldb + first, call.ldb, cols, count, slice, stride);
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      const auto* row = b + (first + i) * call.ldb + first_col;
      TAMIS_UNROLL
      for (int v = 0; v < nv; ++v) {
        const int left = cols - v * Vec::width;
        const Vec x = left >= Vec::width ? T::load(row + v * Vec::width) : T::load_first(row + v * Vec::width, left);
        x.store(slice + i * stride + v * Vec::width);
      }
    }
  }

  template <class T> TAMIS_INLINE void store_row(int64_t row, const Vec (&acc)[nv]) const {
    auto* c = static_cast<typename T::type*>(call.c) + row * call.ldc + first_col;
    const Vec bias = call.bias ? Vec::broadcast(call.bias[row]) : Vec::zero();
    const Vec scale = Vec::broadcast(call.row_scale ? call.row_scale[row] : 1.0f);
    TAMIS_UNROLL
    for (int v = 0; v < nv; ++v) {
      const Vec y = activate(fma(acc[v], scale, bias), call.activation);
      const int left = cols - v * Vec::width;
      if (left >= Vec::width) T::store(c + v * Vec::width, y);
      else T::store_first(c + v * Vec::width, y, left);
    }
  }

  template <class T> static void store_sums(const Panel& panel, int64_t row, const float* sums) {
    Vec acc[nv];
    TAMIS_UNROLL
    for (int v = 0; v < nv; ++v) acc[v] = Vec::load(sums + v * Vec::width);
    panel.store_row<T>(row, acc);
  }

  // Rows come in the order of their counts, which no hardware prefetcher follows.
  static TAMIS_INLINE void prefetch_sums(const SpmmGroup& group, const float* sums) {
    TAMIS_UNROLL
    for (int r = 0; r < 4; ++r)
      TAMIS_UNROLL
      for (int line = 0; line < stride; line += 16) __builtin_prefetch(sums + group.rows[r] * stride + line, 1);
  }

  static TAMIS_INLINE void begin(const SpmmGroup& group, const float* sums, bool first, Accumulators<nv>& acc) {
    TAMIS_UNROLL
    for (int r = 0; r < 4; ++r)
      TAMIS_UNROLL
      for (int v = 0; v < nv; ++v)
        acc[r][v] = first ? Vec::zero() : Vec::load(sums + group.rows[r] * stride + v * Vec::width);
  }

  // in_place: C may be float32, and is then written from registers; worth its code in one type of values only.
  template <bool in_place>
  TAMIS_INLINE void end(const SpmmGroup& group, float* sums, int64_t first_row, bool out, const Accumulators<nv>& acc) const {
    const bool direct = in_place && out && call.element == Element::float32;
    TAMIS_UNROLL
    for (int r = 0; r < 4; ++r) {
      const bool real = group.rows[r] != call.a.part_rows;
      if (direct) {
        if constexpr (in_place)
          if (real) store_row<Float32>(first_row + group.rows[r], acc[r]);
        continue;
      }
      float* row_sums = sums + group.rows[r] * stride;
      TAMIS_UNROLL
      for (int v = 0; v < nv; ++v) acc[r][v].store(row_sums + v * Vec::width);
      if (out && real) store(*this, first_row + group.rows[r], row_sums);
    }
  }

  // [rows, cols] of sums -> [cols, rows] of C, a tile at a time so that bias and activation are applied along m.
  template <class T> void store_transposed(int64_t part) const {
    const float* sums = sums_of(part);
    const int64_t first_row = part * call.a.part_rows;
    const int64_t rows = call.a.m - first_row < call.a.part_rows ? call.a.m - first_row : call.a.part_rows;
    const bool slow = call.activation == Activation::gelu || call.activation == Activation::silu;
    const Vec floor = Vec::broadcast(call.activation == Activation::relu ? 0.0f : -__builtin_inff());  // NaN passes max
    for (int64_t j = 0; j < cols; j += Vec::width) {
      auto* c = static_cast<typename T::type*>(call.c) + (first_col + j) * call.ldc + first_row;
      for (int64_t i = 0; i < rows; i += Vec::width) {
        const int count = rows - i < Vec::width ? static_cast<int>(rows - i) : Vec::width;
        const Vec bias = call.bias ? Vec::load_first(call.bias + first_row + i, count) : Vec::zero();
        const Vec scale = call.row_scale ? Vec::load_first(call.row_scale + first_row + i, count) : Vec::broadcast(1.0f);
        Vec columns[Vec::width];
        load_transposed<Float32>(sums + i * stride + j, stride, count, Vec::width, columns);
#pragma GCC unroll 16
        for (int v = 0; v < Vec::width; ++v) columns[v] = max(floor, fma(columns[v], scale, bias));
        if (slow) {
          alignas(64) float tile[Vec::width][Vec::width];
#pragma GCC unroll 16
          for (int v = 0; v < Vec::width; ++v) columns[v].store(tile[v]);
          for (auto& column : tile) activate_slowly(Vec::load(column), call.activation).store(column);
#pragma GCC unroll 16
          for (int v = 0; v < Vec::width; ++v) columns[v] = Vec::load(tile[v]);
        }
#pragma GCC unroll 16
        for (int v = 0; v < Vec::width; ++v) {
          if (v >= cols - j) break;
          if (count == Vec::width) T::store(c + v * call.ldc + i, columns[v]);
          else T::store_first(c + v * call.ldc + i, columns[v], count);
        }
      }
    }
  }

  // body: block of the Tile and the Value of the call.
  template <class T> void run(void (*body)(const Panel&, int64_t part, int64_t index, int64_t blocks)) const {
    const SpmmPacked& a = call.a;
    const int64_t blocks = a.k ? (a.k + a.block_cols - 1) / a.block_cols : 1;
    TAMIS_UNROLL
    for (int v = 0; v < nv; ++v) Vec::zero().store(slice + a.block_cols * stride + v * Vec::width);
    for (int64_t index = 0; index < blocks; ++index) {
      const int64_t first = index * a.block_cols;
      load_slice<T>(first, a.k - first < a.block_cols ? a.k - first : a.block_cols);
      for (int64_t part = first_part; part < end_part; ++part) body(*this, part, index, blocks);
    }
    if (!call.by_rows) return;
    for (int64_t part = first_part; part < end_part; ++part) store_transposed<T>(part);
  }
};

// One block of one part: each group's sums through the registers, from and to the buffer of the part, at last to C.
template <class Tile, class Value, int nv>
void block(const Panel<nv>& panel, int64_t part, int64_t index, int64_t blocks) {
  using P = Panel<nv>;
  constexpr bool in_place = sizeof(typename Value::type) == sizeof(float);
  const SpmmPacked& a = panel.call.a;
  float* sums = panel.sums_of(part);
  const float* slice = panel.slice;
  const int64_t first_row = part * a.part_rows;
  const int64_t(&here)[2] = a.blocks[part * blocks + index];
  const int64_t last = a.blocks[part * blocks + index + 1][0];
  const auto* ids = static_cast<const typename Tile::id*>(a.ids) + here[1] * Tile::ids;
  const auto* values = static_cast<const typename Value::type*>(panel.call.values) + here[1] * 4;
  const bool first = index == 0, out = index == blocks - 1 && !panel.call.by_rows;
  int64_t g = here[0];
  // One vector is four chains of sums, too few to hide the latency of the FMA: two groups at once.
  if constexpr (nv == 1) {
    for (; g + 1 < last; g += 2) {
      const SpmmGroup &x = a.groups[g], &y = a.groups[g + 1];  // y has no more steps than x
      const auto* y_ids = ids + x.steps * Tile::ids;
      const auto* y_values = values + x.steps * 4;
      Accumulators<nv> x_acc, y_acc;
      P::begin(x, sums, first, x_acc);
      P::begin(y, sums, first, y_acc);
      for (int32_t s = 0; s < y.steps; ++s) {
        Tile::template step<Value, nv>(ids + s * Tile::ids, values + s * 4, slice, x_acc);
        Tile::template step<Value, nv>(y_ids + s * Tile::ids, y_values + s * 4, slice, y_acc);
      }
      for (int32_t s = y.steps; s < x.steps; ++s)
        Tile::template step<Value, nv>(ids + s * Tile::ids, values + s * 4, slice, x_acc);
      ids = y_ids + y.steps * Tile::ids;
      values = y_values + y.steps * 4;
      panel.template end<in_place>(x, sums, first_row, out, x_acc);
      panel.template end<in_place>(y, sums, first_row, out, y_acc);
    }
  }
  for (; g < last; ++g) {
    const SpmmGroup& group = a.groups[g];
    Accumulators<nv> acc;
    P::begin(group, sums, first, acc);
    if (!first) P::prefetch_sums(a.groups[g + 1 < last ? g + 1 : g], sums);
    for (int32_t s = 0; s < group.steps; ++s, ids += Tile::ids, values += 4)
      Tile::template step<Value, nv>(ids, values, slice, acc);
    panel.template end<in_place>(group, sums, first_row, out, acc);
  }
}

template <template <class> class Tile, int nv> auto block_for(const SpmmCall& call) {
  return with_stored(call.stored, [&](auto stored) {
    return call.a.wide_ids ? &block<Tile<uint16_t>, decltype(stored), nv> : &block<Tile<uint8_t>, decltype(stored), nv>;
  });
}

// A range of columns and parts that one thread takes.
struct Unit {
  int64_t first_vector, first_part, end_part;
  int vectors;
};

template <template <class> class Tile, class T, int nv> void run_panel(const SpmmCall& call, const Unit& unit) {
  if constexpr (nv > 0) {
    if (unit.vectors != nv) return run_panel<Tile, T, nv - 1>(call, unit);
    using P = Panel<nv>;
    const int64_t slice_floats = static_cast<int64_t>(call.a.block_cols + 1) * P::stride;
    const int64_t sums_floats = (unit.end_part - unit.first_part) * (call.a.part_rows + 1) * P::stride;
    float* slice = static_cast<float*>(thread_scratch((slice_floats + sums_floats) * static_cast<int64_t>(sizeof(float))));
    const int64_t first_col = unit.first_vector * Vec::width, left = call.n - first_col;
    const P panel{call,  unit.first_part,      unit.end_part, first_col, static_cast<int>(left < P::stride ? left : P::stride),
                  slice, slice + slice_floats, &P::template store_sums<T>};
    panel.template run<T>(block_for<Tile, nv>(call));
  }
}

template <template <class> class Tile, class T> void run_units(const SpmmCall& call) {
  if (call.n == 1) return spmm_column<Tile, T>(call);
  const int64_t parts = (call.a.m + call.a.part_rows - 1) / call.a.part_rows;
  const int64_t vectors = (call.n + Vec::width - 1) / Vec::width;
  const int64_t panels = (vectors + panel_vectors - 1) / panel_vectors;
  if (parts == 0 || panels == 0) return;
  const int64_t taken = parts_of_unit(panels, parts, call.a.part_rows, call.threads);
  const int64_t ranges = (parts + taken - 1) / taken;
  // Panels as equal as can be: 4 + 4 + 4 + 4 rather than 4 + 4 + 4 + 3 + 1.
  const int64_t narrow = vectors / panels, wide_panels = vectors % panels;
  parallel_for(panels * ranges, call.threads, [&](int64_t unit, int) {
    const int64_t panel = unit / ranges, first_part = unit % ranges * taken;
    const int64_t first = panel * narrow + (panel < wide_panels ? panel : wide_panels);
    const int64_t end_part = first_part + taken < parts ? first_part + taken : parts;
    run_panel<Tile, T, panel_vectors>(call, {first, first_part, end_part, static_cast<int>(narrow + (panel < wide_panels))});
  });
}

template <template <class> class Tile> void spmm_panels(const SpmmCall& call) {
  with_element(call.element, [&](auto element) { run_units<Tile, decltype(element)>(call); });
}

}  // namespace tamis::TAMIS_ISA
