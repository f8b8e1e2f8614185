// Which of the compiled instruction sets runs: the best this CPU has, unless one was forced by name.
#pragma once
#include "kernels.h"

namespace tamis {

const Kernels& current();

// The table for products of n columns by panels: one of narrower vectors where those hold all columns, for they take
// fewer load slots. Never baseline, which has no FMA and so other bits.
const Kernels& current_for(int64_t n);

// The 8-bit product: that of the set in use, compiled once more for CPUs that have VNNI beside AVX-512.
const Int8Kernel& current_int8();
void use_vnni(bool use);

// Every ISA that was compiled in, best first; null-terminated.
const Kernels* const* compiled();
bool supported(const Kernels& table);  // by the CPU we run on

// Takes an ISA's name, or "auto". False if it is unknown or this CPU lacks it; then nothing changes.
bool force(const char* name);

}  // namespace tamis
