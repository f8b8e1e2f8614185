// The border to Python: addresses and sizes across, nothing else. What is passed has been checked in tamis.ops.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "bind_voxel.h"
#include "dispatch.h"
#include "pack_spmm.h"
#include "pack_window.h"

namespace nb = nanobind;

namespace tamis {
namespace {

template <class T> T* at(uintptr_t address) { return reinterpret_cast<T*>(address); }

std::vector<std::string> isa_names(bool only_supported) {
  std::vector<std::string> names;
  for (const Kernels* const* t = compiled(); *t; ++t)
    if (!only_supported || supported(**t)) names.emplace_back((*t)->isa);
  return names;
}

void bind_isa(nb::module_& m) {
  m.def("isa", [] { return current().isa; });
  m.def("vector_width", [] { return current().width; });
  m.def("isas_compiled", [] { return isa_names(false); });
  m.def("isas_supported", [] { return isa_names(true); });
  m.def("force_isa", [](const char* name) { return force(name); });
  m.def("fma_peak", [](double seconds) { return current().fma_peak(seconds); }, nb::call_guard<nb::gil_scoped_release>());
}

void bind_packing(nb::module_& m) {
  m.def("spmm_pack_count",
        [](uintptr_t crow, uintptr_t col, int32_t bh, int32_t bw, int64_t rows, int64_t k, int32_t part_rows,
           int32_t block_cols, uintptr_t blocks, int threads) {
          pack_count({at<int32_t>(crow), at<int32_t>(col), bh, bw}, {rows, k, part_rows, block_cols},
                     at<int64_t[2]>(blocks), threads);
        },
        nb::call_guard<nb::gil_scoped_release>());
  m.def("spmm_pack_fill",
        [](uintptr_t crow, uintptr_t col, int32_t bh, int32_t bw, int64_t rows, int64_t k, int32_t part_rows,
           int32_t block_cols, uintptr_t blocks, uintptr_t groups, uintptr_t ids, uintptr_t positions, int threads) {
          pack_fill({at<int32_t>(crow), at<int32_t>(col), bh, bw}, {rows, k, part_rows, block_cols},
                    at<int64_t[2]>(blocks), at<SpmmGroup>(groups), at<uint16_t>(ids), at<int32_t>(positions), threads);
        },
        nb::call_guard<nb::gil_scoped_release>());
  m.def("spmm_pack_values",
        [](uintptr_t positions, int64_t count, uintptr_t values, int stored, uintptr_t packed, bool widen, int threads) {
          pack_values(at<int32_t>(positions), count, at<void>(values), static_cast<Stored>(stored), at<void>(packed),
                      widen, threads);
        },
        nb::call_guard<nb::gil_scoped_release>());
  m.def("spmv_pack_count",
        [](uintptr_t crow, uintptr_t col, int64_t rows, int64_t k, int32_t part_rows, int32_t window, uintptr_t blocks,
           int threads) {
          pack_window_count({at<int32_t>(crow), at<int32_t>(col), rows, k, part_rows, window}, at<int64_t[2]>(blocks),
                            threads);
        },
        nb::call_guard<nb::gil_scoped_release>());
  m.def("spmv_pack_fill",
        [](uintptr_t crow, uintptr_t col, int64_t rows, int64_t k, int32_t part_rows, int32_t window, uintptr_t blocks,
           uintptr_t groups, uintptr_t steps, uintptr_t positions, int threads) {
          pack_window_fill({at<int32_t>(crow), at<int32_t>(col), rows, k, part_rows, window}, at<int64_t[2]>(blocks),
                           at<SpmmGroup>(groups), at<WindowStep>(steps), at<int32_t>(positions), threads);
        },
        nb::call_guard<nb::gil_scoped_release>());
}

using SpmmKernel = void (*Kernels::*)(const SpmmCall&);

template <SpmmKernel kernel, bool panels> void bind_spmm(nb::module_& m, const char* name) {
  m.def(name,
        [](uintptr_t blocks, uintptr_t groups, uintptr_t ids, uintptr_t values, int64_t rows, int64_t k,
           int32_t part_rows, int32_t block_cols, int stored, uintptr_t row_scale, uintptr_t b, int64_t ldb,
           uintptr_t c, int64_t ldc, int64_t n, int element, bool by_rows, uintptr_t bias, int activation, int threads) {
          SpmmCall call;
          call.a = {rows,          k, part_rows, block_cols, at<int64_t[2]>(blocks), at<SpmmGroup>(groups),
                    at<uint16_t>(ids), at<void>(values), static_cast<Stored>(stored)};
          call.row_scale = at<float>(row_scale);
          call.n = n;
          call.b = at<void>(b);
          call.c = at<void>(c);
          call.ldb = ldb;
          call.ldc = ldc;
          call.element = static_cast<Element>(element);
          call.by_rows = by_rows;
          call.bias = at<float>(bias);
          call.activation = static_cast<Activation>(activation);
          call.threads = threads;
          const Kernels& table = panels ? current_for(n) : current();
          (table.*kernel)(call);
        },
        nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace
}  // namespace tamis

NB_MODULE(_cpu, m) {
  using namespace tamis;
  bind_isa(m);
  bind_packing(m);
  bind_spmm<&Kernels::spmm_csr, true>(m, "spmm_csr");
  bind_spmm<&Kernels::spmm_bsr, true>(m, "spmm_bsr");
  bind_spmm<&Kernels::spmv_window, false>(m, "spmv_window");
  bind_voxel(m);
}
