"""Training: configuration, four stages, members, meta-classifier, soup."""
