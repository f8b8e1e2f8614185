#include "spmm_split.h"

namespace tamis {

// Counted in rows, a slice being worth some of them; sums of more than `most_rows` would leave L2.
int64_t parts_of_unit(int64_t panels, int64_t parts, int64_t part_rows, int64_t threads) {
  constexpr int64_t slice_rows = 64, most_rows = 1024;
  int64_t best = 1, least = INT64_MAX;
  for (int64_t taken = 1; taken <= parts && (taken == 1 || taken * part_rows <= most_rows); ++taken) {
    const int64_t units = panels * ((parts + taken - 1) / taken);
    const int64_t rows = (units + threads - 1) / threads * (taken * part_rows + slice_rows);
    if (rows > least) continue;
    best = taken;
    least = rows;
  }
  return best;
}

}  // namespace tamis
