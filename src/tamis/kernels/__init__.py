from tamis.kernels.pair_lists import GRANULE, IDENTITY, INPUT_FIRST, OUTPUT_FIRST, Epilogue, PairLists

__all__ = ["GRANULE", "IDENTITY", "INPUT_FIRST", "OUTPUT_FIRST", "Epilogue", "PairLists"]
