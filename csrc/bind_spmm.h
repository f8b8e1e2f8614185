#pragma once
#include <nanobind/nanobind.h>

namespace tamis {

void bind_spmm(nanobind::module_& m);

}  // namespace tamis
