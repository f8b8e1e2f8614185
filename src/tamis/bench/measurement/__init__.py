"""What every suite's measurements have in common."""
