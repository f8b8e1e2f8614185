"""Another set of categories for the same votes: to train across corpora, or to compare with published work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tamis.emotion.corpora.categories import OTHER
from tamis.emotion.corpora.labels import meant_by
from tamis.emotion.corpora.table import Corpus


def regroup(corpus: Corpus, categories: Sequence[str], merge: Mapping[str, str] | None = None) -> Corpus:
    """The corpus under other categories: some merged, some renamed, the rest counted as "other".

    Parameters
    ----------
    corpus : Corpus
    categories : sequence of str
        The new categories, in their order. One that the corpus lacks gets no votes.
    merge : mapping, optional
        Old category -> new one, for those that change their name.

    Returns
    -------
    Corpus
        All utterances, also those whose votes are all "other" now.

    Raises
    ------
    ValueError   if ``merge`` names a category that does not exist on its side.
    """
    merge = dict(merge or {})
    if strange := [c for c in merge if c not in corpus.categories] + [
        c for c in merge.values() if c not in categories
    ]:
        raise ValueError(
            f"regroup({corpus.name!r}): {', '.join(strange)} is no category; the corpus has "
            f"{', '.join(corpus.categories)}, asked for are {', '.join(categories)}."
        )
    notes = [
        f"no votes for {new!r}; did you mean {meant!r}?"
        for new in categories
        if new not in corpus.categories
        and new not in merge.values()
        and (meant := meant_by(new, corpus.categories))
    ]
    table = corpus.table.copy()
    for kind in ("votes", "mentions"):
        old = {c: table.pop(f"{kind}/{c}") for c in (*corpus.categories, OTHER)}
        for new in (*categories, OTHER):
            table[f"{kind}/{new}"] = 0.0
        for category, counts in old.items():
            target = merge.get(category, category if category in categories else OTHER)
            table[f"{kind}/{target}"] += counts
    return replace(corpus, categories=tuple(categories), table=table, notes=(*corpus.notes, *notes))
