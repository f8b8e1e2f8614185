"""No object compiled for one instruction set exports a weak symbol that another one could be linked to.

A function template or inline function of the standard library, instantiated in a file compiled with -mavx512f, becomes a weak symbol of
its usual name. The linker keeps one copy of it for the whole module, and an older CPU that calls this copy dies of an illegal instruction.
A weak symbol whose name holds ``tamis::<isa>::`` is harmless, whether as its namespace or as a template argument: no other code has such a name.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tamis.kernels.cpu.native import native

ROOT = Path(__file__).parents[2]
CMAKE_LISTS = (ROOT / "CMakeLists.txt").read_text()
CMAKE = shutil.which(
    "cmake", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
)
COMPILER = shutil.which("c++") or shutil.which("g++")
needs_nm = pytest.mark.skipif(not shutil.which("nm"), reason="needs nm (binutils)")
needs_compiler = pytest.mark.skipif(not COMPILER, reason="needs a C++ compiler")


def foreign_weak_symbols(objects: list[Path], isa: str) -> list[str]:
    """The weak symbols that ``objects`` define and whose names do not hold ``tamis::<isa>::``."""
    command = ["nm", "--demangle", "--defined-only", *map(str, objects)]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    weak = re.findall(r"^[0-9a-f]+ [WVu] (.*)$", listing, flags=re.MULTILINE)
    return [name for name in weak if f"tamis::{isa}::" not in name]


def flags_of(isa: str) -> list[str]:
    return (re.search(rf"set\(TAMIS_FLAGS_{isa} (.*)\)", CMAKE_LISTS) or ["", ""])[1].strip('"').split()


def sources() -> list[str]:
    return ["table.cpp", *(f"kernels/{p.name}" for p in sorted((ROOT / "csrc" / "kernels").glob("*.cpp")))]


def objects_in(build: Path, isa: str) -> list[Path]:
    """The ISA's objects in a build folder; empty unless every source has one that is no older."""
    found = [build / "CMakeFiles" / f"tamis_{isa}.dir" / "csrc" / f"{name}.o" for name in sources()]
    fresh = all(
        path.exists() and path.stat().st_mtime >= (ROOT / "csrc" / name).stat().st_mtime
        for path, name in zip(found, sources(), strict=True)
    )
    return found if fresh else []


@pytest.fixture(scope="module")
def isa_objects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Objects of the last build of this tree; where there is none, they are compiled here."""
    isas = native().isas_compiled()
    for build in sorted(ROOT.glob("build/*/")):
        found = {isa: objects_in(build, isa) for isa in isas}
        if all(found.values()):
            return found
    if not (COMPILER and CMAKE):
        pytest.skip("needs cmake and a C++ compiler, or a build folder of this tree")
    build = tmp_path_factory.mktemp("objects")
    configure = [CMAKE, "-S", ROOT, "-B", build, f"-DPython_EXECUTABLE={sys.executable}"]
    subprocess.run(configure, check=True, capture_output=True)
    targets = [f"tamis_{isa}" for isa in isas]
    subprocess.run(
        [CMAKE, "--build", build, "--parallel", "--target", *targets], check=True, capture_output=True
    )
    return {isa: objects_in(build, isa) for isa in isas}


@needs_nm
@pytest.mark.parametrize("isa", native().isas_compiled())
def test_every_weak_symbol_carries_the_name_of_its_isa(isa: str, isa_objects: dict[str, list[Path]]) -> None:
    assert len(isa_objects[isa]) == len(sources())
    assert not foreign_weak_symbols(isa_objects[isa], isa)


@needs_nm
@needs_compiler
@pytest.mark.parametrize("isa", native().isas_compiled())
def test_a_planted_template_of_the_standard_library_is_found(isa: str, tmp_path: Path) -> None:
    source, compiled = tmp_path / "planted.cpp", tmp_path / "planted.o"
    source.write_text(f"""
#include <vector>
namespace tamis::{isa} {{
template <class T> __attribute__((noinline)) T twice(T x) {{ return x + x; }}
void planted(std::vector<float>& grown) {{ grown.push_back(twice(grown.back())); }}
}}
""")
    subprocess.run([COMPILER, "-std=c++17", "-O3", *flags_of(isa), "-c", source, "-o", compiled], check=True)
    found = foreign_weak_symbols([compiled], isa)
    assert found
    assert all("std::vector<float" in name for name in found), "tamis::<isa>::twice is not among them"


def test_every_vector_isa_has_flags() -> None:
    assert all(flags_of(isa) for isa in native().isas_compiled() if isa != "baseline")
