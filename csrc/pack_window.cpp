#include "pack_window.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "parallel.h"

namespace tamis {
namespace {

constexpr int lanes = WindowStep::lanes;

// The strips of a row in turn: each takes nonzeros from `entry` on until it is full or its window ends.
class RowStrips {
 public:
  RowStrips() = default;  // of no row: no strip
  RowStrips(const WindowSource& source, int64_t row)
      : col_(source.col), window_(source.window), entry_(source.crow[row]), end_(source.crow[row + 1]),
        last_base_(window_columns(source.k, source.window) - source.window) {}

  bool next() {
    first_ = entry_;
    if (entry_ == end_) return false;
    base_ = std::min<int64_t>(col_[entry_] / lanes * lanes, last_base_);
    while (entry_ < end_ && entry_ - first_ < lanes && col_[entry_] < base_ + window_) ++entry_;
    return true;
  }

  int64_t base() const { return base_; }
  int32_t first() const { return first_; }
  int32_t count() const { return entry_ - first_; }
  int32_t column(int i) const { return col_[first_ + i]; }

 private:
  const int32_t* col_ = nullptr;
  int32_t window_ = 0, entry_ = 0, end_ = 0, first_ = 0;
  int64_t last_base_ = 0, base_ = 0;
};

// The rows of a part in descending order of their strips, and these numbers.
struct PartOrder {
  int64_t first_row;
  int32_t rows;
  std::vector<int32_t> strips, order;

  PartOrder(const WindowSource& source, int64_t part)
      : first_row(part * source.part_rows),
        rows(static_cast<int32_t>(std::min<int64_t>(source.part_rows, source.m - first_row))), strips(rows), order(rows) {
    for (int32_t r = 0; r < rows; ++r)
      for (RowStrips strip(source, first_row + r); strip.next();) ++strips[r];
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t x, int32_t y) { return strips[x] > strips[y]; });
  }

  SpmmGroup group(int32_t first, int32_t part_rows) const {
    SpmmGroup group{};
    group.steps = static_cast<uint16_t>(strips[order[first]]);
    for (int lane = 0; lane < 4; ++lane)
      group.rows[lane] = static_cast<uint16_t>(first + lane < rows ? order[first + lane] : part_rows);
    return group;
  }
};

void fill_row(RowStrips strip, int lane, int32_t count, WindowStep* steps, int32_t* positions) {
  for (int32_t s = 0; s < count; ++s) {
    WindowStep& step = steps[s];
    int32_t* places = positions + (4 * s + lane) * lanes;
    const bool any = strip.next();
    step.base[lane] = static_cast<uint16_t>(any ? strip.base() / lanes : 0);
    step.mask[lane] = static_cast<uint16_t>((1u << strip.count()) - 1);
    for (int i = 0; i < lanes; ++i) {
      const bool stored = i < strip.count();
      step.ids[lane][i] = static_cast<uint8_t>(stored ? strip.column(i) - strip.base() : 0);
      places[i] = stored ? strip.first() + i : -1;
    }
  }
}

}  // namespace

void pack_window_count(const WindowSource& source, int64_t (*blocks)[2], int threads) {
  const int64_t parts = source.parts();
  parallel_for(parts, threads, [&](int64_t part, int) {
    const PartOrder order(source, part);
    blocks[part][0] = (order.rows + 3) / 4;
    blocks[part][1] = 0;
    for (int32_t g = 0; g < order.rows; g += 4) blocks[part][1] += order.strips[order.order[g]];
  });
  int64_t group = 0, step = 0;
  for (int64_t part = 0; part <= parts; ++part) {
    const int64_t groups = part < parts ? blocks[part][0] : 0, steps = part < parts ? blocks[part][1] : 0;
    blocks[part][0] = group;
    blocks[part][1] = step;
    group += groups;
    step += steps;
  }
}

void pack_window_fill(const WindowSource& source, const int64_t (*blocks)[2], SpmmGroup* groups, WindowStep* steps,
                      int32_t* positions, int threads) {
  parallel_for(source.parts(), threads, [&](int64_t part, int) {
    const PartOrder order(source, part);
    int64_t g = blocks[part][0], at = blocks[part][1];
    for (int32_t first = 0; first < order.rows; first += 4, ++g) {
      groups[g] = order.group(first, source.part_rows);
      for (int lane = 0; lane < 4; ++lane) {
        const bool real = first + lane < order.rows;
        const int64_t row = real ? order.first_row + order.order[first + lane] : -1;
        fill_row(real ? RowStrips(source, row) : RowStrips(), lane, groups[g].steps, steps + at, positions + at * 4 * lanes);
      }
      at += groups[g].steps;
    }
  });
}

}  // namespace tamis
