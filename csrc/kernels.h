// The table of contents of the native kernels: one function pointer per kernel, filled once per instruction set.
//
// Plain pointers and numbers only. Sizes are in elements, leading dimensions in elements, all buffers belong to the
// caller, and the caller has checked every index.
#pragma once
#include <cstdint>

namespace tamis {

enum class Element : int32_t { float32 = 0, bfloat16 = 1, float16 = 2 };
enum class Activation : int32_t { none = 0, relu = 1, gelu = 2, silu = 3 };

// A group: four rows of A that are computed together in registers.
struct SpmmGroup {
  int32_t steps;     // of the inner loop
  uint16_t rows[4];  // relative to the first row of the part; part_rows = no row (its result is dropped)
};
static_assert(sizeof(SpmmGroup) == 12, "A group is stored as three int32 in a tensor.");

// A sparse matrix as the SpMM kernels read it. Rows are cut into parts and columns into blocks; within each (part, block)
// the groups come in the order of execution, and ids and values in the order of use.
struct SpmmPacked {
  int64_t m, k;
  int32_t part_rows, block_cols;  // both at most 65535
  const int64_t (*blocks)[2];     // [parts * blocks + 1]: first group, first step
  const SpmmGroup* groups;
  const uint16_t* ids;            // column relative to the block; block_cols = a row of zeros, which padding points at
  const float* values;            // four per step
};

// C = act(A @ B + bias), float32 sums.
struct SpmmCall {
  SpmmPacked a;
  int64_t n;
  const void* b;       // by_rows: [n, k], else [k, n]
  void* c;             // by_rows: [n, m], else [m, n]
  int64_t ldb, ldc;
  Element element;     // of b and c
  bool by_rows;        // the layout of torch.nn.Linear's activations
  const float* bias;   // [m] or null
  Activation activation;
  int32_t threads;
};

struct Kernels {
  const char* isa;
  int32_t width;                     // floats in a vector
  double (*fma_peak)(double);        // float32 GFLOP/s of one thread, measured for about so many seconds
  void (*spmm_csr)(const SpmmCall&);  // ids: four per step, one for each row of the group
  void (*spmm_bsr)(const SpmmCall&);  // ids: one per step, shared by the four rows
};

}  // namespace tamis
