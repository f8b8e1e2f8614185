"""The evaluation as a program: a folder per suite, peers beside our own kernels, rows in a CSV, one page."""
