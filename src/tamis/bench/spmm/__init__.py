"""The SpMM suite."""
