#include "dispatch.h"

#include <cstring>

#include "isas.h"

namespace tamis {

#define X(isa) \
  namespace isa { extern const Kernels table; }
TAMIS_FOR_EACH_ISA(X)
#undef X
#if defined(__x86_64__)
namespace avx512_vnni { extern const Int8Kernel int8_kernel; }
#endif

namespace {

#define X(isa) &isa::table,
const Kernels* const tables[] = {TAMIS_FOR_EACH_ISA(X) nullptr};
#undef X

const Kernels* best() {
  for (const Kernels* const* t = tables; *t; ++t)
    if (supported(**t)) return *t;
  return nullptr;  // unreachable: baseline is always supported
}

const Kernels* forced = nullptr;
bool vnni = true;

}  // namespace

bool supported(const Kernels& table) {
#if defined(__x86_64__)
  if (!std::strcmp(table.isa, "avx512"))
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (!std::strcmp(table.isa, "avx2")) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return !std::strcmp(table.isa, "baseline");
}

const Kernels* const* compiled() { return tables; }

const Kernels& current() {
  if (forced) return *forced;
  static const Kernels* const chosen = best();
  return *chosen;
}

const Kernels& current_for(int64_t n) {
  const Kernels* chosen = &current();
  for (const Kernels* const* t = tables; *t; ++t)
    if ((*t)->width < chosen->width && (*t)->width >= n && std::strcmp((*t)->isa, "baseline") && supported(**t)) chosen = *t;
  return *chosen;
}

const Int8Kernel& current_int8() {
#if defined(__x86_64__)
  if (vnni && !std::strcmp(current().isa, "avx512") && __builtin_cpu_supports("avx512vnni")) return avx512_vnni::int8_kernel;
#endif
  return *current().int8;
}

void use_vnni(bool use) { vnni = use; }

bool force(const char* name) {
  if (!std::strcmp(name, "auto")) {
    forced = nullptr;
    return true;
  }
  for (const Kernels* const* t = tables; *t; ++t)
    if (!std::strcmp((*t)->isa, name) && supported(**t)) {
      forced = *t;
      return true;
    }
  return false;
}

}  // namespace tamis
