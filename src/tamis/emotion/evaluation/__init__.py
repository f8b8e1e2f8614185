"""Evaluation: metrics, intervals over speakers, ablations, linear probes."""
