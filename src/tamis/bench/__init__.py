"""The evaluation as a program: one file per suite, peers beside our own kernels, rows in a CSV, one page."""
