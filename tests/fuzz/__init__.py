"""Hostile input to every reader, constructor and checkpoint: a documented error or a right result, and nothing else.

``make fuzz MINUTES=10`` runs a campaign; ``tests/fuzz/test_fuzz.py`` a small one. A case is made from (seed, target, number) alone,
so that ``python -m tests.fuzz --seed S --target T --case N`` repeats it.
"""
