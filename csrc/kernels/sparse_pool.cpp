// Pooling: Y[j] = maximum, sum or mean of X[i] over the pairs (i, j) of all offsets; 0 where there are none.
//
//   for each block of consecutive outputs (a unit; threads take units) and each panel of channels
//     for each offset: the pairs of its list whose outputs lie in the block
//       row j of the block <- row i of X: a copy the first time, then a sum in float64 or a maximum
//     divide, round, store
//
// An output's sum runs over offsets, and within a list over its pairs, in one fixed order: the same bits for any number of
// threads. Blocks stay in L2, so the time is that of reading X once per pair.
#include "elements.h"
#include "kernels.h"
#include "parallel.h"

namespace tamis::TAMIS_ISA {

namespace {

constexpr int64_t panel = 128;       // channels at a time
constexpr int64_t block_rows = 256;  // outputs at a time
constexpr int64_t ahead = 12;        // pairs between the prefetch of a row and its use

// Elements in memory; Number: what a row of them is read as.
template <class T> struct Reader {
  using Element = typename T::type;
  using Number = float;
  static TAMIS_INLINE const float* numbers(const Element* x, int64_t count, float* buffer) {
    if constexpr (sizeof(Element) == sizeof(float)) {
      return x;
    } else {
      int64_t c = 0;
      for (; c + Vec::width <= count; c += Vec::width) T::load(x + c).store(buffer + c);
      for (; c < count; ++c) T::load_first(x + c, 1).store_first(buffer + c, 1);
      return buffer;
    }
  }
  static TAMIS_INLINE void store(Element* y, const double* sums, int64_t count, float* buffer) {
    for (int64_t c = 0; c < count; ++c) buffer[c] = static_cast<float>(sums[c]);
    store(y, buffer, count, nullptr);
  }
  static TAMIS_INLINE void store(Element* y, const float* maxima, int64_t count, float*) {
    int64_t c = 0;
    for (; c + Vec::width <= count; c += Vec::width) T::store(y + c, Vec::load(maxima + c));
    for (; c < count; ++c) T::store_first(y + c, Vec::load_first(maxima + c, 1), 1);
  }
};
struct Float64 {};
template <> struct Reader<Float64> {
  using Element = double;
  using Number = double;
  static TAMIS_INLINE const double* numbers(const double* x, int64_t, float*) { return x; }
  static TAMIS_INLINE void store(double* y, const double* values, int64_t count, float*) {
    for (int64_t c = 0; c < count; ++c) y[c] = values[c];
  }
};

template <class Sum, class Number> TAMIS_INLINE void copy(Sum* __restrict y, const Number* __restrict x, int64_t count) {
  for (int64_t c = 0; c < count; ++c) y[c] = static_cast<Sum>(x[c]);
}

template <bool maximum, class Sum, class Number>
TAMIS_INLINE void combine(Sum* __restrict y, const Number* __restrict x, int64_t count) {
  for (int64_t c = 0; c < count; ++c) {
    const Sum value = static_cast<Sum>(x[c]);
    if constexpr (maximum) y[c] = value > y[c] || value != value ? value : y[c];  // NaN stays NaN
    else y[c] += value;
  }
}

TAMIS_INLINE int64_t first_at_least(const int32_t* list, int64_t count, int64_t row) {
  int64_t low = 0;
  while (count > 0) {
    const int64_t half = count / 2;
    const bool below = list[low + half] < row;
    low = below ? low + half + 1 : low;
    count = below ? count - half - 1 : half;
  }
  return low;
}

// Sums are float64; maxima are what they were read as.
template <class Number, bool maximum> struct Accumulator { using type = double; };
template <class Number> struct Accumulator<Number, true> { using type = Number; };

template <class T, bool maximum> void pool(const SparsePoolCall& call) {
  using Rows = Reader<T>;
  using Sum = typename Accumulator<typename Rows::Number, maximum>::type;
  using Element = typename Rows::Element;
  const int64_t channels = call.channels, units = (call.rows + block_rows - 1) / block_rows;
  const auto* feats = static_cast<const Element*>(call.feats);
  auto* out = static_cast<Element*>(call.out);
  parallel_for(units, call.threads, [&](int64_t unit, int) {
    const int64_t first = unit * block_rows, end = first + block_rows < call.rows ? first + block_rows : call.rows;
    auto* sums = static_cast<Sum*>(thread_scratch(block_rows * (panel * sizeof(Sum) + sizeof(int64_t)) + panel * sizeof(float)));
    auto* counts = reinterpret_cast<int64_t*>(sums + block_rows * panel);
    auto* buffer = reinterpret_cast<float*>(counts + block_rows);
    for (int64_t column = 0; column < channels; column += panel) {
      const int64_t width = channels - column < panel ? channels - column : panel;
      for (int64_t row = 0; row < end - first; ++row) counts[row] = 0;
      const auto take = [&](int64_t input, int64_t output) {
        const auto* x = Rows::numbers(feats + input * channels + column, width, buffer);
        Sum* y = sums + (output - first) * width;
        if (counts[output - first]++ == 0) copy(y, x, width);
        else combine<maximum>(y, x, width);
      };
      for (int64_t offset = 0; offset < call.pairs.volume; ++offset) {
        const auto& [start, stop, role] = call.pairs.lists[offset];
        if (role == PairLists::identity) {
          for (int64_t row = first; row < end; ++row) take(row, row);
          continue;
        }
        const bool output_first = role == PairLists::output_first;
        const int32_t* outputs = (output_first ? call.pairs.first : call.pairs.second) + start;
        const int32_t* inputs = (output_first ? call.pairs.second : call.pairs.first) + start;
        const int64_t count = stop - start;
        for (int64_t p = first_at_least(outputs, count, first); p < count && outputs[p] < end; ++p) {
          const int64_t later = p + ahead < count ? p + ahead : p;
          __builtin_prefetch(feats + inputs[later] * channels + column);
          take(inputs[p], outputs[p]);
        }
      }
      for (int64_t row = 0; row < end - first; ++row) {
        Sum* y = sums + row * width;
        const int64_t count = counts[row];
        if (count == 0)
          for (int64_t c = 0; c < width; ++c) y[c] = 0;
        else if (call.pooling == Pooling::mean && count > 1)
          for (int64_t c = 0; c < width; ++c) y[c] /= static_cast<Sum>(count);
        Rows::store(out + (first + row) * channels + column, y, width, buffer);
      }
    }
  });
}

template <class T> void pool(const SparsePoolCall& call) {
  if (call.pooling == Pooling::max) pool<T, true>(call);
  else pool<T, false>(call);
}

}  // namespace

void sparse_pool(const SparsePoolCall& call);
void sparse_pool(const SparsePoolCall& call) {
  if (call.wide) return pool<Float64>(call);
  switch (call.element) {
    case Element::float32: return pool<Float32>(call);
    case Element::bfloat16: return pool<Bfloat16>(call);
    case Element::float16: return pool<Float16>(call);
  }
}

}  // namespace tamis::TAMIS_ISA
