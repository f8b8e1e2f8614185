// From CSR to the strips of csrc/kernels/spmv_window.cpp. Runs once per plan.
#pragma once
#include <cstdint>

#include "kernels.h"

namespace tamis {

struct WindowSource {
  const int32_t* crow;
  const int32_t* col;
  int64_t m, k;
  int32_t part_rows, window;
  int64_t parts() const { return (m + part_rows - 1) / part_rows; }
};

// First pass: fills blocks[parts + 1][2] with the first group and first step of each part.
void pack_window_count(const WindowSource& source, int64_t (*blocks)[2], int threads);

// Second pass: groups, steps and, for each lane of each strip, where its value comes from in the format's values
// (-1: none).
void pack_window_fill(const WindowSource& source, const int64_t (*blocks)[2], SpmmGroup* groups, WindowStep* steps,
                      int32_t* positions, int threads);

}  // namespace tamis
