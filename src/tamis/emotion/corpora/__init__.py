"""Corpora: one table of raw votes and ratings per corpus. Explicit imports only:

``table``      what a corpus is            ``named``     a reader by name
``checks``     leaks, duplicates, damage   ``regroup``   other categories for the same votes
``csv_table``, ``audformat_table``         read and write
``msp_podcast``, ``iemocap``, ``crema_d``, ``ravdess``, ``emodb``, ``meld``, ``emo_superb``, ``emobox``   readers
"""
