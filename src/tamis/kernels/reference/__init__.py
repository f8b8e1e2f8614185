"""Obviously right PyTorch on any device: the oracle of every test and benchmark."""
