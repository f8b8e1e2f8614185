#pragma once
#include <nanobind/nanobind.h>

namespace tamis {

void bind_text(nanobind::module_& m);

}  // namespace tamis
