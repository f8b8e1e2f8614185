"""What is measured on: matrices, masks and graphs that are made again from a seed, each with a manifest."""
