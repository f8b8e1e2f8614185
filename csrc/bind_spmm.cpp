// SpMM for Python: packed matrices and calls by named arguments, tensors as addresses.
#include "bind_spmm.h"

#include "dispatch.h"
#include "pack_spmm.h"
#include "pack_window.h"
#include "spmm_split.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace tamis {
namespace {

template <class T> T* at(uintptr_t address) { return reinterpret_cast<T*>(address); }

using Unlocked = nb::call_guard<nb::gil_scoped_release>;

// CSR or BSR indices and the tiling that they are packed in.
struct PanelSource {
  PackSource source;
  PackShape shape;
};

void bind_panel_source(nb::module_& m) {
  nb::class_<PanelSource>(m, "PanelSource")
      .def("__init__",
           [](PanelSource* self, uintptr_t crow, uintptr_t col, int32_t block_rows, int32_t block_columns, int64_t rows,
              int64_t columns, int32_t part_rows, int32_t block_cols) {
             new (self) PanelSource{{at<int32_t>(crow), at<int32_t>(col), block_rows, block_columns},
                                    {rows, columns, part_rows, block_cols}};
           },
           nb::kw_only(), "crow"_a, "col"_a, "block_rows"_a, "block_columns"_a, "m"_a, "k"_a, "part_rows"_a, "block_cols"_a)
      .def("count",
           [](const PanelSource& self, uintptr_t blocks, int threads) {
             pack_count(self.source, self.shape, at<int64_t[2]>(blocks), threads);
           },
           nb::kw_only(), "blocks"_a, "threads"_a, Unlocked())
      .def("fill",
           [](const PanelSource& self, uintptr_t blocks, uintptr_t groups, uintptr_t ids, bool wide_ids, uintptr_t positions,
              int threads) {
             pack_fill(self.source, self.shape, at<int64_t[2]>(blocks), at<SpmmGroup>(groups), at<void>(ids), wide_ids,
                       at<int32_t>(positions), threads);
           },
           nb::kw_only(), "blocks"_a, "groups"_a, "ids"_a, "wide_ids"_a, "positions"_a, "threads"_a, Unlocked());
}

void bind_window_source(nb::module_& m) {
  nb::class_<WindowSource>(m, "WindowSource")
      .def("__init__",
           [](WindowSource* self, uintptr_t crow, uintptr_t col, int64_t rows, int64_t columns, int32_t part_rows,
              int32_t window) {
             new (self) WindowSource{at<int32_t>(crow), at<int32_t>(col), rows, columns, part_rows, window};
           },
           nb::kw_only(), "crow"_a, "col"_a, "m"_a, "k"_a, "part_rows"_a, "window"_a)
      .def("count",
           [](const WindowSource& self, uintptr_t blocks, int threads) {
             pack_window_count(self, at<int64_t[2]>(blocks), threads);
           },
           nb::kw_only(), "blocks"_a, "threads"_a, Unlocked())
      .def("fill",
           [](const WindowSource& self, uintptr_t blocks, uintptr_t groups, uintptr_t steps, uintptr_t positions,
              int threads) {
             pack_window_fill(self, at<int64_t[2]>(blocks), at<SpmmGroup>(groups), at<WindowStep>(steps),
                              at<int32_t>(positions), threads);
           },
           nb::kw_only(), "blocks"_a, "groups"_a, "steps"_a, "positions"_a, "threads"_a, Unlocked());
}

// The structures alone: values come with each call.
void bind_packed(nb::module_& m) {
  nb::class_<SpmmPacked>(m, "SpmmPacked")
      .def("__init__",
           [](SpmmPacked* self, uintptr_t blocks, uintptr_t groups, uintptr_t ids, bool wide_ids, int64_t rows,
              int64_t columns, int32_t part_rows, int32_t block_cols) {
             new (self) SpmmPacked{rows,       columns, part_rows, block_cols, at<int64_t[2]>(blocks), at<SpmmGroup>(groups),
                                   at<void>(ids), wide_ids};
           },
           nb::kw_only(), "blocks"_a, "groups"_a, "ids"_a, "wide_ids"_a, "m"_a, "k"_a, "part_rows"_a, "block_cols"_a);
  nb::class_<WindowPacked>(m, "WindowPacked")
      .def("__init__",
           [](WindowPacked* self, uintptr_t parts, uintptr_t groups, uintptr_t steps, int64_t rows, int64_t columns,
              int32_t part_rows, int32_t window) {
             new (self) WindowPacked{rows, columns, part_rows, window, at<int64_t[2]>(parts), at<SpmmGroup>(groups),
                                     at<WindowStep>(steps)};
           },
           nb::kw_only(), "parts"_a, "groups"_a, "steps"_a, "m"_a, "k"_a, "part_rows"_a, "window"_a);
  m.def("pack_values",
        [](uintptr_t positions, int64_t count, uintptr_t values, int64_t size, int bytes, uintptr_t packed, int threads) {
          return pack_values(at<int32_t>(positions), count, at<void>(values), size, bytes, at<void>(packed), threads);
        },
        nb::kw_only(), "positions"_a, "count"_a, "values"_a, "size"_a, "bytes"_a, "packed"_a, "threads"_a, Unlocked());
  m.def("unpack_values",
        [](uintptr_t positions, int64_t count, uintptr_t packed, int bytes, uintptr_t values, int64_t size, int threads) {
          return unpack_values(at<int32_t>(positions), count, at<void>(packed), bytes, at<void>(values), size, threads);
        },
        nb::kw_only(), "positions"_a, "count"_a, "packed"_a, "bytes"_a, "values"_a, "size"_a, "threads"_a, Unlocked());
}

// `table`: the instruction set for n columns.
template <class Call> void bind_kernel(nb::module_& m, const char* name, void (*Kernels::*kernel)(const Call&),
                                       const Kernels& (*table)(int64_t n)) {
  m.def(name,
        [kernel, table](const decltype(Call::a)& packed, uintptr_t values, int stored, uintptr_t row_scale, uintptr_t b,
                        int64_t ldb, uintptr_t c, int64_t ldc, int64_t n, int element, bool by_rows, uintptr_t bias,
                        int activation, int threads) {
          Call call;
          call.a = packed;
          call.values = at<void>(values);
          call.stored = static_cast<Stored>(stored);
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
          (table(n).*kernel)(call);
        },
        "packed"_a, nb::kw_only(), "values"_a, "stored"_a, "row_scale"_a, "b"_a, "ldb"_a, "c"_a, "ldc"_a, "n"_a,
        "element"_a, "by_rows"_a, "bias"_a, "activation"_a, "threads"_a, Unlocked());
}

void bind_int8(nb::module_& m) {
  m.def("spmm_int8",
        [](const SpmmPacked& packed, bool shared_ids, uintptr_t values, uintptr_t row_scale, uintptr_t levels, uintptr_t b,
           int64_t ldb, uintptr_t c, int64_t ldc, int64_t n, int element, uintptr_t bias, int activation, int threads) {
          SpmmInt8Call call;
          call.a = packed;
          call.shared_ids = shared_ids;
          call.values = at<void>(values);
          call.stored = Stored::int8;
          call.row_scale = at<float>(row_scale);
          call.levels = at<uint8_t>(levels);
          call.n = n;
          call.b = at<void>(b);
          call.c = at<void>(c);
          call.ldb = ldb;
          call.ldc = ldc;
          call.element = static_cast<Element>(element);
          call.by_rows = true;
          call.bias = at<float>(bias);
          call.activation = static_cast<Activation>(activation);
          call.threads = threads;
          current_int8().spmm(call);
        },
        "packed"_a, nb::kw_only(), "shared_ids"_a, "values"_a, "row_scale"_a, "levels"_a, "b"_a, "ldb"_a, "c"_a, "ldc"_a,
        "n"_a, "element"_a, "bias"_a, "activation"_a, "threads"_a, Unlocked());
  m.def("int8_levels_bytes", &int8_levels_bytes, nb::kw_only(), "n"_a, "quads"_a);
  m.def("int8_highest_level", [] { return current_int8().highest_level; });
  m.def("use_vnni", &use_vnni);
}

template <class Call> void bind_sddmm(nb::module_& m, const char* name, void (*Kernels::*kernel)(const Call&)) {
  m.def(name,
        [kernel](const decltype(Call::pattern)& packed, uintptr_t a, int64_t lda, uintptr_t b, int64_t ldb, int64_t n, int element,
                 bool by_rows, uintptr_t values, int threads) {
          Call call;
          call.pattern = packed;
          call.a = at<void>(a);
          call.b = at<void>(b);
          call.n = n;
          call.lda = lda;
          call.ldb = ldb;
          call.element = static_cast<Element>(element);
          call.by_rows = by_rows;
          call.values = at<float>(values);
          call.threads = threads;
          (current_for(n).*kernel)(call);
        },
        "packed"_a, nb::kw_only(), "a"_a, "lda"_a, "b"_a, "ldb"_a, "n"_a, "element"_a, "by_rows"_a, "values"_a, "threads"_a,
        Unlocked());
}

// One column is selected from wide vectors, a few fit narrow ones.
const Kernels& panels_for(int64_t n) { return n == 1 ? current() : current_for(n); }
const Kernels& windows_for(int64_t) { return current(); }

}  // namespace

void bind_spmm(nb::module_& m) {
  bind_panel_source(m);
  bind_window_source(m);
  bind_packed(m);
  bind_kernel(m, "spmm_csr", &Kernels::spmm_csr, panels_for);
  bind_kernel(m, "spmm_bsr", &Kernels::spmm_bsr, panels_for);
  bind_kernel(m, "spmv_window", &Kernels::spmv_window, windows_for);
  bind_int8(m);
  bind_sddmm(m, "sddmm_csr", &Kernels::sddmm_csr);
  bind_sddmm(m, "sddmm_bsr", &Kernels::sddmm_bsr);
  bind_sddmm(m, "sddmm_window", &Kernels::sddmm_window);
  m.def("parts_of_unit", &parts_of_unit, nb::kw_only(), "panels"_a, "parts"_a, "part_rows"_a, "threads"_a);
}

}  // namespace tamis
