// From CSR or BSR to the order in which the SpMM kernels use a matrix. Runs once per plan.
#pragma once
#include <cstdint>

#include "kernels.h"

namespace tamis {

struct PackShape {
  int64_t m, k;
  int32_t part_rows, block_cols;  // part_rows a multiple of 4
  int64_t parts() const { return (m + part_rows - 1) / part_rows; }
  int64_t col_blocks() const { return k ? (k + block_cols - 1) / block_cols : 1; }
};

// The sparse matrix as rows of four: CSR as it is, or BSR whose block height is a multiple of four.
struct PackSource {
  const int32_t* crow;
  const int32_t* col;
  int32_t block_rows, block_cols;  // 1, 1 for CSR
  bool by_vectors() const { return block_rows != 1; }
};

// First pass: fills blocks[parts * col_blocks + 1][2] with the first group and first step of each (part, block).
void pack_count(const PackSource& source, const PackShape& shape, int64_t (*blocks)[2], int threads);

// Second pass: groups, ids (uint16 if wide, else uint8) and, for each of the four values of a step, where it comes from in
// the format's values (-1: padding).
void pack_fill(const PackSource& source, const PackShape& shape, const int64_t (*blocks)[2], SpmmGroup* groups, void* ids,
               bool wide_ids, int32_t* positions, int threads);

// packed[i] = positions[i] < 0 ? 0 : values[positions[i]], elements of `bytes` (1, 2 or 4). Returns whether all positions were in
// [-1, size); 0 is taken for the others.
bool pack_values(const int32_t* positions, int64_t count, const void* values, int64_t size, int bytes, void* packed, int threads);

// values[positions[i]] = packed[i] where positions[i] >= 0, elements of `bytes` (2 or 4); values of other positions stay. Positions are
// distinct. Returns as pack_values.
bool unpack_values(const int32_t* positions, int64_t count, const void* packed, int bytes, void* values, int64_t size, int threads);

}  // namespace tamis
