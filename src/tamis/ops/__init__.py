"""What the user calls. Only this room chooses kernels."""
