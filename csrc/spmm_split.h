// How an SpMM is cut into the units that threads take.
#pragma once
#include <cstdint>

namespace tamis {

// How many parts of rows a unit takes: the fewer, the more evenly threads are loaded; the more, the fewer slices of B
// are made. The cost model asks the same function.
int64_t parts_of_unit(int64_t panels, int64_t parts, int64_t part_rows, int64_t threads);

}  // namespace tamis
