// One column: C = A @ b, the product of decoding. The same packed matrix as in spmm_panels.h, other arithmetic.
//
// The four rows of a group are the four lanes of a vector. Elements of b are gathered by scalar loads: hardware gathers
// are slower. Several chains of sums hide the latency of the FMA. With AVX-512 and ids of 8 bits, four steps at a time
// select theirs from the block of b in registers.
#pragma once
#include "activations.h"
#include "elements.h"
#include "kernels.h"
#include "parallel.h"
#include "select.h"

namespace tamis::TAMIS_ISA {

constexpr int chains = 4;

// Tile::gather(ids, b) -> the element of b for each of the four rows.
template <class Tile, class Value>
TAMIS_INLINE Lanes add_group(int32_t steps, const typename Tile::id* ids, const typename Value::type* values, const float* b) {
  Lanes sums[chains] = {};
  const auto add = [&](int chain, int32_t step) __attribute__((always_inline)) {
    sums[chain] += Value::load_lanes(values + 4 * step) * Tile::gather(ids + Tile::ids * step, b);
  };
  int32_t s = 0;
  for (; s + chains <= steps; s += chains) {
    add(0, s);
    add(1, s + 1);
    add(2, s + 2);
    add(3, s + 3);
  }
  if (steps & 2) {
    add(0, s);
    add(1, s + 1);
    s += 2;
  }
  if (steps & 1) add(2, s);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// As add_group, for ids of 8 bits of four rows each; b has `window` floats, a zero at `padding`.
template <class Tile, class Value, int window>
Lanes select_group(int32_t steps, const uint8_t* ids, const typename Value::type* values, const float* b, int32_t padding);

#if defined(TAMIS_ISA_avx512)

constexpr int most_window = 256;

template <class Tile, class Value, int window>
TAMIS_INLINE Lanes select_group(int32_t steps, const uint8_t* ids, const typename Value::type* values, const float* b,
                                int32_t padding) {
  Vec sums = Vec::zero();
  Lanes rest = {};
  int32_t s = 0;
  for (; s + 4 <= steps; s += 4) {
    const __m512i four = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(ids + 4 * s)));
    Vec w = Value::load(values + 4 * s);
    TAMIS_KEEP(w);  // as the operand of a masked FMA the load would be masked too, and no prefetcher follows those
    const __mmask16 real = _mm512_cmpneq_epi32_mask(four, _mm512_set1_epi32(padding));
    sums.v = _mm512_mask3_fmadd_ps(w.v, select<window>(b, four), sums.v, real);
  }
  for (; s < steps; ++s) rest += Value::load_lanes(values + 4 * s) * Tile::gather(ids + 4 * s, b);
  return rest + ((Lanes)_mm512_extractf32x4_ps(sums.v, 0) + (Lanes)_mm512_extractf32x4_ps(sums.v, 1)) +
         ((Lanes)_mm512_extractf32x4_ps(sums.v, 2) + (Lanes)_mm512_extractf32x4_ps(sums.v, 3));
}

#else

constexpr int most_window = 0;  // nothing to select with

#endif

// Adds the products of one (part, block) to the sums of the part. window: columns to select from, 0 to gather.
template <class Tile, class Value, int window>
void column_block(const SpmmCall& call, int64_t cell, const float* b, float* sums) {
  const SpmmPacked& a = call.a;
  const int64_t(&here)[2] = a.blocks[cell];
  const int64_t last = a.blocks[cell + 1][0];
  const auto* ids = static_cast<const typename Tile::id*>(a.ids) + here[1] * Tile::ids;
  const auto* values = static_cast<const typename Value::type*>(call.values) + here[1] * 4;
  for (int64_t g = here[0]; g < last; ++g) {
    const SpmmGroup& group = a.groups[g];
    Lanes sum;
    if constexpr (window != 0) sum = select_group<Tile, Value, window>(group.steps, ids, values, b, a.block_cols);
    else sum = add_group<Tile, Value>(group.steps, ids, values, b);
    for (int r = 0; r < 4; ++r) sums[group.rows[r]] += sum[r];
    ids += group.steps * Tile::ids;
    values += group.steps * 4;
  }
}

template <template <class> class Tile> auto column_block_for(const SpmmCall& call) {
  return with_stored(call.stored, [&](auto stored) {
    using Value = decltype(stored);
    if (call.a.wide_ids) return &column_block<Tile<uint16_t>, Value, 0>;
    if constexpr (most_window != 0 && Tile<uint8_t>::ids == 4) {
      if (call.a.block_cols <= 128) return &column_block<Tile<uint8_t>, Value, 128>;
      if (call.a.block_cols <= 192) return &column_block<Tile<uint8_t>, Value, 192>;
      return &column_block<Tile<uint8_t>, Value, 256>;
    } else {
      return &column_block<Tile<uint8_t>, Value, 0>;
    }
  });
}

// b[first : first + count] as floats.
template <class T> void load_column(const SpmmCall& call, int64_t first, int64_t count, float* to) {
  const int64_t stride = call.by_rows ? 1 : call.ldb;
  const auto* from = static_cast<const typename T::type*>(call.b) + first * stride;
  int64_t i = 0;
  if (stride == 1)
    for (; i + Vec::width <= count; i += Vec::width) T::load(from + i).store(to + i);
  for (; i < count; ++i) T::load_first(from + i * stride, 1).store_first(to + i, 1);
}

template <class T> void store_column(const SpmmCall& call, int64_t first_row, int64_t rows, const float* sums) {
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

template <template <class> class Tile, class T> void spmm_column(const SpmmCall& call) {
  const SpmmPacked& a = call.a;
  const int64_t parts = (a.m + a.part_rows - 1) / a.part_rows;
  const int64_t blocks = a.k ? (a.k + a.block_cols - 1) / a.block_cols : 1;
  const auto body = column_block_for<Tile>(call);
  parallel_for(parts, call.threads, [&](int64_t part, int) {
    const int64_t first_row = part * a.part_rows, left = a.m - first_row;
    const int64_t b_floats = a.block_cols < most_window ? most_window : a.block_cols + 1;
    const int64_t floats = b_floats + a.part_rows + Vec::width;
    float* b = static_cast<float*>(thread_scratch(floats * static_cast<int64_t>(sizeof(float))));
    float* sums = b + b_floats;
    for (int64_t i = a.block_cols; i < b_floats; ++i) b[i] = 0.0f;  // the first is what padding points at
    for (int64_t row = 0; row <= a.part_rows; ++row) sums[row] = 0.0f;
    for (int64_t index = 0; index < blocks; ++index) {
      const int64_t first = index * a.block_cols;
      load_column<T>(call, first, a.k - first < a.block_cols ? a.k - first : a.block_cols, b);
      body(call, part * blocks + index, b, sums);
    }
    store_column<T>(call, first_row, left < a.part_rows ? left : a.part_rows, sums);
  });
}

}  // namespace tamis::TAMIS_ISA
