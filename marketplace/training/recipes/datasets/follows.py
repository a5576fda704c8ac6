"""Who follows whom in a network of people that do not exist, by a process that is written here.

200 people write, each at home in one of ten circles (climbing, choir, …) and one of five towns. 3,000 members follow them one after
another. A member has a circle, sometimes two, and a town. Whom she follows first is drawn by fame and likeness (homophily:
McPherson, Smith-Lovin and Cook 2001); later, with probability 0.55, she follows somebody whom one of those whom she follows
does (triadic closure: Granovetter 1973). Those who write follow one another by the same rules.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import Item
from marketplace.training.recipes.datasets.interactions import Log, one_hot, slug, split

WRITERS, MEMBERS = 200, 3_000
CLOSURE = 0.55
CIRCLES = (
    "climbing", "choir", "chess", "gardening", "film", "running", "baking", "astronomy", "street photography", "board games",
)  # fmt: skip
TOWNS = ("Aachen", "Bergen", "Coimbra", "Delft", "Exeter")
FIRST = """
Ada Ben Chiara Dev Elif Femi Greta Hugo Ines Jonas Keiko Luca Mira Noah Olga Pablo Quinn Rosa Samir Tove Uma Viktor Wanda
Xin Yara Zoltan Amara Bruno Celia Dario
"""
LAST = """
Adeyemi Berg Costa Dubois Eriksen Fischer Garcia Haddad Ito Jansen Kaya Larsen Moreau Novak Okafor Petrov Quist Rossi Silva
Tanaka Ueda Vogel Weber Xu Yilmaz Zhang Almeida Brandt Conti Doyle Evans Farkas Gupta Holm Ivanov Jovic Kowalski
"""


def follows(seed: int) -> Log:
    """200 people to follow and 3,000 members, who follow 4 to 15 of them."""
    random = np.random.default_rng(seed)
    circle, town = random.integers(0, len(CIRCLES), WRITERS), random.integers(0, len(TOWNS), WRITERS)
    fame = random.permutation(1 / (1 + np.arange(WRITERS)) ** 0.4)

    def likeness(circles: NDArray[np.int64], home: int) -> NDArray[np.float64]:
        found: NDArray[np.float64] = fame * (0.05 + np.isin(circle, circles)) * (1 + 2.0 * (town == home))
        return found

    def grow(likes: NDArray[np.float64], count: int, known: dict[int, list[int]], own: list[int]) -> list[int]:
        chosen: list[int] = []
        for _ in range(count):
            chances = likes
            if chosen and random.random() < CLOSURE:
                friends = known.get(int(random.choice(chosen)), [])
                chances = likes * np.isin(np.arange(WRITERS), friends)
            chances = chances.copy()
            chances[chosen + own] = 0
            if chances.sum():
                chosen.append(int(random.choice(WRITERS, p=chances / chances.sum())))
        return chosen

    known: dict[int, list[int]] = {}
    for at in range(WRITERS):
        known[at] = grow(likeness(circle[at : at + 1], int(town[at])), int(random.integers(6, 16)), known, [at])
    sequences = []
    for _ in range(MEMBERS):
        circles = random.choice(len(CIRCLES), 1 + int(random.random() < 0.3), replace=False)
        likes = likeness(circles, int(random.integers(len(TOWNS))))
        sequences.append(grow(likes, int(random.integers(4, 16)), known, []))
    names = [f"{first} {last}" for first in FIRST.split() for last in LAST.split()]
    titles = random.choice(names, WRITERS, replace=False)
    items = [
        Item(slug(title), title, f"{CIRCLES[c]}, {TOWNS[t]}")
        for title, c, t in zip(map(str, titles), circle, town, strict=True)
    ]
    attributes = np.hstack([one_hot([CIRCLES[c] for c in circle]), one_hot([TOWNS[t] for t in town])])
    return split(items, attributes, sequences, seed, "members")
