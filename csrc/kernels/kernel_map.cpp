// Kernel maps by merging sorted keys.
//
// The taps of one kernel column (equal dx, dy; z ascending) ask for consecutive keys, so one pointer into the sources
// serves them all; and because adding a constant keeps order, that pointer only ever moves forward while the targets
// ascend. A chunk of targets costs one binary search per column and then N + M steps, without a hash or a branch on hits.
// The hits of one tap ascend in both columns by themselves: the compacted lists come out of the search.
#include "kernels.h"
#include "parallel.h"
#include "simd.h"

namespace tamis::TAMIS_ISA {

namespace {

constexpr int max_taps = 16;  // of a column that is searched at once; longer columns are split

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

template <class Key> struct Column {
  const Key* sources;
  int64_t source_count;
  const Key* targets;
  Key anchor, step;
  int taps;
  uint64_t* hits[max_taps];  // (target, source) of each tap, in order
  int64_t counts[max_taps];

  // Sources are spaced at least `step` apart within a column, so that at most one lies between two taps.
  template <int fixed_taps> void merge_spaced(int64_t first, int64_t last) {
    uint64_t* out[fixed_taps];
    for (int t = 0; t < fixed_taps; ++t) out[t] = hits[t];
    int64_t p = lower_bound<Key>(sources, source_count, targets[first] + anchor);
    for (int64_t j = first; j < last; ++j) {
      Key wanted = targets[j] + anchor;
      p += sources[p] < wanted;  // most steps are 0 or 1: without a branch
      while (sources[p] < wanted) ++p;
      int64_t at = p;
#pragma GCC unroll 8
      for (int t = 0; t < fixed_taps; ++t) {
        const bool hit = sources[at] == wanted;
        *out[t] = pair(j, at);
        out[t] += hit;
        at += hit;
        wanted += step;
      }
    }
    for (int t = 0; t < fixed_taps; ++t) counts[t] = out[t] - hits[t];
  }

  // No assumption on the spacing, and pointers are checked: dilated kernels, and the last targets.
  void merge_any(int64_t first, int64_t last) {
    int64_t p = 0;
    for (int64_t j = first; j < last; ++j) {
      Key wanted = targets[j] + anchor;
      if (j == first) p = lower_bound(sources, source_count, wanted);
      while (p < source_count && sources[p] < wanted) ++p;
      int64_t at = p;
      for (int t = 0; t < taps; ++t, wanted += step) {
        while (at < source_count && sources[at] < wanted) ++at;
        if (at < source_count && sources[at] == wanted) hits[t][counts[t]++] = pair(j, at);
      }
    }
  }

  void run(int64_t first, int64_t last, bool spaced) {
    if (source_count == 0) return;
    // Targets whose last tap is not beyond the last source need no check of the pointer.
    const Key reach = sources[source_count - 1] - anchor - step * (taps - 1);
    int64_t safe = spaced ? first + lower_bound<Key>(targets + first, last - first, reach) : first;
    if (safe == first) return merge_any(first, last);
    switch (taps) {
      case 1: merge_spaced<1>(first, safe); break;
      case 2: merge_spaced<2>(first, safe); break;
      case 3: merge_spaced<3>(first, safe); break;
      case 5: merge_spaced<5>(first, safe); break;
      default: safe = first;
    }
    merge_any(safe, last);
  }
};

template <class Key> void search(const KernelMapSearch& call) {
  parallel_for(call.chunks, call.threads, [&](int64_t chunk, int) {
    const int64_t first = call.target_count * chunk / call.chunks;
    const int64_t last = call.target_count * (chunk + 1) / call.chunks;
    int64_t* counts = call.counts + chunk * call.offsets;
    for (int64_t o = 0; o < call.offsets; ++o) counts[o] = 0;
    for (int64_t o = 0; o < call.offsets;) {
      const int64_t left = call.column_taps - o % call.column_taps;
      int64_t taps = left < call.offsets - o ? left : call.offsets - o;
      if (taps > max_taps) taps = max_taps;
      Column<Key> column = {static_cast<const Key*>(call.sources), call.source_count,
                            static_cast<const Key*>(call.targets), static_cast<Key>(call.offset_keys[o]),
                            static_cast<Key>(call.step), static_cast<int>(taps), {}, {}};
      for (int64_t t = 0; t < taps; ++t) column.hits[t] = call.hits + (o + t) * call.target_count + first;
      column.run(first, last, call.spaced);
      for (int64_t t = 0; t < taps; ++t) counts[o + t] = column.counts[t];
      o += taps;
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
    int64_t g = 0;
    for (int64_t i = 0; i < count; ++i)
      while (g * PairLists::granule <= outputs[i]) mine[g++] = static_cast<int32_t>(i);
    while (g <= pairs.granules) mine[g++] = static_cast<int32_t>(count);
  });
}

}  // namespace tamis::TAMIS_ISA
