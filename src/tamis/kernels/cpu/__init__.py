"""The faces of ``csrc/kernels``: one file per kernel, same names."""
