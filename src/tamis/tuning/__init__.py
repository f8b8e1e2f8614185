"""What a call will cost: the timer, the cost model, and the constants of this machine. Kernels come here as callables."""
