"""The emotion suite."""
