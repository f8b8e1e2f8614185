#include "pack_spmm.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "parallel.h"

namespace tamis {
namespace {

// One part of a CSR matrix, block by block: where each row's entries begin, and how many fall into the block.
class CsrPart {
 public:
  CsrPart(const PackSource& source, const PackShape& shape, int64_t part)
      : source_(source), shape_(shape), first_row_(part * shape.part_rows),
        rows_(static_cast<int32_t>(std::min<int64_t>(shape.part_rows, shape.m - first_row_))),
        begin_(rows_), count_(rows_), order_(rows_), bucket_(static_cast<size_t>(shape.block_cols) + 2) {
    for (int32_t r = 0; r < rows_; ++r) begin_[r] = source.crow[first_row_ + r];
  }

  // Calls emit(group, visit) for each group of the block, most steps first; visit(step, lane) -> entry or -1.
  template <class Emit> void block(int64_t index, Emit&& emit) {
    const int64_t end = std::min<int64_t>((index + 1) * shape_.block_cols, shape_.k);
    for (int32_t r = 0; r < rows_; ++r) {
      const int32_t last = source_.crow[first_row_ + r + 1];
      int32_t e = begin_[r];
      while (e < last && source_.col[e] < end) ++e;
      count_[r] = e - begin_[r];
    }
    sort_rows();
    const bool must = index == 0 || index == shape_.col_blocks() - 1;  // first: writes the sums; last: writes C
    for (int32_t g = 0; g < rows_; g += 4) {
      SpmmGroup group{};
      group.steps = static_cast<uint16_t>(count_[order_[g]]);
      if (!group.steps && !must) break;
      for (int lane = 0; lane < 4; ++lane)
        group.rows[lane] = static_cast<uint16_t>(g + lane < rows_ ? order_[g + lane] : shape_.part_rows);
      emit(group, [&](int32_t step, int lane) -> int32_t {
        if (g + lane >= rows_) return -1;
        const int32_t row = order_[g + lane];
        return step < count_[row] ? begin_[row] + step : -1;
      });
    }
    for (int32_t r = 0; r < rows_; ++r) begin_[r] += count_[r];
  }

 private:
  // Descending by count, rows of equal count in their own order: groups of four then need little padding, and the trip
  // counts of the inner loop repeat, which the branch predictor likes.
  void sort_rows() {
    std::fill(bucket_.begin(), bucket_.end(), 0);
    for (int32_t c : count_) ++bucket_[shape_.block_cols - c + 1];
    for (size_t i = 1; i < bucket_.size(); ++i) bucket_[i] += bucket_[i - 1];
    for (int32_t r = 0; r < rows_; ++r) order_[bucket_[shape_.block_cols - count_[r]]++] = r;
  }

  const PackSource& source_;
  const PackShape& shape_;
  int64_t first_row_;
  int32_t rows_;
  std::vector<int32_t> begin_, count_, order_, bucket_;
};

// One part of a BSR matrix as groups of four rows that share their columns.
class BsrPart {
 public:
  BsrPart(const PackSource& source, const PackShape& shape, int64_t part)
      : source_(source), shape_(shape), first_row_(part * shape.part_rows),
        rows_(static_cast<int32_t>(std::min<int64_t>(shape.part_rows, shape.m - first_row_))),
        begin_(rows_ / 4), end_(rows_ / 4), order_(rows_ / 4) {
    for (int32_t g = 0; g < rows_ / 4; ++g) end_[g] = first_entry(g);
  }

  // visit(step, lane) -> element of the values; column(step) -> column in the matrix.
  template <class Emit> void block(int64_t index, Emit&& emit) {
    const int64_t stop = std::min<int64_t>((index + 1) * shape_.block_cols, shape_.k);
    for (int32_t g = 0; g < rows_ / 4; ++g) {
      begin_[g] = end_[g];
      const int64_t last = static_cast<int64_t>(source_.crow[block_row(g) + 1]) * source_.block_cols;
      while (end_[g] < last && column(end_[g]) < stop) ++end_[g];
      order_[g] = g;
    }
    std::stable_sort(order_.begin(), order_.end(),
                     [&](int32_t x, int32_t y) { return end_[x] - begin_[x] > end_[y] - begin_[y]; });
    const bool must = index == 0 || index == shape_.col_blocks() - 1;
    for (int32_t g : order_) {
      SpmmGroup group{};
      group.steps = static_cast<uint16_t>(end_[g] - begin_[g]);
      if (!group.steps && !must) break;
      for (int lane = 0; lane < 4; ++lane) group.rows[lane] = static_cast<uint16_t>(4 * g + lane);
      const int64_t row_in_block = (first_row_ + 4 * g) % source_.block_rows;
      emit(
          group,
          [&](int32_t step, int lane) -> int32_t {
            const int64_t virtual_entry = begin_[g] + step;
            const int64_t entry = virtual_entry / source_.block_cols, within = virtual_entry % source_.block_cols;
            return static_cast<int32_t>((entry * source_.block_rows + row_in_block + lane) * source_.block_cols + within);
          },
          [&](int32_t step) { return column(begin_[g] + step); });
    }
  }

 private:
  // A virtual entry is one column of a block: entry * block_cols + column within the block.
  int64_t column(int64_t virtual_entry) const {
    return static_cast<int64_t>(source_.col[virtual_entry / source_.block_cols]) * source_.block_cols +
           virtual_entry % source_.block_cols;
  }
  int64_t block_row(int32_t g) const { return (first_row_ + 4 * g) / source_.block_rows; }
  int64_t first_entry(int32_t g) const { return static_cast<int64_t>(source_.crow[block_row(g)]) * source_.block_cols; }

  const PackSource& source_;
  const PackShape& shape_;
  int64_t first_row_;
  int32_t rows_;
  std::vector<int64_t> begin_, end_;
  std::vector<int32_t> order_;
};

template <class Part>
void count_part(const PackSource& source, const PackShape& shape, int64_t part, int64_t (*blocks)[2]) {
  Part p(source, shape, part);
  for (int64_t index = 0; index < shape.col_blocks(); ++index) {
    int64_t(&here)[2] = blocks[part * shape.col_blocks() + index];
    here[0] = here[1] = 0;
    p.block(index, [&](const SpmmGroup& group, auto&&...) {
      ++here[0];
      here[1] += group.steps;
    });
  }
}

template <class Id>
void fill_csr_part(const PackSource& source, const PackShape& shape, int64_t part, const int64_t (*blocks)[2],
                   SpmmGroup* groups, Id* ids, int32_t* positions) {
  CsrPart p(source, shape, part);
  for (int64_t index = 0; index < shape.col_blocks(); ++index) {
    auto [g, at] = blocks[part * shape.col_blocks() + index];
    const int64_t first_col = index * shape.block_cols;
    p.block(index, [&, g = g, at = at * 4](const SpmmGroup& group, auto&& entry_of) mutable {
      groups[g++] = group;
      for (int32_t step = 0; step < group.steps; ++step)
        for (int lane = 0; lane < 4; ++lane, ++at) {
          const int32_t entry = entry_of(step, lane);
          positions[at] = entry;
          ids[at] = static_cast<Id>(entry < 0 ? shape.block_cols : source.col[entry] - first_col);
        }
    });
  }
}

template <class Id>
void fill_bsr_part(const PackSource& source, const PackShape& shape, int64_t part, const int64_t (*blocks)[2],
                   SpmmGroup* groups, Id* ids, int32_t* positions) {
  BsrPart p(source, shape, part);
  for (int64_t index = 0; index < shape.col_blocks(); ++index) {
    auto [g, at] = blocks[part * shape.col_blocks() + index];
    const int64_t first_col = index * shape.block_cols;
    p.block(index, [&, g = g, at = at](const SpmmGroup& group, auto&& element_of, auto&& column_of) mutable {
      groups[g++] = group;
      for (int32_t step = 0; step < group.steps; ++step, ++at) {
        ids[at] = static_cast<Id>(column_of(step) - first_col);
        for (int lane = 0; lane < 4; ++lane) positions[4 * at + lane] = element_of(step, lane);
      }
    });
  }
}

template <class Id>
void fill(const PackSource& source, const PackShape& shape, const int64_t (*blocks)[2], SpmmGroup* groups, Id* ids,
          int32_t* positions, int threads) {
  parallel_for(shape.parts(), threads, [&](int64_t part, int) {
    if (source.by_vectors()) fill_bsr_part(source, shape, part, blocks, groups, ids, positions);
    else fill_csr_part(source, shape, part, blocks, groups, ids, positions);
  });
}

// Calls body(i, position), position being `size` or more where there is none. Returns whether all of those were -1.
template <class Body> bool for_positions(const int32_t* positions, int64_t count, int64_t size, int threads, Body&& body) {
  constexpr int64_t chunk = 1 << 15;
  std::atomic<bool> inside{true};
  parallel_for((count + chunk - 1) / chunk, threads, [&](int64_t unit, int) {
    const int64_t end = std::min(count, (unit + 1) * chunk);
    bool stray = false;
    for (int64_t i = unit * chunk; i < end; ++i) {
      const int64_t position = static_cast<uint32_t>(positions[i]);  // -1 becomes the largest of all
      body(i, position);
      stray |= position >= size && positions[i] != -1;
    }
    if (stray) inside = false;
  });
  return inside;
}

template <class T> bool gather(const int32_t* positions, int64_t count, const void* values, int64_t size, void* packed, int threads) {
  const auto* from = static_cast<const T*>(values);
  auto* to = static_cast<T*>(packed);
  return for_positions(positions, count, size, threads,
                       [=](int64_t i, int64_t position) { to[i] = position < size ? from[position] : T{}; });
}

template <class T> bool scatter(const int32_t* positions, int64_t count, const void* packed, void* values, int64_t size, int threads) {
  const auto* from = static_cast<const T*>(packed);
  auto* to = static_cast<T*>(values);
  return for_positions(positions, count, size, threads, [=](int64_t i, int64_t position) {
    if (position < size) to[position] = from[i];
  });
}

}  // namespace

void pack_count(const PackSource& source, const PackShape& shape, int64_t (*blocks)[2], int threads) {
  parallel_for(shape.parts(), threads, [&](int64_t part, int) {
    if (source.by_vectors()) count_part<BsrPart>(source, shape, part, blocks);
    else count_part<CsrPart>(source, shape, part, blocks);
  });
  int64_t group = 0, step = 0;
  const int64_t total = shape.parts() * shape.col_blocks();
  for (int64_t i = 0; i <= total; ++i) {
    const int64_t groups = i < total ? blocks[i][0] : 0, steps = i < total ? blocks[i][1] : 0;
    blocks[i][0] = group;
    blocks[i][1] = step;
    group += groups;
    step += steps;
  }
}

void pack_fill(const PackSource& source, const PackShape& shape, const int64_t (*blocks)[2], SpmmGroup* groups, void* ids,
               bool wide_ids, int32_t* positions, int threads) {
  if (wide_ids) fill(source, shape, blocks, groups, static_cast<uint16_t*>(ids), positions, threads);
  else fill(source, shape, blocks, groups, static_cast<uint8_t*>(ids), positions, threads);
}

bool pack_values(const int32_t* positions, int64_t count, const void* values, int64_t size, int bytes, void* packed,
                 int threads) {
  if (bytes == 4) return gather<float>(positions, count, values, size, packed, threads);
  if (bytes == 2) return gather<uint16_t>(positions, count, values, size, packed, threads);
  return gather<int8_t>(positions, count, values, size, packed, threads);
}

bool unpack_values(const int32_t* positions, int64_t count, const void* packed, int bytes, void* values, int64_t size,
                   int threads) {
  if (bytes == 4) return scatter<float>(positions, count, packed, values, size, threads);
  return scatter<uint16_t>(positions, count, packed, values, size, threads);
}

}  // namespace tamis
