// Kernel maps and sparse convolution for Python: pair lists and calls by named arguments, tensors as addresses.
#include "bind_voxel.h"

#include <nanobind/stl/array.h>

#include "dispatch.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace tamis {
namespace {

template <class T> T* at(uintptr_t address) { return reinterpret_cast<T*>(address); }

using Unlocked = nb::call_guard<nb::gil_scoped_release>;

void bind_pair_lists(nb::module_& m) {
  nb::class_<PairLists>(m, "PairLists")
      .def("__init__",
           [](PairLists* self, uintptr_t first, uintptr_t second, uintptr_t lists, uintptr_t cuts, int64_t volume,
              int64_t granules) {
             new (self) PairLists{at<int32_t>(first), at<int32_t>(second), at<int64_t[3]>(lists), at<int32_t>(cuts),
                                  volume, granules};
           },
           nb::kw_only(), "first"_a, "second"_a, "lists"_a, "cuts"_a, "volume"_a, "granules"_a)
      .def_ro_static("granule", &PairLists::granule);
}

void bind_maps(nb::module_& m) {
  // One search in two steps: how many hits there are, and the hits of all chunks moved together.
  nb::class_<KernelMapSearch>(m, "KernelMapSearch")
      .def("__init__",
           [](KernelMapSearch* self, uintptr_t sources, int64_t source_count, uintptr_t targets, int64_t target_count,
              bool wide_keys, bool spaced, uintptr_t offset_keys, int64_t offsets, int64_t column_taps, int64_t step,
              int64_t chunks, uintptr_t hits, uintptr_t counts, int threads) {
             new (self) KernelMapSearch{at<void>(sources), at<void>(targets), source_count, target_count, wide_keys,
                                        spaced, at<int64_t>(offset_keys), offsets, column_taps, step, chunks,
                                        at<uint64_t>(hits), at<int64_t>(counts), threads};
           },
           nb::kw_only(), "sources"_a, "source_count"_a, "targets"_a, "target_count"_a, "wide_keys"_a, "spaced"_a,
           "offset_keys"_a, "offsets"_a, "column_taps"_a, "step"_a, "chunks"_a, "hits"_a, "counts"_a, "threads"_a)
      .def("search", [](const KernelMapSearch& self) { current().kernel_map_search(self); }, Unlocked())
      .def("gather",
           [](const KernelMapSearch& self, uintptr_t target_rows, uintptr_t source_rows) {
             current().kernel_map_gather(self, at<int32_t>(target_rows), at<int32_t>(source_rows));
           },
           nb::kw_only(), "target_rows"_a, "source_rows"_a, Unlocked());
  m.def("kernel_map_cuts",
        [](const PairLists& pairs, int64_t rows, uintptr_t cuts, int threads) {
          current().kernel_map_cuts(pairs, rows, at<int32_t>(cuts), threads);
        },
        "pairs"_a, nb::kw_only(), "rows"_a, "cuts"_a, "threads"_a, Unlocked());
}

void bind_convolution(nb::module_& m) {
  m.def("sparse_conv",
        [](const PairLists& pairs, int64_t rows, int64_t c_in, int64_t c_out, int64_t groups, uintptr_t feats,
           uintptr_t residual, uintptr_t weight, uintptr_t scale, uintptr_t bias, uintptr_t out, int element, bool relu,
           int64_t block_rows, int threads) {
          current().sparse_conv({pairs, rows, c_in, c_out, groups, at<void>(feats), at<void>(residual), at<float>(weight),
                                 at<float>(scale), at<float>(bias), at<void>(out), static_cast<Element>(element), relu,
                                 block_rows, threads});
        },
        "pairs"_a, nb::kw_only(), "rows"_a, "c_in"_a, "c_out"_a, "groups"_a, "feats"_a, "residual"_a, "weight"_a,
        "scale"_a, "bias"_a, "out"_a, "element"_a, "relu"_a, "block_rows"_a, "threads"_a, Unlocked());
  m.def("sparse_conv_weight_gradient",
        [](const PairLists& pairs, int64_t c_in, int64_t c_out, int64_t groups, uintptr_t feats, uintptr_t grad,
           uintptr_t weight_grad, int64_t parts, uintptr_t copies, int threads) {
          current().sparse_conv_weight_gradient({pairs, c_in, c_out, groups, at<float>(feats), at<float>(grad),
                                                 at<float>(weight_grad), parts, at<float>(copies), threads});
        },
        "pairs"_a, nb::kw_only(), "c_in"_a, "c_out"_a, "groups"_a, "feats"_a, "grad"_a, "weight_grad"_a, "parts"_a,
        "copies"_a, "threads"_a, Unlocked());
}

void bind_pooling(nb::module_& m) {
  m.def("sparse_pool",
        [](const PairLists& pairs, int64_t rows, int64_t channels, uintptr_t feats, uintptr_t out, int element, bool wide,
           int pooling, int threads) {
          current().sparse_pool({pairs, rows, channels, at<void>(feats), at<void>(out), static_cast<Element>(element), wide,
                                 static_cast<Pooling>(pooling), threads});
        },
        "pairs"_a, nb::kw_only(), "rows"_a, "channels"_a, "feats"_a, "out"_a, "element"_a, "wide"_a, "pooling"_a,
        "threads"_a, Unlocked());
}

using Triple = std::array<int64_t, 3>;

void bind_points(nb::module_& m) {
  nb::class_<KeyIndex>(m, "KeyIndex")
      .def("__init__",
           [](KeyIndex* self, uintptr_t keys, int64_t count, uintptr_t order, uintptr_t buckets, int64_t bucket_count,
              int shift) {
             new (self) KeyIndex{at<void>(keys), count, at<int32_t>(order), at<int32_t>(buckets), bucket_count, shift};
           },
           nb::kw_only(), "keys"_a, "count"_a, "order"_a, "buckets"_a, "bucket_count"_a, "shift"_a);
  nb::class_<PointGrid>(m, "PointGrid")
      .def("__init__",
           [](PointGrid* self, uintptr_t points, bool wide_points, int64_t count, uintptr_t batch,
              const std::array<double, 3>& size, const Triple& stride, const Triple& bias, const std::array<int, 4>& bits,
              bool wide_keys, int threads) {
             new (self) PointGrid{at<void>(points), wide_points, count, at<int64_t>(batch),
                                  {size[0], size[1], size[2]}, {stride[0], stride[1], stride[2]},
                                  {bias[0], bias[1], bias[2]}, {bits[0], bits[1], bits[2], bits[3]}, wide_keys, threads};
           },
           nb::kw_only(), "points"_a, "wide_points"_a, "count"_a, "batch"_a, "size"_a, "stride"_a, "bias"_a, "bits"_a,
           "wide_keys"_a, "threads"_a)
      .def("range",
           [](const PointGrid& self, int64_t chunks, uintptr_t range) {
             current().point_range(self, chunks, at<double>(range));
           },
           nb::kw_only(), "chunks"_a, "range"_a, Unlocked())
      .def("keys", [](const PointGrid& self, uintptr_t keys) { current().point_keys(self, at<void>(keys)); },
           nb::kw_only(), "keys"_a, Unlocked())
      .def("rows",
           [](const PointGrid& self, const KeyIndex& index, uintptr_t rows) {
             current().point_rows(self, index, at<int32_t>(rows));
           },
           "index"_a, nb::kw_only(), "rows"_a, Unlocked())
      .def("corners",
           [](const PointGrid& self, const KeyIndex& index, uintptr_t rows, uintptr_t weights) {
             current().point_corners(self, index, at<int32_t>(rows), at<double>(weights));
           },
           "index"_a, nb::kw_only(), "rows"_a, "weights"_a, Unlocked());
}

}  // namespace

void bind_voxel(nb::module_& m) {
  bind_pair_lists(m);
  bind_maps(m);
  bind_convolution(m);
  bind_pooling(m);
  bind_points(m);
}

}  // namespace tamis
