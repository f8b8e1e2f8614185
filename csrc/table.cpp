// Fills the table of kernels for the instruction set being compiled.
#include "kernels.h"
#include "simd.h"

namespace tamis::TAMIS_ISA {

#define TAMIS_STRING(x) #x
#define TAMIS_NAME(x) TAMIS_STRING(x)

double fma_peak(double seconds);
void spmm_csr(const SpmmCall& call);
void spmm_bsr(const SpmmCall& call);
void spmv_window(const SpmvCall& call);
extern const Int8Kernel int8_kernel;
void sddmm_csr(const SddmmCall& call);
void sddmm_bsr(const SddmmCall& call);
void sddmm_window(const SddmmWindowCall& call);
void kernel_map_search(const KernelMapSearch& call);
void kernel_map_gather(const KernelMapSearch& call, int32_t* target_rows, int32_t* source_rows);
void kernel_map_cuts(const PairLists& pairs, int64_t rows, int32_t* cuts, int32_t threads);
void sparse_conv(const SparseConvCall& call);
void sparse_conv_weight_gradient(const SparseConvGradientCall& call);
void sparse_pool(const SparsePoolCall& call);
void point_range(const PointGrid& grid, int64_t chunks, double* range);
void point_keys(const PointGrid& grid, void* keys);
void point_rows(const PointGrid& grid, const KeyIndex& index, int32_t* rows);
void point_corners(const PointGrid& grid, const KeyIndex& index, int32_t* rows, double* weights);

extern const Kernels table;
const Kernels table = {
    TAMIS_NAME(TAMIS_ISA),
    Vec::width,
    fma_peak,
    spmm_csr,
    spmm_bsr,
    spmv_window,
    &int8_kernel,
    sddmm_csr,
    sddmm_bsr,
    sddmm_window,
    kernel_map_search,
    kernel_map_gather,
    kernel_map_cuts,
    sparse_conv,
    sparse_conv_weight_gradient,
    sparse_pool,
    point_range,
    point_keys,
    point_rows,
    point_corners,
};

}  // namespace tamis::TAMIS_ISA
