"""Matrices in files: written whole or not at all, read with every number checked."""

from tamis.formats.files.by_name import load, save
from tamis.formats.files.matrix_market import read_matrix_market
from tamis.formats.files.record import from_record, to_record
from tamis.formats.files.smtx import read_smtx, write_smtx

__all__ = ["from_record", "load", "read_matrix_market", "read_smtx", "save", "to_record", "write_smtx"]
