// Gradient of the weights of a sparse convolution: dW[k] = sum over pairs (i, j) of offset k of X[i]^T dY[j].
//
// Outputs are cut into a fixed number of parts, whatever the number of threads. A unit is one part and a share of the
// offsets; it sums into the part's own copy of dW, block by block, so that the rows it reads stay in the cache. The copies
// are added in order: the same bits for any number of threads.
#include <string.h>

#include "kernels.h"
#include "parallel.h"
#include "simd.h"

namespace tamis::TAMIS_ISA {

namespace {


constexpr int64_t run = 64;           // pairs at a time, so that their rows stay in L1
constexpr int64_t block_granules = 16;
constexpr int64_t offset_shares = 4;  // units per part

struct Run {
  const float* x[run];
  const float* g[run];
  int64_t count;
};

// dW[c .. c + rows, columns] += sum over the run of x[c + r] * g[columns].
template <int rows, int vectors, bool partial>
TAMIS_INLINE void tile(const Run& pairs, int64_t channel, int64_t column, int left, float* w, int64_t ldw) {
  const auto load = [&](const float* p, int v) {
    return partial && v == vectors - 1 ? Vec::load_first(p + v * Vec::width, left) : Vec::load(p + v * Vec::width);
  };
  Vec acc[rows][vectors];
  TAMIS_UNROLL
  for (int r = 0; r < rows; ++r)
    TAMIS_UNROLL
    for (int v = 0; v < vectors; ++v) acc[r][v] = load(w + r * ldw, v);
  for (int64_t i = 0; i < pairs.count; ++i) {
    const float* x = pairs.x[i] + channel;
    Vec g[vectors];
    TAMIS_UNROLL
    for (int v = 0; v < vectors; ++v) {
      g[v] = load(pairs.g[i] + column, v);
      TAMIS_KEEP(g[v]);
    }
    TAMIS_UNROLL
    for (int r = 0; r < rows; ++r) {
      const Vec value = Vec::broadcast(x[r]);
      TAMIS_UNROLL
      for (int v = 0; v < vectors; ++v) acc[r][v] = fma(value, g[v], acc[r][v]);
    }
  }
  TAMIS_UNROLL
  for (int r = 0; r < rows; ++r)
    TAMIS_UNROLL
    for (int v = 0; v < vectors; ++v)
      if (partial && v == vectors - 1) acc[r][v].store_first(w + r * ldw + v * Vec::width, left);
      else acc[r][v].store(w + r * ldw + v * Vec::width);
}

template <int vectors, bool partial>
void panel(const Run& pairs, int64_t c_in, int64_t column, int left, float* w, int64_t ldw) {
  constexpr int rows = vectors == 1 ? 8 : 6;
  int64_t c = 0;
  for (; c + rows <= c_in; c += rows) tile<rows, vectors, partial>(pairs, c, column, left, w + c * ldw, ldw);
  for (; c + 2 <= c_in; c += 2) tile<2, vectors, partial>(pairs, c, column, left, w + c * ldw, ldw);
  for (; c < c_in; ++c) tile<1, vectors, partial>(pairs, c, column, left, w + c * ldw, ldw);
}

void add_run(const SparseConvGradientCall& call, const Run& pairs, float* dw) {
  constexpr int width = Vec::width;
  const int64_t group_out = call.c_out / call.groups;
  for (int64_t group = 0; group < call.groups; ++group) {
    Run mine = pairs;
    for (int64_t i = 0; i < pairs.count; ++i) mine.x[i] += group * call.c_in;
    int64_t at = group * group_out;
    const int64_t end = at + group_out;
    if constexpr (Vec::registers >= 32)
      for (; at + 4 * width <= end; at += 4 * width) panel<4, false>(mine, call.c_in, at, 0, dw + at, call.c_out);
    for (; at + 2 * width <= end; at += 2 * width) panel<2, false>(mine, call.c_in, at, 0, dw + at, call.c_out);
    for (; at + width <= end; at += width) panel<1, false>(mine, call.c_in, at, 0, dw + at, call.c_out);
    if (at < end) panel<1, true>(mine, call.c_in, at, static_cast<int>(end - at), dw + at, call.c_out);
  }
}

void add_block(const SparseConvGradientCall& call, int64_t offset, int64_t first, int64_t last, float* dw) {
  const PairLists& p = call.pairs;
  const auto& [start, stop, role] = p.lists[offset];
  const int32_t* cuts = p.cuts + offset * (p.granules + 1);
  const int32_t* outputs = role == PairLists::output_first ? p.first : p.second;
  const int32_t* inputs = role == PairLists::output_first ? p.second : p.first;
  Run pairs;
  for (int64_t i = cuts[first]; i < cuts[last]; i += run) {
    pairs.count = cuts[last] - i < run ? cuts[last] - i : run;
    for (int64_t n = 0; n < pairs.count; ++n) {
      const int64_t in = role == PairLists::identity ? i + n : inputs[start + i + n];
      const int64_t out = role == PairLists::identity ? i + n : outputs[start + i + n];
      pairs.x[n] = call.feats + in * call.c_in * call.groups;
      pairs.g[n] = call.grad + out * call.c_out;
    }
    add_run(call, pairs, dw);
  }
}

}  // namespace

void sparse_conv_weight_gradient(const SparseConvGradientCall& call);
void sparse_conv_weight_gradient(const SparseConvGradientCall& call) {
  const int64_t matrix = call.c_in * call.c_out, size = call.pairs.volume * matrix, granules = call.pairs.granules;
  parallel_for(call.parts * offset_shares, call.threads, [&](int64_t unit, int) {
    const int64_t part = unit / offset_shares, share = unit % offset_shares;
    const int64_t from = granules * part / call.parts, to = granules * (part + 1) / call.parts;
    float* mine = call.copies + part * size;
    for (int64_t o = share; o < call.pairs.volume; o += offset_shares)
      memset(mine + o * matrix, 0, sizeof(float) * static_cast<size_t>(matrix));
    for (int64_t first = from; first < to; first += block_granules) {
      const int64_t last = first + block_granules < to ? first + block_granules : to;
      for (int64_t o = share; o < call.pairs.volume; o += offset_shares)
        add_block(call, o, first, last, mine + o * matrix);
    }
  });
  parallel_for(call.pairs.volume, call.threads, [&](int64_t offset, int) {
    for (int64_t i = offset * matrix; i < (offset + 1) * matrix; ++i) {
      float sum = 0;
      for (int64_t part = 0; part < call.parts; ++part) sum += call.copies[part * size + i];
      call.weight_grad[i] = sum;
    }
  });
}

}  // namespace tamis::TAMIS_ISA
