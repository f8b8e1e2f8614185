// One column: C = A @ b, the product of decoding. The same packed matrix as in spmm_panels.h, other arithmetic.
//
// The four rows of a group are the four lanes of a vector. Elements of b are gathered by scalar loads: hardware gathers
// are slower. Four chains of sums hide the latency of the FMA.
#pragma once
#include "activations.h"
#include "elements.h"
#include "kernels.h"
#include "parallel.h"

namespace tamis::TAMIS_ISA {

typedef float Lanes __attribute__((vector_size(16)));
typedef float LanesUnaligned __attribute__((vector_size(16), aligned(4)));

constexpr int chains = 4;

TAMIS_INLINE Lanes load_lanes(const float* p) { return *reinterpret_cast<const LanesUnaligned*>(p); }

// Tile::gather(ids, step, b) -> the element of b for each of the four rows.
template <class Tile>
TAMIS_INLINE Lanes add_column(int32_t steps, const uint16_t* ids, const float* values, const float* b) {
  Lanes sums[chains] = {};
  int32_t s = 0;
  for (; s + chains <= steps; s += chains) {
#pragma GCC unroll 4
    for (int c = 0; c < chains; ++c) sums[c] += load_lanes(values + 4 * (s + c)) * Tile::gather(ids, s + c, b);
  }
  for (; s < steps; ++s) sums[0] += load_lanes(values + 4 * s) * Tile::gather(ids, s, b);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

template <class Tile, class T> void column_part(const SpmmCall& call, int64_t part) {
  const SpmmPacked& a = call.a;
  const int64_t blocks = a.k ? (a.k + a.block_cols - 1) / a.block_cols : 1;
  const int64_t first_row = part * a.part_rows;
  const int64_t rows = a.m - first_row < a.part_rows ? a.m - first_row : a.part_rows;
  const int64_t floats = a.block_cols + 1 + a.part_rows + Vec::width;
  float* b = static_cast<float*>(thread_scratch(floats * static_cast<int64_t>(sizeof(float))));
  float* sums = b + a.block_cols + 1;
  b[a.block_cols] = 0.0f;  // what padding points at
  for (int64_t row = 0; row <= a.part_rows; ++row) sums[row] = 0.0f;
  const auto* from = static_cast<const typename T::type*>(call.b);
  const int64_t stride = call.by_rows ? 1 : call.ldb;
  for (int64_t index = 0; index < blocks; ++index) {
    const int64_t first = index * a.block_cols;
    const int64_t count = a.k - first < a.block_cols ? a.k - first : a.block_cols;
    int64_t i = 0;
    if (stride == 1)
      for (; i + Vec::width <= count; i += Vec::width) T::load(from + first + i).store(b + i);
    for (; i < count; ++i) T::load_first(from + (first + i) * stride, 1).store_first(b + i, 1);
    const int64_t(&here)[2] = a.blocks[part * blocks + index];
    const int64_t end = a.blocks[part * blocks + index + 1][0];
    const uint16_t* ids = a.ids + here[1] * Tile::ids;
    const float* values = static_cast<const float*>(a.values) + here[1] * 4;
    for (int64_t g = here[0]; g < end; ++g) {
      const SpmmGroup& group = a.groups[g];
      const Lanes sum = add_column<Tile>(group.steps, ids, values, b);
      for (int r = 0; r < 4; ++r) sums[group.rows[r]] += sum[r];
      ids += group.steps * Tile::ids;
      values += group.steps * 4;
    }
  }
  auto* c = static_cast<typename T::type*>(call.c) + first_row;
  for (int64_t i = 0; i < rows; i += Vec::width) {
    const int lanes = rows - i < Vec::width ? static_cast<int>(rows - i) : Vec::width;
    const Vec bias = call.bias ? Vec::load_first(call.bias + first_row + i, lanes) : Vec::zero();
    const Vec scale = call.row_scale ? Vec::load_first(call.row_scale + first_row + i, lanes) : Vec::broadcast(1.0f);
    const Vec y = activate(fma(Vec::load(sums + i), scale, bias), call.activation);
    if (lanes == Vec::width) T::store(c + i, y);
    else T::store_first(c + i, y, lanes);
  }
}

template <class Tile, class T> void spmm_column(const SpmmCall& call) {
  const int64_t parts = (call.a.m + call.a.part_rows - 1) / call.a.part_rows;
  parallel_for(parts, call.threads, [&](int64_t part, int) { column_part<Tile, T>(call, part); });
}

}  // namespace tamis::TAMIS_ISA
