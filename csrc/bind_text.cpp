// Text matrices for Python: bytes in, tensors as addresses out.
#include "bind_text.h"

#include "text_entries.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace tamis {

void bind_text(nb::module_& m) {
  nb::class_<TextEntries>(m, "TextEntries")
      .def("__init__",
           [](TextEntries* self, int64_t rows, int64_t columns, bool indices, bool value, bool whole, bool nonnegative,
              int mirror, int64_t first_line) {
             new (self) TextEntries({rows, columns, indices, value, whole, nonnegative, static_cast<EntryRules::Mirror>(mirror)},
                                    first_line);
           },
           nb::kw_only(), "rows"_a, "columns"_a, "indices"_a, "value"_a, "whole"_a, "nonnegative"_a, "mirror"_a,
           "first_line"_a)
      .def("read",
           [](TextEntries& self, const nb::bytes& lines, int threads) {
             const std::string_view text(lines.c_str(), lines.size());
             nb::gil_scoped_release unlocked;
             self.read(text, threads);
           },
           "lines"_a, nb::kw_only(), "threads"_a)
      .def_prop_ro("lines", &TextEntries::lines)
      .def_prop_ro("count", &TextEntries::count)
      .def("values",
           [](const TextEntries& self, uintptr_t values) {
             self.copy_values(reinterpret_cast<double*>(values));
           },
           nb::kw_only(), "values"_a, nb::call_guard<nb::gil_scoped_release>())
      .def("to_rows",
           [](TextEntries& self, uintptr_t crow, uintptr_t col, uintptr_t values, int threads) {
             return self.to_rows(reinterpret_cast<int32_t*>(crow), reinterpret_cast<int32_t*>(col),
                                 reinterpret_cast<double*>(values), threads);
           },
           nb::kw_only(), "crow"_a, "col"_a, "values"_a, "threads"_a, nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace tamis
