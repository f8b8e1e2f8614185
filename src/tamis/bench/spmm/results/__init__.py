"""What the SpMM suite's rows come to, on a page."""
