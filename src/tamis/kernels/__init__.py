"""How things are computed: plain tensors and numbers in, tensors out. Only :mod:`tamis.ops` chooses among these."""
