"""Prediction: from a recording to a distribution, by a trained ensemble."""
