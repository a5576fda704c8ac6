"""The pages of Python's help with their real cross references, and readers who follow them, by a process that is written here.

The pages, their titles and their words ship with Python (pydoc_data); a page refers to another where it mentions its title,
or where `pydoc` names it under "Related help topics". A reader starts at a page by how many refer to it. From there he follows a reference, back
or forth, with probability 0.6; with 0.25 he goes to a page with similar words (cosine of TF-IDF), else he starts anew.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import Item
from marketplace.training.recipes.datasets.interactions import Log, split

READERS = 4_000
FOLLOW, SIMILAR = 0.6, 0.25
TWICE = ("else", "in")  # pages that repeat others


def pages(seed: int) -> Log:
    """77 pages and 4,000 readings of 3 to 8 pages. An item's attributes are what its page is about, in 24 numbers."""
    from pydoc_data.topics import topics

    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    names = sorted(name for name in topics if name not in TWICE)
    texts = [re.sub(r"\s+", " ", topics[name]) for name in names]
    titles = [topics[name].strip().splitlines()[0].translate({ord('"'): None}) for name in names]
    words = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit_transform(texts)
    similar = (words @ words.T).toarray() ** 2
    np.fill_diagonal(similar, 0)
    links = _references(names, titles, texts)
    random = np.random.default_rng(seed)
    known = 1 + links.sum(0)

    def reading() -> list[int]:
        chosen: list[int] = []
        for _ in range(random.integers(3, 9)):
            how = random.random() if chosen else 1.0
            here = chosen[-1] if chosen else 0
            if how < FOLLOW:
                chances = links[here] + links[:, here]
            else:
                chances = similar[here].copy() if how < FOLLOW + SIMILAR else known.copy()
            chances[chosen] = 0
            if chances.sum():
                chosen.append(int(random.choice(len(names), p=chances / chances.sum())))
        return chosen

    readings = [found for found in (reading() for _ in range(READERS)) if len(found) > 1]
    items = [Item(name, title, _begins(text, title)) for name, title, text in zip(names, titles, texts, strict=True)]
    about = TruncatedSVD(24, random_state=seed).fit_transform(words) * 4
    return split(items, about, readings, seed, "readings")


def _references(names: list[str], titles: list[str], texts: list[str]) -> NDArray[np.float64]:
    """(pages, pages): 1 where the page of the row refers to that of the column."""
    from pydoc import Helper

    links: NDArray[np.float64] = np.zeros((len(names), len(names)))
    plain = [text.translate({ord('"'): None}).lower() for text in texts]
    for column, title in enumerate(titles):
        for row, text in enumerate(plain):
            links[row, column] = row != column and title.lower() in text
    related = {**Helper.topics, **Helper.keywords}

    def page(word: str) -> str:
        """The page that help() shows for a word, through as many other words as it takes."""
        found = related.get(word, word)
        while isinstance(found, str) and found in related and found != related[found]:
            found = related[found]
        return found[0] if isinstance(found, tuple) else str(found)

    for word, found in related.items():
        for other in found[1].split() if isinstance(found, tuple) else ():
            if (here := page(word)) in names and (there := page(other)) in names and here != there:
                links[names.index(here), names.index(there)] = 1
    return links


def _begins(text: str, title: str) -> str:
    """The first words of the page below its title."""
    body = re.sub(r"^.*?[*=]{4,} | [-=*~^]{4,}", "", text.translate({ord('"'): None}).removeprefix(title)).strip()
    return body[:80].rsplit(" ", 1)[0] + " …"
