"""Data: feature sets, packed frames, targets, folds and predictions."""
