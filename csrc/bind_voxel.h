#pragma once
#include <nanobind/nanobind.h>

namespace tamis {

void bind_voxel(nanobind::module_& m);

}  // namespace tamis
