// The SpMM and SDDMM kernels of one instruction set against sums in double, without Python: for CPUs that are only emulated here
// (tests/native/test_neon.py, test_avx512_emulated.py).
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <type_traits>
#include <vector>

#include "pack_spmm.h"
#include "pack_window.h"

#define TAMIS_STRING(x) #x
#define TAMIS_NAME(x) TAMIS_STRING(x)

using namespace tamis;

namespace tamis::TAMIS_ISA {
void spmm_csr(const SpmmCall& call);
void spmm_bsr(const SpmmCall& call);
void spmv_window(const SpmvCall& call);
void sddmm_csr(const SddmmCall& call);
void sddmm_bsr(const SddmmCall& call);
void sddmm_window(const SddmmWindowCall& call);
}  // namespace tamis::TAMIS_ISA

namespace {

struct Csr {
  int64_t m, k;
  int32_t height;  // of the vectors of rows that share their columns: 1 or 4
  std::vector<int32_t> crow{0}, col;
  std::vector<int> values;  // [entries, height]: whole numbers, the same in every type
};

Csr draw(int64_t m, int64_t k, int32_t height, double density, std::mt19937& random) {
  Csr a{m, k, height};
  std::uniform_real_distribution<double> uniform;
  for (int64_t row = 0; row < m / height; ++row) {
    for (int32_t j = 0; j < k; ++j)
      if (uniform(random) < density * (row % 3)) a.col.push_back(j);  // every third row is empty
    a.crow.push_back(static_cast<int32_t>(a.col.size()));
  }
  a.values.resize(a.col.size() * height);
  for (int& v : a.values) v = static_cast<int>(random() % 15) - 7;
  return a;
}

int bytes_of(Stored stored) { return stored == Stored::float32 ? 4 : stored == Stored::int8 ? 1 : 2; }

// A whole number of one digit in the bytes of a type.
uint32_t bits_of(int value, Stored stored) {
  const float number = static_cast<float>(value);
  uint32_t bits;
  std::memcpy(&bits, &number, sizeof bits);
  if (stored == Stored::float32) return bits;
  if (stored == Stored::bfloat16) return bits >> 16;
  if (stored == Stored::int8) return static_cast<uint8_t>(value);
  return value == 0 ? 0 : (bits >> 16 & 0x8000) | (((bits >> 23 & 255) - 112) << 10) | (bits >> 13 & 1023);
}

struct Structure {
  std::vector<int64_t> blocks;
  std::vector<SpmmGroup> groups;
  std::vector<uint8_t> ids;  // or window steps
  std::vector<int32_t> positions;
  int64_t (*pairs())[2] { return reinterpret_cast<int64_t(*)[2]>(blocks.data()); }
  void allocate(int64_t cells, int64_t step_bytes, int64_t lanes) {
    groups.resize(pairs()[cells][0]);
    ids.resize(pairs()[cells][1] * step_bytes);
    positions.resize(pairs()[cells][1] * lanes);
  }
};

std::vector<uint8_t> packed_values(const Csr& a, const Structure& s, Stored stored) {
  const int bytes = bytes_of(stored);
  std::vector<uint8_t> own(a.values.size() * bytes), packed(s.positions.size() * bytes);
  for (size_t i = 0; i < a.values.size(); ++i) {
    const uint32_t bits = bits_of(a.values[i], stored);
    std::memcpy(&own[i * bytes], &bits, bytes);
  }
  pack_values(s.positions.data(), static_cast<int64_t>(s.positions.size()), own.data(),
              static_cast<int64_t>(a.values.size()), bytes, packed.data(), 1);
  return packed;
}

constexpr int32_t part_rows = 64;

SpmmPacked pack(const Csr& a, int32_t block_cols, Structure& s) {
  const int64_t cells = (a.m + part_rows - 1) / part_rows * ((a.k + block_cols - 1) / block_cols);
  const PackSource rows{a.crow.data(), a.col.data(), a.height, 1};
  const PackShape shape{a.m, a.k, part_rows, block_cols};
  const bool wide = block_cols > 255;
  s.blocks.resize(2 * (cells + 1));
  pack_count(rows, shape, s.pairs(), 1);
  s.allocate(cells, (a.height == 1 ? 4 : 1) * (wide ? 2 : 1), 4);
  pack_fill(rows, shape, s.pairs(), s.groups.data(), s.ids.data(), wide, s.positions.data(), 1);
  return {a.m, a.k, part_rows, block_cols, s.pairs(), s.groups.data(), s.ids.data(), wide};
}

WindowPacked pack_windows(const Csr& a, int32_t window, Structure& s) {
  const int64_t parts = (a.m + part_rows - 1) / part_rows;
  const WindowSource source{a.crow.data(), a.col.data(), a.m, a.k, part_rows, window};
  s.blocks.resize(2 * (parts + 1));
  pack_window_count(source, s.pairs(), 1);
  s.allocate(parts, sizeof(WindowStep), 4 * WindowStep::lanes);
  auto* steps = reinterpret_cast<WindowStep*>(s.ids.data());
  pack_window_fill(source, s.pairs(), s.groups.data(), steps, s.positions.data(), 1);
  return {a.m, a.k, part_rows, window, s.pairs(), s.groups.data(), steps};
}

// The largest error over a product, in units of the sum of its terms' sizes. cols: of a block, or of a window.
template <class Call>
double error(const Csr& a, void (*kernel)(const Call&), int32_t cols, Stored stored, int64_t n, bool by_rows,
             std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> b(a.k * n), c(a.m * n, -1.0f), bias(a.m);
  for (float& x : b) x = normal(random);
  for (float& x : bias) x = normal(random);
  Structure structure;
  Call call{};
  if constexpr (std::is_same_v<Call, SpmmCall>) call.a = pack(a, cols, structure);
  else call.a = pack_windows(a, cols, structure);
  const std::vector<uint8_t> values = packed_values(a, structure, stored);
  call.values = values.data();
  call.stored = stored;
  call.n = n;
  call.b = b.data();
  call.c = c.data();
  call.ldb = by_rows ? a.k : n;
  call.ldc = by_rows ? a.m : n;
  call.element = Element::float32;
  call.by_rows = by_rows;
  call.bias = bias.data();
  call.activation = Activation::relu;
  call.threads = 2;
  kernel(call);
  double worst = 0;
  for (int64_t row = 0; row < a.m; ++row)
    for (int64_t j = 0; j < n; ++j) {
      double sum = bias[row], scale = std::abs(sum) + 1e-30;
      for (int32_t e = a.crow[row / a.height]; e < a.crow[row / a.height + 1]; ++e) {
        const double w = a.values[e * a.height + row % a.height];
        const double x = by_rows ? b[j * a.k + a.col[e]] : b[a.col[e] * n + j];
        sum += w * x;
        scale += std::abs(w * x);
      }
      const double got = by_rows ? c[j * a.m + row] : c[row * n + j];
      worst = std::max(worst, std::abs(got - std::max(sum, 0.0)) / scale);
    }
  return worst;
}

// The same of the entries of C @ B^T that the matrix stores, and of the zeros of padding.
template <class Call>
double error(const Csr& a, void (*kernel)(const Call&), int32_t cols, int64_t n, bool by_rows, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> c(a.m * n), b(a.k * n);
  for (float& x : c) x = normal(random);
  for (float& x : b) x = normal(random);
  Structure structure;
  Call call{};
  if constexpr (std::is_same_v<Call, SddmmCall>) call.pattern = pack(a, cols, structure);
  else call.pattern = pack_windows(a, cols, structure);
  std::vector<float> values(structure.positions.size(), -1.0f);
  call.a = c.data();
  call.b = b.data();
  call.n = n;
  call.lda = by_rows ? a.m : n;
  call.ldb = by_rows ? a.k : n;
  call.element = Element::float32;
  call.by_rows = by_rows;
  call.values = values.data();
  call.threads = 2;
  kernel(call);
  std::vector<int64_t> block_row(a.col.size());
  for (size_t row = 0; row + 1 < a.crow.size(); ++row)
    for (int32_t e = a.crow[row]; e < a.crow[row + 1]; ++e) block_row[e] = static_cast<int64_t>(row);
  double worst = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const int32_t position = structure.positions[i];
    double sum = 0, scale = 1e-30;
    if (position >= 0) {
      const int64_t row = block_row[position / a.height] * a.height + position % a.height, column = a.col[position / a.height];
      for (int64_t t = 0; t < n; ++t) {
        const double term = by_rows ? static_cast<double>(c[t * a.m + row]) * b[t * a.k + column]
                                    : static_cast<double>(c[row * n + t]) * b[column * n + t];
        sum += term;
        scale += std::abs(term);
      }
    }
    worst = std::max(worst, std::abs(values[i] - sum) / scale);
  }
  return worst;
}

}  // namespace

int main() {
  std::mt19937 random(1);
  double worst = 0;
  int products = 0;
  const auto check = [&](double e) {
    worst = std::max(worst, e);
    ++products;
  };
  const Csr rows = draw(148, 130, 1, 0.2, random), vectors = draw(148, 130, 4, 0.2, random);
  for (int64_t n : {1, 2, 5, 8, 13, 16, 40})
    for (bool by_rows : {false, true}) {
      check(error(rows, TAMIS_ISA::spmm_csr, 48, Stored::float32, n, by_rows, random));
      check(error(vectors, TAMIS_ISA::spmm_bsr, 48, Stored::float32, n, by_rows, random));
      check(error(rows, TAMIS_ISA::spmv_window, 64, Stored::float32, n, by_rows, random));
    }
  for (int64_t n : {1, 5, 16, 70})
    for (bool by_rows : {false, true}) {
      check(error(rows, TAMIS_ISA::sddmm_csr, 48, n, by_rows, random));
      check(error(vectors, TAMIS_ISA::sddmm_bsr, 48, n, by_rows, random));
      check(error(rows, TAMIS_ISA::sddmm_window, 64, n, by_rows, random));
    }
  const Csr wide = draw(70, 700, 1, 0.1, random), wide_vectors = draw(72, 700, 4, 0.1, random);
  for (Stored stored : {Stored::float32, Stored::bfloat16, Stored::float16, Stored::int8})
    for (int64_t n : {1, 20}) {
      for (int32_t block_cols : {128, 190, 255, 300}) {  // the last with ids of 16 bits
        check(error(wide, TAMIS_ISA::spmm_csr, block_cols, stored, n, false, random));
        check(error(wide_vectors, TAMIS_ISA::spmm_bsr, block_cols, stored, n, false, random));
      }
      check(error(wide, TAMIS_ISA::spmv_window, 128, stored, n, false, random));
    }
  std::printf("%s: %d products, error %.1e\n", TAMIS_NAME(TAMIS_ISA), products, worst);
  return worst < 2e-6 ? EXIT_SUCCESS : EXIT_FAILURE;
}
