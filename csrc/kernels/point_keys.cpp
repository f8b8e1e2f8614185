// Points in metres to the keys of their cells, and the rows of known keys at points.
//
// cell = floor(point / size), in float64. A known key is found in two steps: its high bits name a bucket, the few keys of
// which are bisected. Points come in groups whose steps are taken together, so that their cache misses overlap.
#include "kernels.h"
#include "parallel.h"
#include "simd.h"

namespace tamis::TAMIS_ISA {

namespace {

constexpr int64_t unit_points = 4096;  // a unit of work
constexpr int64_t group = 32;          // keys that are looked for together

TAMIS_INLINE int64_t units_of(int64_t points) { return (points + unit_points - 1) / unit_points; }

// For |value| < 2**62.
TAMIS_INLINE int64_t floor_of(double value) {
  const auto whole = static_cast<int64_t>(value);
  return whole - (static_cast<double>(whole) > value);
}

// Finite: inf - inf and NaN - NaN are NaN.
TAMIS_INLINE bool is_finite(double value) { return value - value == 0; }

template <class Real> struct Points {
  const PointGrid& grid;
  TAMIS_INLINE double metres(int64_t point, int axis) const {
    return static_cast<double>(static_cast<const Real*>(grid.points)[point * 3 + axis]);
  }
  TAMIS_INLINE double cells(int64_t point, int axis) const { return metres(point, axis) / grid.size[axis]; }
  TAMIS_INLINE int64_t batch(int64_t point) const { return grid.batch ? grid.batch[point] : 0; }
};

struct Fields {
  int32_t shift[4];  // batch, x, y, z
  explicit Fields(const PointGrid& grid)
      : shift{grid.bits[1] + grid.bits[2] + grid.bits[3], grid.bits[2] + grid.bits[3], grid.bits[3], 0} {}
};

// range of a chunk: lowest cell along x, y, z, highest, points that are NaN or infinite.
template <class Real> void ranges(const PointGrid& grid, int64_t chunks, double* range) {
  const Points<Real> points = {grid};
  parallel_for(chunks, grid.threads, [&](int64_t chunk, int) {
    const double infinity = __builtin_inf();
    double low[3] = {infinity, infinity, infinity}, high[3] = {-infinity, -infinity, -infinity}, bad = 0;
    for (int64_t p = grid.count * chunk / chunks; p < grid.count * (chunk + 1) / chunks; ++p) {
      bool finite = true;
      for (int axis = 0; axis < 3; ++axis) {
        finite &= is_finite(points.metres(p, axis));
        const double cell = points.cells(p, axis);
        low[axis] = cell < low[axis] ? cell : low[axis];
        high[axis] = cell > high[axis] ? cell : high[axis];
      }
      bad += !finite;
    }
    double* mine = range + chunk * 7;
    for (int axis = 0; axis < 3; ++axis) mine[axis] = low[axis], mine[3 + axis] = high[axis];
    mine[6] = bad;
  });
}

template <class Real, class Key> void keys_of(const PointGrid& grid, Key* keys) {
  const Points<Real> points = {grid};
  const Fields fields(grid);
  parallel_for(units_of(grid.count), grid.threads, [&](int64_t unit, int) {
    const int64_t first = unit * unit_points, end = first + unit_points < grid.count ? first + unit_points : grid.count;
    for (int64_t p = first; p < end; ++p) {
      int64_t key = points.batch(p) << fields.shift[0];
      for (int axis = 0; axis < 3; ++axis)
        key += (floor_of(points.cells(p, axis)) * grid.stride[axis] + grid.bias[axis]) << fields.shift[axis + 1];
      keys[p] = static_cast<Key>(key);
    }
  });
}

// The rows of up to `group` keys, -1 for one that is not known or negative.
template <class Key> void find(const KeyIndex& index, const int64_t* wanted, int64_t count, int32_t* rows) {
  const auto* keys = static_cast<const Key*>(index.keys);
  int32_t low[group], high[group];
  for (int64_t i = 0; i < count; ++i) {
    const int64_t bucket = wanted[i] >> index.shift;
    if (wanted[i] >= 0 && bucket < index.bucket_count) __builtin_prefetch(index.buckets + bucket);
  }
  for (int64_t i = 0; i < count; ++i) {
    const int64_t bucket = wanted[i] >> index.shift;
    const bool known = wanted[i] >= 0 && bucket < index.bucket_count;
    low[i] = known ? index.buckets[bucket] : 0;
    high[i] = known ? index.buckets[bucket + 1] : 0;
    __builtin_prefetch(keys + (low[i] + high[i]) / 2);
  }
  for (int64_t i = 0; i < count; ++i) {
    int32_t at = low[i], left = high[i] - low[i];
    while (left > 1) {
      const int32_t half = left / 2;
      at = static_cast<int64_t>(keys[at + half]) <= wanted[i] ? at + half : at;
      left -= half;
    }
    rows[i] = left == 1 && static_cast<int64_t>(keys[at]) == wanted[i] ? at : -1;
    if (index.order && rows[i] >= 0) rows[i] = index.order[rows[i]];
  }
}

// A field in its place in the key, and whether it fits into its bits; 0 if not.
TAMIS_INLINE bool place_field(const PointGrid& grid, const Fields& fields, int axis, double cell, int64_t& placed) {
  constexpr double farthest = 4294967296.0;  // beyond all int32 coordinates
  placed = 0;
  if (!(cell > -farthest && cell < farthest)) return false;
  const int64_t field = floor_of(cell) * grid.stride[axis] + grid.bias[axis];
  if (field < 0 || field >= (int64_t{1} << grid.bits[axis + 1])) return false;
  placed = field << fields.shift[axis + 1];
  return true;
}

TAMIS_INLINE bool place_batch(const PointGrid& grid, const Fields& fields, int64_t batch, int64_t& placed) {
  const bool fits = batch >= 0 && batch < (int64_t{1} << grid.bits[0]);
  placed = fits ? batch << fields.shift[0] : 0;
  return fits;
}

template <class Real, class Key> void rows_at(const PointGrid& grid, const KeyIndex& index, int32_t* rows) {
  const Points<Real> points = {grid};
  const Fields fields(grid);
  parallel_for(units_of(grid.count), grid.threads, [&](int64_t unit, int) {
    const int64_t first = unit * unit_points, end = first + unit_points < grid.count ? first + unit_points : grid.count;
    for (int64_t p = first; p < end; p += group) {
      int64_t wanted[group];
      const int64_t count = end - p < group ? end - p : group;
      for (int64_t i = 0; i < count; ++i) {
        int64_t key, part;
        bool inside = place_batch(grid, fields, points.batch(p + i), key);
        for (int axis = 0; axis < 3; ++axis) {
          inside &= place_field(grid, fields, axis, points.cells(p + i, axis), part);
          key += part;
        }
        wanted[i] = inside ? key : -1;
      }
      find<Key>(index, wanted, count, rows + p);
    }
  });
}

// The eight cells whose centres surround a point, x outermost and z innermost, and their weights: 0 for those that are not
// known, whose row is then that of another corner; else they add up to 1. All rows are -1 where no corner is known.
template <class Real, class Key>
void corners_at(const PointGrid& grid, const KeyIndex& index, int32_t* rows, double* weights) {
  constexpr int64_t corners = 8, together = group / corners;
  const Points<Real> points = {grid};
  const Fields fields(grid);
  parallel_for(units_of(grid.count), grid.threads, [&](int64_t unit, int) {
    const int64_t first = unit * unit_points, end = first + unit_points < grid.count ? first + unit_points : grid.count;
    for (int64_t p = first; p < end; p += together) {
      int64_t wanted[group];
      double shares[group];
      const int64_t count = end - p < together ? end - p : together;
      for (int64_t i = 0; i < count; ++i) {
        int64_t batch;
        const bool batch_inside = place_batch(grid, fields, points.batch(p + i), batch);
        bool inside[3][2];
        int64_t part[3][2];
        double share[3][2];
        for (int axis = 0; axis < 3; ++axis) {
          const double place = points.cells(p + i, axis) - 0.5;
          const double far = place > -1e15 && place < 1e15 ? static_cast<double>(floor_of(place)) : place;
          for (int step = 0; step < 2; ++step) {
            const double away = place - (far + step);
            share[axis][step] = 1 - (away < 0 ? -away : away);
            inside[axis][step] = place_field(grid, fields, axis, far + step, part[axis][step]);
          }
        }
        for (int corner = 0; corner < corners; ++corner) {
          const int x = corner >> 2, y = corner >> 1 & 1, z = corner & 1;
          const bool fits = batch_inside && inside[0][x] && inside[1][y] && inside[2][z];
          const int64_t key = batch + part[0][x] + part[1][y] + part[2][z];
          wanted[i * corners + corner] = fits ? key : -1;
          shares[i * corners + corner] = share[0][x] * share[1][y] * share[2][z];
        }
      }
      int32_t* found = rows + p * corners;
      find<Key>(index, wanted, count * corners, found);
      for (int64_t i = 0; i < count; ++i) {
        int32_t any = -1;
        double total = 0;
        for (int corner = 0; corner < corners; ++corner)
          if (found[i * corners + corner] >= 0 && shares[i * corners + corner] > 0) {
            any = found[i * corners + corner];
            total += shares[i * corners + corner];
          }
        for (int corner = 0; corner < corners; ++corner) {
          const int64_t at = i * corners + corner;
          const bool counts = found[at] >= 0 && shares[at] > 0;
          weights[p * corners + at] = counts ? shares[at] / total : 0;
          if (!counts) found[at] = any;
        }
      }
    }
  });
}

}  // namespace

void point_range(const PointGrid& grid, int64_t chunks, double* range);
void point_range(const PointGrid& grid, int64_t chunks, double* range) {
  if (grid.wide_points) ranges<double>(grid, chunks, range);
  else ranges<float>(grid, chunks, range);
}

void point_keys(const PointGrid& grid, void* keys);
void point_keys(const PointGrid& grid, void* keys) {
  if (grid.wide_keys) {
    if (grid.wide_points) keys_of<double>(grid, static_cast<int64_t*>(keys));
    else keys_of<float>(grid, static_cast<int64_t*>(keys));
  } else {
    if (grid.wide_points) keys_of<double>(grid, static_cast<int32_t*>(keys));
    else keys_of<float>(grid, static_cast<int32_t*>(keys));
  }
}

void point_rows(const PointGrid& grid, const KeyIndex& index, int32_t* rows);
void point_rows(const PointGrid& grid, const KeyIndex& index, int32_t* rows) {
  if (grid.wide_keys) {
    if (grid.wide_points) rows_at<double, int64_t>(grid, index, rows);
    else rows_at<float, int64_t>(grid, index, rows);
  } else {
    if (grid.wide_points) rows_at<double, int32_t>(grid, index, rows);
    else rows_at<float, int32_t>(grid, index, rows);
  }
}

void point_corners(const PointGrid& grid, const KeyIndex& index, int32_t* rows, double* weights);
void point_corners(const PointGrid& grid, const KeyIndex& index, int32_t* rows, double* weights) {
  if (grid.wide_keys) {
    if (grid.wide_points) corners_at<double, int64_t>(grid, index, rows, weights);
    else corners_at<float, int64_t>(grid, index, rows, weights);
  } else {
    if (grid.wide_points) corners_at<double, int32_t>(grid, index, rows, weights);
    else corners_at<float, int32_t>(grid, index, rows, weights);
  }
}

}  // namespace tamis::TAMIS_ISA
