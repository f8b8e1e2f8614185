// Sparse convolution: Y[j] = act(scale * sum over pairs (i, j) of offset k of X[i] @ W[k] + bias + residual[j]).
//
//   for each block of consecutive outputs                      (a unit; threads take units)
//     for each offset, the identity of a submanifold map first: its pass starts from zero, and no memset is needed
//       for each panel of columns and block of up to `depth` input channels
//         for groups of pairs of the offset's list, cut at the block's borders
//           a register tile: rows of X by gathered pointers, sums from and to the block's rows of Y
//     scale, bias, residual, ReLU over the block, which is still in L2
//
// An output's sum runs over offsets and channels in one fixed order, whatever the tile, block and thread it falls into:
// the same bits for any number of threads and any company in the batch.
//
// The tile must be inlined into the loop over pairs (1.3 to 3 times as fast as a call: pointers stay in registers).
#include <string.h>

#include "elements.h"
#include "kernels.h"
#include "parallel.h"

namespace tamis::TAMIS_ISA {

namespace {


constexpr int64_t depth = 128;  // input channels at a time: a panel of weights then fits in L1
constexpr int most_rows = 8;
// Rows of a tile of so many vectors: as many accumulators as registers allow, at least 8 against the FMA's latency.
constexpr int tile_rows(int vectors) { return vectors == 1 ? 8 : 6; }
static_assert(tile_rows(4) * 4 + 4 + 1 <= 32, "A 4-vector tile and its operands fit in 32 registers.");
static_assert(tile_rows(2) * 2 + 2 + 1 <= 16, "A 2-vector tile and its operands fit in 16 registers.");

// Up to `vectors` vectors of columns; `count` of them valid in the last vector.
template <int vectors, bool partial> struct Columns {
  int count;
  TAMIS_INLINE Vec load(const float* p, int v) const {
    return partial && v == vectors - 1 ? Vec::load_first(p + v * Vec::width, count) : Vec::load(p + v * Vec::width);
  }
  TAMIS_INLINE void store(Vec x, float* p, int v) const {
    if (partial && v == vectors - 1) x.store_first(p + v * Vec::width, count);
    else x.store(p + v * Vec::width);
  }
};

template <int rows, int vectors, bool partial, bool fresh>
TAMIS_INLINE void tile(const float* const (&x)[most_rows], const float* w, int64_t ldw, int64_t channels,
                       float* const (&y)[most_rows], Columns<vectors, partial> columns) {
  Vec acc[rows][vectors];
  TAMIS_UNROLL
  for (int r = 0; r < rows; ++r)
    TAMIS_UNROLL
    for (int v = 0; v < vectors; ++v) acc[r][v] = fresh ? Vec::zero() : columns.load(y[r], v);
#pragma GCC unroll 2
  for (int64_t c = 0; c < channels; ++c, w += ldw) {
    Vec weights[vectors];
    TAMIS_UNROLL
    for (int v = 0; v < vectors; ++v) {
      weights[v] = columns.load(w, v);
      TAMIS_KEEP(weights[v]);
    }
    TAMIS_UNROLL
    for (int r = 0; r < rows; ++r) {
      const Vec value = Vec::broadcast(x[r][c]);
      TAMIS_UNROLL
      for (int v = 0; v < vectors; ++v) acc[r][v] = fma(value, weights[v], acc[r][v]);
    }
  }
  TAMIS_UNROLL
  for (int r = 0; r < rows; ++r)
    TAMIS_UNROLL
    for (int v = 0; v < vectors; ++v) columns.store(acc[r][v], y[r], v);
}

// The last pairs of a list, fewer than a tile has rows.
template <int rows, int vectors, bool partial, bool fresh>
void short_tile(int count, const float* const (&x)[most_rows], const float* w, int64_t ldw, int64_t channels,
                float* const (&y)[most_rows], Columns<vectors, partial> columns) {
  if constexpr (rows > 0) {
    if (count == rows) tile<rows, vectors, partial, fresh>(x, w, ldw, channels, y, columns);
    else short_tile<rows - 1, vectors, partial, fresh>(count, x, w, ldw, channels, y, columns);
  }
}

// Rows of X as float pointers: in place, or converted into a buffer.
template <class T> struct Rows {
  const typename T::type* x;
  int64_t ldx, channels;
  float* buffer;

  TAMIS_INLINE const float* row(int64_t index, int slot) const {
    if constexpr (sizeof(typename T::type) == sizeof(float)) {
      return x + index * ldx;
    } else {
      float* out = buffer + slot * depth;
      const auto* in = x + index * ldx;
      int64_t c = 0;
      for (; c + Vec::width <= channels; c += Vec::width) T::load(in + c).store(out + c);
      if (c < channels) T::load_first(in + c, static_cast<int>(channels - c)).store_first(out + c, static_cast<int>(channels - c));
      return out;
    }
  }
};

struct List {
  const int32_t* inputs;   // null: pair i is (origin + i, origin + i)
  const int32_t* outputs;
  int64_t count, origin;
  TAMIS_INLINE int64_t input(int64_t i) const { return inputs ? inputs[i] : origin + i; }
  TAMIS_INLINE int64_t output(int64_t i) const { return outputs ? outputs[i] : origin + i; }
};

template <int vectors, bool partial, bool fresh, class T>
void multiply(const List& list, const Rows<T>& rows, const float* w, int64_t ldw, float* y, int64_t ldy,
              Columns<vectors, partial> columns) {
  constexpr int step = tile_rows(vectors);
  const float* x_of[most_rows];
  float* y_of[most_rows];
  int64_t i = 0;
  for (; i + step <= list.count; i += step) {
    TAMIS_UNROLL
    for (int r = 0; r < step; ++r) {
      x_of[r] = rows.row(list.input(i + r), r);
      y_of[r] = y + list.output(i + r) * ldy;
    }
    tile<step, vectors, partial, fresh>(x_of, w, ldw, rows.channels, y_of, columns);
  }
  const int left = static_cast<int>(list.count - i);
  for (int r = 0; r < left; ++r) {
    x_of[r] = rows.row(list.input(i + r), r);
    y_of[r] = y + list.output(i + r) * ldy;
  }
  short_tile<step - 1, vectors, partial, fresh>(left, x_of, w, ldw, rows.channels, y_of, columns);
}

template <class T> struct Block {
  const SparseConvCall& call;
  int64_t first_granule, last_granule, first_row, row_count;
  float* sums;     // of row 0, so that rows are addressed by their number; ldy = c_out
  float* buffer;   // converted rows

  List list(int64_t offset) const {
    const PairLists& p = call.pairs;
    const auto& [start, stop, role] = p.lists[offset];
    const int32_t* cuts = p.cuts + offset * (p.granules + 1);
    const int64_t from = cuts[first_granule], count = cuts[last_granule] - from;
    if (role == PairLists::identity) return {nullptr, nullptr, row_count, first_row};
    const int32_t* a = p.first + start + from;
    const int32_t* b = p.second + start + from;
    if (role == PairLists::output_first) return {b, a, count, 0};
    return {a, b, count, 0};
  }

  template <bool fresh> void offset(int64_t index) const {
    const List pairs = list(index);
    if (pairs.count == 0) return;
    const int64_t group_out = call.c_out / call.groups;
    for (int64_t g = 0; g < call.groups; ++g)
      for (int64_t c = 0; c < call.c_in; c += depth) {
        const int64_t channels = call.c_in - c < depth ? call.c_in - c : depth;
        const Rows<T> rows = {static_cast<const typename T::type*>(call.feats) + g * call.c_in + c,
                              call.groups * call.c_in, channels, buffer};
        const float* w = call.weight + (index * call.c_in + c) * call.c_out + g * group_out;
        float* y = sums + g * group_out;
        if (fresh && c == 0) panels<fresh>(pairs, rows, w, y, group_out);
        else panels<false>(pairs, rows, w, y, group_out);
      }
  }

  template <bool fresh>
  void panels(const List& pairs, const Rows<T>& rows, const float* w, float* y, int64_t columns) const {
    constexpr int width = Vec::width;
    const int64_t ld = call.c_out;
    int64_t at = 0;
    if constexpr (Vec::registers >= 32)
      for (; at + 4 * width <= columns; at += 4 * width)
        multiply<4, false, fresh>(pairs, rows, w + at, ld, y + at, ld, Columns<4, false>{0});
    for (; at + 2 * width <= columns; at += 2 * width)
      multiply<2, false, fresh>(pairs, rows, w + at, ld, y + at, ld, Columns<2, false>{0});
    for (; at + width <= columns; at += width)
      multiply<1, false, fresh>(pairs, rows, w + at, ld, y + at, ld, Columns<1, false>{0});
    if (at < columns)
      multiply<1, true, fresh>(pairs, rows, w + at, ld, y + at, ld,
                               Columns<1, true>{static_cast<int>(columns - at)});
  }

  // One channel per group: elementwise products.
  template <bool fresh> void depthwise_offset(int64_t index) const {
    const List pairs = list(index);
    const float* w = call.weight + index * call.c_out;
    for (int64_t i = 0; i < pairs.count; ++i) {
      const auto* x = static_cast<const typename T::type*>(call.feats) + pairs.input(i) * call.c_out;
      float* y = sums + pairs.output(i) * call.c_out;
      int64_t c = 0;
      for (; c + Vec::width <= call.c_out; c += Vec::width) {
        const Vec before = fresh ? Vec::zero() : Vec::load(y + c);
        fma(T::load(x + c), Vec::load(w + c), before).store(y + c);
      }
      const int left = static_cast<int>(call.c_out - c);
      if (left == 0) continue;
      const Vec before = fresh ? Vec::zero() : Vec::load_first(y + c, left);
      fma(T::load_first(x + c, left), Vec::load_first(w + c, left), before).store_first(y + c, left);
    }
  }

  template <bool fresh> void either(int64_t index) const {
    if (call.groups > 1 && call.c_in == 1 && call.groups == call.c_out) depthwise_offset<fresh>(index);
    else offset<fresh>(index);
  }

  void sum() const {
    int64_t centre = -1;
    for (int64_t o = 0; o < call.pairs.volume; ++o)
      if (call.pairs.lists[o][2] == PairLists::identity) centre = o;
    if (centre >= 0 && call.c_in > 0) either<true>(centre);
    else memset(sums + first_row * call.c_out, 0, sizeof(float) * static_cast<size_t>(row_count * call.c_out));
    for (int64_t o = 0; o < call.pairs.volume; ++o)
      if (o != centre) either<false>(o);
  }

  void finish() const {
    auto* out = static_cast<typename T::type*>(call.out);
    const auto* residual = static_cast<const typename T::type*>(call.residual);
    const bool in_place = static_cast<const void*>(sums) == call.out;
    if (in_place && !call.scale && !call.bias && !residual && !call.relu) return;
    for (int64_t row = first_row; row < first_row + row_count; ++row)
      for (int64_t c = 0; c < call.c_out; c += Vec::width) {
        const int64_t at = row * call.c_out + c;
        const int left = call.c_out - c < Vec::width ? static_cast<int>(call.c_out - c) : Vec::width;
        Vec y = Vec::load_first(sums + at, left);
        const Vec bias = call.bias ? Vec::load_first(call.bias + c, left) : Vec::zero();
        if (call.scale) y = fma(y, Vec::load_first(call.scale + c, left), bias);
        else if (call.bias) y = y + bias;
        if (residual) y = y + T::load_first(residual + at, left);
        if (call.relu) y = max(Vec::zero(), y);  // NaN stays NaN: the second operand wins
        T::store_first(out + at, y, left);
      }
  }
};

template <class T> void convolve(const SparseConvCall& call) {
  constexpr bool in_place = sizeof(typename T::type) == sizeof(float);
  const int64_t per_block = call.block_rows / PairLists::granule;
  const int64_t granules = call.pairs.granules, blocks = (granules + per_block - 1) / per_block;
  parallel_for(blocks, call.threads, [&](int64_t unit, int) {
    const int64_t first = unit * per_block, last = first + per_block < granules ? first + per_block : granules;
    const int64_t row = first * PairLists::granule;
    const int64_t end = last * PairLists::granule < call.rows ? last * PairLists::granule : call.rows;
    float *sums = static_cast<float*>(call.out), *buffer = nullptr;
    if (!in_place) {
      const int64_t converted = most_rows * depth;
      buffer = static_cast<float*>(thread_scratch((converted + (end - row) * call.c_out) * sizeof(float)));
      sums = buffer + converted - row * call.c_out;
    }
    const Block<T> block = {call, first, last, row, end - row, sums, buffer};
    block.sum();
    block.finish();
  });
}

}  // namespace

void sparse_conv(const SparseConvCall& call);
void sparse_conv(const SparseConvCall& call) {
  switch (call.element) {
    case Element::float32: return convolve<Float32>(call);
    case Element::bfloat16: return convolve<Bfloat16>(call);
    case Element::float16: return convolve<Float16>(call);
  }
}

}  // namespace tamis::TAMIS_ISA
