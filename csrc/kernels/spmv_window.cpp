// SpMV, and products of a few columns, for unstructured sparsity: the product of decoding.
//
// A strip is up to 16 nonzeros of one row whose columns lie within a window of W. The window of b is loaded as W / 16
// whole vectors and permuted in registers: W / 32 two-vector permutes replace 16 scalar loads. Four strips of four rows
// are a step; rows were sorted by their number of strips, so that the four need hardly any padding. Lanes without a
// nonzero are masked, since 0 * Inf is NaN.
//
// Values are read as they are stored (float32, bfloat16, float16, int8 with a scale per row), for such products wait for
// memory. A row's sums depend on the row alone: equal bits for any number of threads and any part.
#include "activations.h"
#include "elements.h"
#include "kernels.h"
#include "parallel.h"
#include "select.h"
#include "transpose.h"

namespace tamis::TAMIS_ISA {
namespace {

constexpr int lanes = WindowStep::lanes;
constexpr int vectors = lanes / Vec::width;  // that hold one value per lane

#if defined(TAMIS_ISA_avx512)

template <int window>
TAMIS_INLINE void add_strip(const float* b, const uint8_t* ids, uint16_t mask, const Vec (&values)[vectors],
                            Vec (&acc)[vectors]) {
  const __m512 x = select<window>(b, _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(ids))));
  acc[0].v = _mm512_mask3_fmadd_ps(values[0].v, x, acc[0].v, mask);
}

#else

template <int window>
TAMIS_INLINE void add_strip(const float* b, const uint8_t* ids, uint16_t mask, const Vec (&values)[vectors],
                            Vec (&acc)[vectors]) {
  alignas(64) float x[lanes];
  for (int i = 0; i < lanes; ++i) x[i] = mask >> i & 1 ? b[ids[i]] : 0.0f;
  for (int v = 0; v < vectors; ++v) acc[v] = fma(values[v], Vec::load(x + v * Vec::width), acc[v]);
}

#endif

template <class S, int window, int cols>
void add_steps(int32_t steps, const WindowStep* step, const typename S::type* values, const float* const* b,
               Vec (&acc)[4][cols][vectors]) {
  for (const WindowStep* end = step + steps; step != end; ++step, values += 4 * lanes) {
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      Vec w[vectors];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) {
        w[v] = S::load(values + r * lanes + v * Vec::width);
        TAMIS_KEEP(w[v]);  // as the operand of a masked FMA the load would be masked too, and no prefetcher follows those
      }
#pragma GCC unroll 4
      for (int c = 0; c < cols; ++c)
        add_strip<window>(b[c] + step->base[r] * lanes, step->ids[r], step->mask[r], w, acc[r][c]);
    }
  }
}

// The columns of b as floats, padded to whole windows; read in place where that is what they are.
template <int cols>
void load_columns(const SpmvCall& call, int64_t first, int64_t padded_k, float* scratch, const float* (&b)[cols]) {
  const bool contiguous = call.by_rows || call.ldb == 1;
  if (call.element == Element::float32 && contiguous && padded_k == call.a.k) {
    for (int c = 0; c < cols; ++c) b[c] = static_cast<const float*>(call.b) + (first + c) * call.ldb;
    return;
  }
  with_element(call.element, [&](auto element) {
    using T = decltype(element);
    const auto* from = static_cast<const typename T::type*>(call.b);
    if (!contiguous) return transpose_any<T>(from + first, call.ldb, call.a.k, cols, scratch, padded_k);
    for (int c = 0; c < cols; ++c) {
      const auto* column = from + (first + c) * call.ldb;
      for (int64_t i = 0; i < call.a.k; i += Vec::width) {
        const int64_t left = call.a.k - i;
        const Vec x = left >= Vec::width ? T::load(column + i) : T::load_first(column + i, static_cast<int>(left));
        x.store(scratch + c * padded_k + i);
      }
    }
  });
  const int64_t loaded = (call.a.k + Vec::width - 1) / Vec::width * Vec::width;
  for (int c = 0; c < cols; ++c) {
    b[c] = scratch + c * padded_k;
    for (int64_t i = loaded; i < padded_k; ++i) scratch[c * padded_k + i] = 0.0f;
  }
}

void store_column(const SpmvCall& call, int64_t col, int64_t first_row, int64_t rows, const float* sums) {
  const int64_t stride = call.by_rows ? 1 : call.ldc, offset = call.by_rows ? col * call.ldc : col;
  with_element(call.element, [&](auto element) {
    using T = decltype(element);
    auto* c = static_cast<typename T::type*>(call.c) + offset + first_row * stride;
    for (int64_t i = 0; i < rows; i += Vec::width) {
      const int count = rows - i < Vec::width ? static_cast<int>(rows - i) : Vec::width;
      const Vec bias = call.bias ? Vec::load_first(call.bias + first_row + i, count) : Vec::zero();
      const Vec scale = call.row_scale ? Vec::load_first(call.row_scale + first_row + i, count) : Vec::broadcast(1.0f);
      const Vec y = activate(fma(Vec::load(sums + i), scale, bias), call.activation);
      if (stride == 1) {
        if (count == Vec::width) T::store(c + i, y);
        else T::store_first(c + i, y, count);
        continue;
      }
      alignas(64) float one_by_one[Vec::width];
      y.store(one_by_one);
      for (int r = 0; r < count; ++r) T::store_first(c + (i + r) * stride, Vec::broadcast(one_by_one[r]), 1);
    }
  });
}

template <class S, int window, int cols> void run_part(const SpmvCall& call, int64_t part, int64_t first_col) {
  const WindowPacked& a = call.a;
  const int64_t first_row = part * a.part_rows;
  const int64_t rows = a.m - first_row < a.part_rows ? a.m - first_row : a.part_rows;
  const int64_t padded_k = window_columns(a.k, window), padded_rows = a.part_rows + lanes;
  float* scratch = static_cast<float*>(
      thread_scratch((padded_k + padded_rows) * cols * static_cast<int64_t>(sizeof(float))));
  float* sums = scratch + padded_k * cols;
  const float* b[cols];
  load_columns<cols>(call, first_col, padded_k, scratch, b);
  const WindowStep* steps = a.steps + a.parts[part][1];
  const auto* values = static_cast<const typename S::type*>(call.values) + a.parts[part][1] * 4 * lanes;
  for (int64_t g = a.parts[part][0]; g < a.parts[part + 1][0]; ++g) {
    const SpmmGroup& group = a.groups[g];
    Vec acc[4][cols][vectors];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r)
#pragma GCC unroll 4
      for (int c = 0; c < cols; ++c)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) acc[r][c][v] = Vec::zero();
    add_steps<S, window, cols>(group.steps, steps, values, b, acc);
    steps += group.steps;
    values += group.steps * 4 * lanes;
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r)
#pragma GCC unroll 4
      for (int c = 0; c < cols; ++c) {
        float total = 0.0f;
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) total += sum(acc[r][c][v]);
        sums[c * padded_rows + group.rows[r]] = total;
      }
  }
  for (int c = 0; c < cols; ++c) store_column(call, first_col + c, first_row, rows, sums + c * padded_rows);
}

template <class S, int window> void run_units(const SpmvCall& call) {
  constexpr int most = WindowStep::max_cols;
  const int64_t parts = (call.a.m + call.a.part_rows - 1) / call.a.part_rows, tiles = (call.n + most - 1) / most;
  parallel_for(parts * tiles, call.threads, [&](int64_t unit, int) {
    const int64_t part = unit % parts, first = unit / parts * most;
    switch (call.n - first) {
      case 1: return run_part<S, window, 1>(call, part, first);
      case 2: return run_part<S, window, 2>(call, part, first);
      case 3: return run_part<S, window, 3>(call, part, first);
      default: return run_part<S, window, 4>(call, part, first);
    }
  });
}

}  // namespace

void spmv_window(const SpmvCall& call);
void spmv_window(const SpmvCall& call) {
  with_stored(call.stored, [&](auto stored) {
    using S = decltype(stored);
    return call.a.window == 64 ? run_units<S, 64>(call) : run_units<S, 128>(call);
  });
}

}  // namespace tamis::TAMIS_ISA
