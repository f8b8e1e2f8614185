// The table of contents of the native kernels: one function pointer per kernel, filled once per instruction set.
//
// Plain pointers and numbers only. Sizes are in elements, leading dimensions in elements, all buffers belong to the
// caller, and the caller has checked every index.
#pragma once
#include <cstdint>

namespace tamis {

enum class Element : int32_t { float32 = 0, bfloat16 = 1, float16 = 2 };
enum class Stored : int32_t { float32 = 0, bfloat16 = 1, float16 = 2, int8 = 3 };
enum class Activation : int32_t { none = 0, relu = 1, gelu = 2, silu = 3 };

// A group: four rows of A that are computed together in registers.
struct SpmmGroup {
  uint16_t steps;    // of the inner loop
  uint16_t rows[4];  // relative to the first row of the part; part_rows = no row (its result is dropped)
};
static_assert(sizeof(SpmmGroup) == 10, "A group is stored as five int16 in a tensor.");

// A sparse matrix as the panel kernels read it. Rows are cut into parts and columns into blocks; within each (part, block)
// the groups come in the order of execution, and ids and values (four per step) in the order of use.
struct SpmmPacked {
  int64_t m, k;
  int32_t part_rows, block_cols;  // both at most 65535
  const int64_t (*blocks)[2];     // [parts * blocks + 1]: first group, first step
  const SpmmGroup* groups;
  const void* ids;                // column relative to the block; block_cols = a row of zeros, which padding points at
  bool wide_ids;                  // uint16; else uint8, and block_cols is at most 255
};

// spmv_window: up to 16 nonzeros of each of four rows, each within a window of b.
struct WindowStep {
  static constexpr int lanes = 16, max_cols = 4;
  uint16_t base[4];  // where the window begins, in units of 16 columns
  uint16_t mask[4];  // lanes that hold a nonzero
  uint8_t ids[4][lanes];  // columns relative to the window
};
static_assert(sizeof(WindowStep) == 80, "A step is stored as 40 int16 in a tensor.");

// A sparse matrix as spmv_window reads it: 64 values per step, those of a lane without a nonzero being 0.
struct WindowPacked {
  int64_t m, k;
  int32_t part_rows, window;  // 64 or 128 columns
  const int64_t (*parts)[2];  // [parts + 1]: first group, first step
  const SpmmGroup* groups;
  const WindowStep* steps;
};

// Columns of b as spmv_window sees them: whole vectors, at least one window.
constexpr int64_t window_columns(int64_t k, int64_t window) {
  const int64_t whole = (k + WindowStep::lanes - 1) / WindowStep::lanes * WindowStep::lanes;
  return whole < window ? window : whole;
}

// C = act(row_scale * (A @ B) + bias), float32 sums: all but A's structure.
struct SpmmOperands {
  const void* values;  // of A, in packed order
  Stored stored;
  int64_t n;
  const void* b;       // by_rows: [n, k], else [k, n]
  void* c;             // by_rows: [n, m], else [m, n]
  int64_t ldb, ldc;
  Element element;     // of b and c
  const float* row_scale;  // [m] or null: what the values of a row are multiplied by
  bool by_rows;        // the layout of torch.nn.Linear's activations
  const float* bias;   // [m] or null
  Activation activation;
  int32_t threads;
};
struct SpmmCall : SpmmOperands {
  SpmmPacked a;
};
struct SpmvCall : SpmmOperands {
  WindowPacked a;
};

// A's columns are quads of columns of b, its values four int8 each; b is by_rows.
struct SpmmInt8Call : SpmmCall {
  bool shared_ids;  // one id per step, else four
  uint8_t* levels;  // room for a slab of b in 8 bits: int8_levels_bytes
};

constexpr int64_t int8_slab = 1024;  // tokens that are taken at a time, which bounds that room

// Tokens in whole vectors, each with its step and low, and a quad that padding may read.
constexpr int64_t int8_levels_bytes(int64_t n, int64_t quads) {
  const int64_t widest = 16, slab = n < int8_slab ? n : int8_slab, tokens = (slab + widest - 1) / widest * widest;
  return tokens * (quads * 4 + 8) + 4 * widest * 4;
}

// The entries of A @ B^T, A [m, n] and B [k, n], that a pattern stores, float32 sums: all but the pattern.
struct SddmmOperands {
  const void *a, *b;   // by_rows: [n, m] and [n, k]
  int64_t n, lda, ldb;
  Element element;     // of a and b
  bool by_rows;        // the layout of torch.nn.Linear's activations and their gradients
  float* values;       // in packed order; padding gets 0
  int32_t threads;
};
struct SddmmCall : SddmmOperands {
  SpmmPacked pattern;
};
struct SddmmWindowCall : SddmmOperands {
  WindowPacked pattern;
};

// The pairs (output row, input row) of every offset of a sparse convolution, as lists that ascend in both columns.
struct PairLists {
  static constexpr int64_t granule = 64;  // outputs between two cuts
  enum Role : int64_t { output_first = 0, input_first = 1, identity = 2 };  // identity: pair i is (i, i), not stored
  const int32_t *first, *second;
  const int64_t (*lists)[3];  // [volume]: start, stop, role
  const int32_t* cuts;        // [volume, granules + 1]: position in the list of the first output >= g * granule
  int64_t volume, granules;
};

// The search of a kernel map: for each target and offset the source with key target + offset.
struct KernelMapSearch {
  const void *sources, *targets;  // sorted, distinct
  int64_t source_count, target_count;
  bool wide_keys;                 // int64 instead of int32
  bool spaced;                    // sources of one column are at least `step` apart
  const int64_t* offset_keys;     // [offsets], in columns of `column_taps` consecutive taps; the last may be shorter
  int64_t offsets, column_taps, step;
  int64_t chunks;
  uint64_t* hits;                 // [offsets, target_count]: room for source << 32 | target
  int64_t* counts;                // [chunks, offsets]
  int32_t threads;
};

// Y = act(scale * conv(X) + bias + residual), float32 sums.
struct SparseConvCall {
  PairLists pairs;
  int64_t rows, c_in, c_out, groups;  // rows of the output; c_in of one group, c_out of all
  const void *feats, *residual;       // [.., groups * c_in], [rows, c_out] or null
  const float* weight;                // [volume, c_in, c_out]
  const float *scale, *bias;          // [c_out] or null
  void* out;                          // [rows, c_out]
  Element element;                    // of feats, residual and out
  bool relu;
  int64_t block_rows;                 // a multiple of PairLists::granule
  int32_t threads;
};

enum class Pooling : int32_t { max = 0, sum = 1, mean = 2 };

// Y[j] = maximum, sum or mean of X[i] over the pairs (i, j) of all offsets; 0 where there are none. Lists ascend in their
// outputs, which may repeat; cuts are not read.
struct SparsePoolCall {
  PairLists pairs;
  int64_t rows, channels;  // of the output
  const void* feats;       // [.., channels]
  void* out;               // [rows, channels]
  Element element;         // of feats and out
  bool wide;               // both are float64 instead
  Pooling pooling;
  int32_t threads;
};

// Points in metres, and the key that a cell has (formats/packed_coords): fields batch, x, y, z from high to low.
struct PointGrid {
  const void* points;  // [count, 3]
  bool wide_points;    // float64 instead of float32
  int64_t count;
  const int64_t* batch;  // [count] or null: 0
  double size[3];        // of a cell, metres
  int64_t stride[3];     // of a cell, in units of the keys
  int64_t bias[3];
  int32_t bits[4];
  bool wide_keys;        // int64 instead of int32
  int32_t threads;
};

// Sorted, distinct keys, and where those with equal high bits begin.
struct KeyIndex {
  const void* keys;
  int64_t count;
  const int32_t* order;    // [count] or null: the row that a key stands for
  const int32_t* buckets;  // [bucket_count + 1]: the first key whose high bits are at least so much
  int64_t bucket_count;
  int32_t shift;           // high bits = key >> shift
};

// dW = X^T dY over the pairs of each offset.
struct SparseConvGradientCall {
  PairLists pairs;
  int64_t c_in, c_out, groups;        // c_in of one group, c_out of all
  const float *feats, *grad;          // [.., groups * c_in], [rows, c_out]
  float* weight_grad;                 // [volume, c_in, c_out]
  int64_t parts;
  float* copies;                      // [parts, volume, c_in, c_out]
  int32_t threads;
};

struct Int8Kernel {
  void (*spmm)(const SpmmInt8Call&);
  int32_t highest_level;  // of an activation
};

struct Kernels {
  const char* isa;
  int32_t width;                     // floats in a vector
  double (*fma_peak)(double);        // float32 GFLOP/s of one thread, measured for about so many seconds
  void (*spmm_csr)(const SpmmCall&);  // ids: four per step, one for each row of the group
  void (*spmm_bsr)(const SpmmCall&);  // ids: one per step, shared by the four rows
  void (*spmv_window)(const SpmvCall&);
  const Int8Kernel* int8;
  void (*sddmm_csr)(const SddmmCall&);  // these three read what the SpMM kernel of the same name reads
  void (*sddmm_bsr)(const SddmmCall&);
  void (*sddmm_window)(const SddmmWindowCall&);
  void (*kernel_map_search)(const KernelMapSearch&);
  void (*kernel_map_gather)(const KernelMapSearch&, int32_t* target_rows, int32_t* source_rows);
  void (*kernel_map_cuts)(const PairLists&, int64_t rows, int32_t* cuts, int32_t threads);
  void (*sparse_conv)(const SparseConvCall&);
  void (*sparse_conv_weight_gradient)(const SparseConvGradientCall&);
  void (*sparse_pool)(const SparsePoolCall&);
  void (*point_range)(const PointGrid&, int64_t chunks, double* range);
  void (*point_keys)(const PointGrid&, void* keys);
  void (*point_rows)(const PointGrid&, const KeyIndex&, int32_t* rows);
  void (*point_corners)(const PointGrid&, const KeyIndex&, int32_t* rows, double* weights);
};

}  // namespace tamis
