"""Starters that recommend."""

from __future__ import annotations

from marketplace.training.starters.starter import Starter

STARTERS = (
    Starter(
        name="products",
        title="Shop recommendations demo",
        summary="Says what a shopper may want next, by what is in the basket. A shop of 192 products that does not exist.",
        task="recommendation",
        recipe="two_tower",
        dataset="shop",
        prices={"row": "0.0001"},
        licence="Apache-2.0",
    ),
    Starter(
        name="articles",
        title="What to read next in Python's help",
        summary="Says which page of Python's help to read next, by those read so far.",
        task="recommendation",
        recipe="two_tower",
        dataset="pages",
        prices={"row": "0.0001"},
        licence="Apache-2.0",
    ),
    Starter(
        name="people",
        title="People to follow demo",
        summary="Says whom somebody may want to follow next. A network of 200 people that do not exist.",
        task="recommendation",
        recipe="two_tower",
        dataset="follows",
        prices={"row": "0.0001"},
        licence="Apache-2.0",
    ),
    Starter(
        name="ranking",
        title="Personal menu demo",
        summary="Puts a menu in the order that suits a guest, by what he ordered before. 96 dishes of eight cuisines.",
        task="ranking",
        recipe="two_tower",
        dataset="menus",
        prices={"row": "0.0001"},
        licence="Apache-2.0",
    ),
)
