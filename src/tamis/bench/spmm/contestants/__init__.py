"""Who takes part in the SpMM suite."""
