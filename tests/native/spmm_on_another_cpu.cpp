// The SpMM kernels of one instruction set against sums in double, without Python: for CPUs that are only emulated here
// (tests/native/test_neon.py, test_avx512_emulated.py).
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "pack_spmm.h"
#include "pack_window.h"

#define TAMIS_STRING(x) #x
#define TAMIS_NAME(x) TAMIS_STRING(x)

using namespace tamis;

namespace tamis::TAMIS_ISA {
void spmm_csr(const SpmmCall& call);
void spmm_bsr(const SpmmCall& call);
void spmv_window(const SpmmCall& call);
}  // namespace tamis::TAMIS_ISA

namespace {

struct Csr {
  int64_t m, k;
  int32_t height;  // of the vectors of rows that share their columns: 1 or 4
  std::vector<int32_t> crow{0}, col;
  std::vector<float> values;  // [entries, height]
};

Csr draw(int64_t m, int64_t k, int32_t height, double density, std::mt19937& random) {
  Csr a{m, k, height};
  std::uniform_real_distribution<double> uniform;
  std::normal_distribution<float> normal;
  for (int64_t row = 0; row < m / height; ++row) {
    for (int32_t j = 0; j < k; ++j)
      if (uniform(random) < density * (row % 3)) a.col.push_back(j);  // every third row is empty
    a.crow.push_back(static_cast<int32_t>(a.col.size()));
  }
  a.values.resize(a.col.size() * height);
  for (float& v : a.values) v = normal(random);
  return a;
}

struct Packed {
  std::vector<int64_t> blocks;
  std::vector<SpmmGroup> groups;
  std::vector<uint16_t> ids;
  std::vector<int32_t> positions;
  std::vector<float> values;
  int32_t part_rows, block_cols;
};

Packed pack(const Csr& a, bool windows) {
  Packed p;
  p.part_rows = 64;
  p.block_cols = windows ? 64 : 48;
  const int64_t parts = (a.m + p.part_rows - 1) / p.part_rows;
  const int64_t cells = parts * (windows ? 1 : (a.k + p.block_cols - 1) / p.block_cols);
  p.blocks.resize(2 * (cells + 1));
  auto* blocks = reinterpret_cast<int64_t(*)[2]>(p.blocks.data());
  const WindowSource strips{a.crow.data(), a.col.data(), a.m, a.k, p.part_rows, p.block_cols};
  const PackSource rows{a.crow.data(), a.col.data(), a.height, 1};
  const PackShape shape{a.m, a.k, p.part_rows, p.block_cols};
  if (windows) pack_window_count(strips, blocks, 1);
  else pack_count(rows, shape, blocks, 1);
  const int64_t steps = blocks[cells][1], lanes = windows ? 64 : 4;
  p.groups.resize(blocks[cells][0]);
  p.ids.resize(steps * (windows ? 40 : a.height == 1 ? 4 : 1));
  p.positions.resize(steps * lanes);
  p.values.resize(steps * lanes);
  if (windows)
    pack_window_fill(strips, blocks, p.groups.data(), reinterpret_cast<WindowStep*>(p.ids.data()), p.positions.data(), 1);
  else pack_fill(rows, shape, blocks, p.groups.data(), p.ids.data(), p.positions.data(), 1);
  pack_values(p.positions.data(), static_cast<int64_t>(p.positions.size()), a.values.data(), Stored::float32,
              p.values.data(), true, 1);
  return p;
}

double error(const Csr& a, void (*kernel)(const SpmmCall&), bool windows, int64_t n, bool by_rows, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> b(a.k * n), c(a.m * n, -1.0f), bias(a.m);
  for (float& x : b) x = normal(random);
  for (float& x : bias) x = normal(random);
  const Packed p = pack(a, windows);
  SpmmCall call{};
  call.a = {a.m, a.k, p.part_rows, p.block_cols, reinterpret_cast<const int64_t(*)[2]>(p.blocks.data()), p.groups.data(),
            p.ids.data(), p.values.data(), Stored::float32};
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

}  // namespace

int main() {
  std::mt19937 random(1);
  double worst = 0;
  int products = 0;
  for (int64_t n : {1, 2, 5, 8, 13, 16, 40})
    for (bool by_rows : {false, true}) {
      const Csr rows = draw(148, 130, 1, 0.2, random), vectors = draw(148, 130, 4, 0.2, random);
      for (double e : {error(rows, TAMIS_ISA::spmm_csr, false, n, by_rows, random),
                       error(vectors, TAMIS_ISA::spmm_bsr, false, n, by_rows, random),
                       error(rows, TAMIS_ISA::spmv_window, true, n, by_rows, random)}) {
        worst = std::max(worst, e);
        ++products;
      }
    }
  std::printf("%s: %d products, error %.1e\n", TAMIS_NAME(TAMIS_ISA), products, worst);
  return worst < 2e-6 ? EXIT_SUCCESS : EXIT_FAILURE;
}
