"""Network: DeepSER, ridge members, their losses and settings."""
