"""What the user calls. Only this room chooses kernels."""

from tamis.ops.observed import recorded, refuse_trace, unobserved

__all__ = ["recorded", "refuse_trace", "unobserved"]
