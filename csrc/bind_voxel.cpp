// The border to Python for the voxel kernels: addresses and sizes across, nothing else.
#include "bind_voxel.h"

#include "dispatch.h"

namespace nb = nanobind;

namespace tamis {
namespace {

template <class T> T* at(uintptr_t address) { return reinterpret_cast<T*>(address); }

PairLists pair_lists(uintptr_t first, uintptr_t second, uintptr_t lists, uintptr_t cuts, int64_t volume, int64_t granules) {
  return {at<int32_t>(first), at<int32_t>(second), at<int64_t[3]>(lists), at<int32_t>(cuts), volume, granules};
}

void bind_maps(nb::module_& m) {
  m.def("kernel_map_search",
        [](uintptr_t sources, int64_t source_count, uintptr_t targets, int64_t target_count, bool wide_keys, bool spaced,
           uintptr_t offset_keys, int64_t offsets, int64_t column_taps, int64_t step, int64_t chunks, uintptr_t hits,
           uintptr_t counts, int threads) {
          current().kernel_map_search({at<void>(sources), at<void>(targets), source_count, target_count, wide_keys, spaced,
                                       at<int64_t>(offset_keys), offsets, column_taps, step, chunks, at<uint64_t>(hits),
                                       at<int64_t>(counts), threads});
        },
        nb::call_guard<nb::gil_scoped_release>());
  m.def("kernel_map_gather",
        [](int64_t target_count, int64_t offsets, int64_t chunks, uintptr_t hits, uintptr_t counts, uintptr_t target_rows,
           uintptr_t source_rows, int threads) {
          KernelMapSearch call = {};
          call.target_count = target_count;
          call.offsets = offsets;
          call.chunks = chunks;
          call.hits = at<uint64_t>(hits);
          call.counts = at<int64_t>(counts);
          call.threads = threads;
          current().kernel_map_gather(call, at<int32_t>(target_rows), at<int32_t>(source_rows));
        },
        nb::call_guard<nb::gil_scoped_release>());
  m.def("kernel_map_cuts",
        [](uintptr_t first, uintptr_t second, uintptr_t lists, int64_t volume, int64_t granules, int64_t rows,
           uintptr_t cuts, int threads) {
          current().kernel_map_cuts(pair_lists(first, second, lists, 0, volume, granules), rows, at<int32_t>(cuts), threads);
        },
        nb::call_guard<nb::gil_scoped_release>());
}

void bind_convolution(nb::module_& m) {
  m.def("sparse_conv",
        [](uintptr_t first, uintptr_t second, uintptr_t lists, uintptr_t cuts, int64_t volume, int64_t granules,
           int64_t rows, int64_t c_in, int64_t c_out, int64_t groups, uintptr_t feats, uintptr_t residual,
           uintptr_t weight, uintptr_t scale, uintptr_t bias, uintptr_t out, int element, bool relu, int64_t block_rows,
           int threads) {
          current().sparse_conv({pair_lists(first, second, lists, cuts, volume, granules), rows, c_in, c_out, groups,
                                 at<void>(feats), at<void>(residual), at<float>(weight), at<float>(scale),
                                 at<float>(bias), at<void>(out), static_cast<Element>(element), relu, block_rows, threads});
        },
        nb::call_guard<nb::gil_scoped_release>());
  m.def("sparse_conv_weight_gradient",
        [](uintptr_t first, uintptr_t second, uintptr_t lists, uintptr_t cuts, int64_t volume, int64_t granules,
           int64_t c_in, int64_t c_out, int64_t groups, uintptr_t feats, uintptr_t grad, uintptr_t weight_grad,
           int64_t parts, uintptr_t copies, int threads) {
          current().sparse_conv_weight_gradient({pair_lists(first, second, lists, cuts, volume, granules), c_in, c_out,
                                                 groups, at<float>(feats), at<float>(grad), at<float>(weight_grad), parts,
                                                 at<float>(copies), threads});
        },
        nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void bind_voxel(nb::module_& m) {
  bind_maps(m);
  bind_convolution(m);
}

}  // namespace tamis
