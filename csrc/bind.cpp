// The border to Python: addresses and sizes across, nothing else. What is passed has been checked in tamis.ops.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "bind_spmm.h"
#include "bind_text.h"
#include "bind_voxel.h"
#include "dispatch.h"

namespace nb = nanobind;

namespace tamis {
namespace {

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

}  // namespace
}  // namespace tamis

NB_MODULE(_cpu, m) {
  using namespace tamis;
  bind_isa(m);
  bind_spmm(m);
  bind_text(m);
  bind_voxel(m);
}
