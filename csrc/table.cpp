// Fills the table of kernels for the instruction set being compiled.
#include "kernels.h"
#include "simd.h"

namespace tamis::TAMIS_ISA {

#define TAMIS_STRING(x) #x
#define TAMIS_NAME(x) TAMIS_STRING(x)

double fma_peak(double seconds);
void spmm_csr(const SpmmCall& call);
void spmm_bsr(const SpmmCall& call);

extern const Kernels table;
const Kernels table = {
    TAMIS_NAME(TAMIS_ISA),
    Vec::width,
    fma_peak,
    spmm_csr,
    spmm_bsr,
};

}  // namespace tamis::TAMIS_ISA
