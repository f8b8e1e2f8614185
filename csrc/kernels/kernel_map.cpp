// Kernel maps by merging sorted keys.
//
// The taps of one kernel column (equal dx, dy; z ascending) ask for consecutive keys, so one pointer into the sources
// serves them all; and because adding a constant keeps order, that pointer only ever moves forward while the targets
// ascend. A chunk of targets costs one binary search per column and then N + M steps, without a hash or a branch on hits.
// The hits of one tap ascend in both columns by themselves: the compacted lists come out of the search.
#include "kernels.h"
#include "key_window.h"
#include "parallel.h"
#include "simd.h"

namespace tamis::TAMIS_ISA {

namespace {

constexpr int max_taps = 8;     // of a column that is searched at once; longer columns are split
constexpr int max_columns = 4;  // that are searched at once: their pointers do not wait for each other

template <class Key> TAMIS_INLINE int64_t lower_bound(const Key* keys, int64_t count, Key wanted) {
  int64_t low = 0;
  while (count > 0) {
    const int64_t half = count / 2;
    const bool below = keys[low + half] < wanted;
    low = below ? low + half + 1 : low;
    count = below ? count - half - 1 : half;
  }
  return low;
}

TAMIS_INLINE uint64_t pair(int64_t target, int64_t source) {
  return static_cast<uint64_t>(static_cast<uint32_t>(target)) | static_cast<uint64_t>(source) << 32;
}

// Where the first of some consecutive taps belongs among the sources, and which taps are there.
template <int taps> struct Found {
  int64_t at;
  bool hit[taps];
};

// Moves `at` forward to the first source that is not below `wanted`. Windows do it without a branch that could be foreseen
// wrongly; they read up to a vector of sources from there.
template <int taps, class Key>
TAMIS_INLINE Found<taps> find(const Key* source, int64_t at, Key wanted, Key step) {
  using Window = KeyWindow<Key>;
  Found<taps> found;
  if constexpr (Window::width >= 2 * taps) {
    Window window = Window::load(source + at);
    int below = window.below(wanted);
    found.at = at + below;
    while (below + taps > Window::width) {
      window = Window::load(source + found.at);
      below = window.below(wanted);
      found.at += below;
    }
#pragma GCC unroll 8
    for (int t = 0; t < taps; ++t, wanted += step) found.hit[t] = window.holds(wanted);
  } else {
    at += source[at] < wanted;  // most steps are 0 or 1: without a branch
    while (source[at] < wanted) ++at;
    found.at = at;
#pragma GCC unroll 8
    for (int t = 0; t < taps; ++t, wanted += step) at += found.hit[t] = source[at] == wanted;
  }
  return found;
}

template <class Key> struct Chunk {
  const KernelMapSearch& call;
  int64_t first, last;  // targets
  int64_t* counts;      // [offsets]

  const Key* sources() const { return static_cast<const Key*>(call.sources); }
  const Key* targets() const { return static_cast<const Key*>(call.targets); }
  uint64_t* hits(int64_t offset) const { return call.hits + offset * call.target_count + first; }

  // `columns` columns of `taps` taps from `offset` on. Sources are spaced at least `step` apart within a column, so that
  // at most one lies between two taps; and no wanted key lies beyond the last source, so that pointers need no check.
  template <int taps, int columns> void merge_spaced(int64_t offset, int64_t end) const {
    const Key *source = sources(), *target = targets();
    const Key step = static_cast<Key>(call.step);
    Key anchor[columns];
    int64_t at[columns];
    uint64_t* out[columns][taps];
    for (int c = 0; c < columns; ++c) {
      anchor[c] = static_cast<Key>(call.offset_keys[offset + c * taps]);
      at[c] = lower_bound<Key>(source, call.source_count, target[first] + anchor[c]);
      for (int t = 0; t < taps; ++t) out[c][t] = hits(offset + c * taps + t);
    }
    for (int64_t j = first; j < end; ++j) {
#pragma GCC unroll 4
      for (int c = 0; c < columns; ++c) {
        Key wanted = target[j] + anchor[c];
        const Found<taps> found = find<taps>(source, at[c], wanted, step);
        int64_t p = at[c] = found.at;
#pragma GCC unroll 8
        for (int t = 0; t < taps; ++t) {
          *out[c][t] = pair(j, p);
          out[c][t] += found.hit[t];
          p += found.hit[t];
        }
      }
    }
    for (int c = 0; c < columns; ++c)
      for (int t = 0; t < taps; ++t) counts[offset + c * taps + t] = out[c][t] - hits(offset + c * taps + t);
  }

  // One column, no assumption on the spacing, and pointers are checked: dilated kernels, and the last targets.
  void merge_any(int64_t offset, int64_t taps, int64_t begin) const {
    const Key *source = sources(), *target = targets();
    int64_t p = -1;
    for (int64_t j = begin; j < last; ++j) {
      Key wanted = target[j] + static_cast<Key>(call.offset_keys[offset]);
      if (p < 0) p = lower_bound<Key>(source, call.source_count, wanted);
      while (p < call.source_count && source[p] < wanted) ++p;
      int64_t at = p;
      for (int64_t t = 0; t < taps; ++t, wanted += static_cast<Key>(call.step)) {
        while (at < call.source_count && source[at] < wanted) ++at;
        if (at < call.source_count && source[at] == wanted) hits(offset + t)[counts[offset + t]++] = pair(j, at);
      }
    }
  }

  template <int taps> void merge_columns(int64_t offset, int64_t columns, int64_t end) const {
    switch (columns) {
      case 4: return merge_spaced<taps, 4>(offset, end);
      case 3: return merge_spaced<taps, 3>(offset, end);
      case 2: return merge_spaced<taps, 2>(offset, end);
      default: return merge_spaced<taps, 1>(offset, end);
    }
  }

  // The first target whose wanted keys may lie beyond the last window of sources, in one of the columns.
  int64_t checked_from(int64_t offset, int64_t taps, int64_t columns) const {
    constexpr int64_t window = KeyWindow<Key>::width > 1 ? KeyWindow<Key>::width : 1;
    if (call.source_count < window) return first;
    int64_t end = last;
    for (int64_t c = 0; c < columns; ++c) {
      const Key reach = sources()[call.source_count - window] - static_cast<Key>(call.offset_keys[offset + c * taps]) -
                        static_cast<Key>(call.step * (taps - 1));
      const int64_t here = first + lower_bound<Key>(targets() + first, last - first, reach);
      end = here < end ? here : end;
    }
    return end;
  }

  void run(int64_t offset, int64_t taps, int64_t columns) const {
    int64_t end = call.spaced ? checked_from(offset, taps, columns) : first;
    if (end > first) switch (taps) {
      case 1: merge_columns<1>(offset, columns, end); break;
      case 2: merge_columns<2>(offset, columns, end); break;
      case 3: merge_columns<3>(offset, columns, end); break;
      case 5: merge_columns<5>(offset, columns, end); break;
      default: end = first;
    }
    for (int64_t c = 0; c < columns; ++c) merge_any(offset + c * taps, taps, end);
  }
};

template <class Key> void search(const KernelMapSearch& call) {
  parallel_for(call.chunks, call.threads, [&](int64_t index, int) {
    const Chunk<Key> chunk = {call, call.target_count * index / call.chunks, call.target_count * (index + 1) / call.chunks,
                              call.counts + index * call.offsets};
    for (int64_t o = 0; o < call.offsets; ++o) chunk.counts[o] = 0;
    if (call.source_count == 0 || chunk.first == chunk.last) return;
    for (int64_t o = 0; o < call.offsets;) {
      const int64_t in_column = call.column_taps - o % call.column_taps, left = call.offsets - o;
      int64_t taps = in_column < left ? in_column : left, columns = 1;
      if (taps > max_taps) taps = max_taps;
      else if (taps == call.column_taps) columns = left / taps < max_columns ? left / taps : max_columns;
      chunk.run(o, taps, columns);
      o += taps * columns;
    }
  });
}

}  // namespace

void kernel_map_search(const KernelMapSearch& call);
void kernel_map_search(const KernelMapSearch& call) {
  if (call.wide_keys) search<int64_t>(call);
  else search<int32_t>(call);
}

// Moves the hits of all chunks together, offset by offset, as two columns.
void kernel_map_gather(const KernelMapSearch& call, int32_t* target_rows, int32_t* source_rows);
void kernel_map_gather(const KernelMapSearch& call, int32_t* target_rows, int32_t* source_rows) {
  parallel_for(call.offsets, call.threads, [&](int64_t offset, int) {
    int64_t at = 0;
    for (int64_t o = 0; o < offset; ++o)
      for (int64_t chunk = 0; chunk < call.chunks; ++chunk) at += call.counts[chunk * call.offsets + o];
    for (int64_t chunk = 0; chunk < call.chunks; ++chunk) {
      const uint64_t* hits = call.hits + offset * call.target_count + call.target_count * chunk / call.chunks;
      const int64_t count = call.counts[chunk * call.offsets + offset];
      for (int64_t i = 0; i < count; ++i) {
        target_rows[at + i] = static_cast<int32_t>(hits[i]);
        source_rows[at + i] = static_cast<int32_t>(hits[i] >> 32);
      }
      at += count;
    }
  });
}

namespace {

// How many of the next outputs, ascending and distinct, lie below `end`: at most a granule of them, so all are compared.
template <class Row> TAMIS_INLINE int64_t granule_pairs(const Row* outputs, int64_t left, int64_t end) {
  using Window = KeyWindow<Row>;
  const Row key = static_cast<Row>(end);
  int32_t below = 0;
  if constexpr (Window::width > 0) {
    if (left >= PairLists::granule) {
#pragma GCC unroll 8
      for (int64_t i = 0; i < PairLists::granule; i += Window::width) below += Window::load(outputs + i).below(key);
      return below;
    }
  }
  for (int64_t i = 0; i < left && i < PairLists::granule; ++i) below += outputs[i] < key;
  return below;
}

}  // namespace

// cuts[o][g] = position in list o of the first pair whose output row is >= g * granule.
void kernel_map_cuts(const PairLists& pairs, int64_t rows, int32_t* cuts, int32_t threads);
void kernel_map_cuts(const PairLists& pairs, int64_t rows, int32_t* cuts, int32_t threads) {
  parallel_for(pairs.volume, threads, [&](int64_t offset, int) {
    const auto& [start, stop, role] = pairs.lists[offset];
    int32_t* mine = cuts + offset * (pairs.granules + 1);
    if (role == PairLists::identity) {
      for (int64_t g = 0; g <= pairs.granules; ++g)
        mine[g] = static_cast<int32_t>(g * PairLists::granule < rows ? g * PairLists::granule : rows);
      return;
    }
    const int32_t* outputs = (role == PairLists::output_first ? pairs.first : pairs.second) + start;
    const int64_t count = stop - start;
    int64_t at = 0;
    for (int64_t g = 0; g <= pairs.granules; ++g) {
      mine[g] = static_cast<int32_t>(at);
      at += granule_pairs(outputs + at, count - at, (g + 1) * PairLists::granule);
    }
  });
}

}  // namespace tamis::TAMIS_ISA
