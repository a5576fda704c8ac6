"""What guests order from menus that change daily, in a restaurant that does not exist, by a process that is written here.

Each of 96 dishes has a cuisine and is hot or mild, with meat, fish or neither, hearty or light. A guest has a taste for each of
these (normal), and dishes that he loves for reasons that nobody wrote down. Each visit offers twelve dishes, drawn evenly. The guest orders one by the conditional
logit: with a chance in proportion to exp(utility) (McFadden 1974), where the utility adds his taste, how good the dish is,
and that he tires of what he had last. What was on offer is part of the log.
"""

from __future__ import annotations

import numpy as np

from marketplace.tasks.task import Item
from marketplace.training.recipes.datasets.interactions import Log, one_hot, slug, split

GUESTS, OFFERED = 3_000, 12
# Cuisine: dishes, each with hot (h), meat (m), fish (f), light (l) where it is so.
DISHES = """
Italian: Margherita pizza -; Spaghetti carbonara m; Mushroom risotto -; Penne arrabbiata h; Lasagne m; Caprese salad l; Seafood linguine f; Saltimbocca m; Minestrone l; Gnocchi with sage -; Vitello tonnato mf; Pizza diavola hm
Japanese: Salmon sushi fl; Tonkotsu ramen m; Vegetable tempura -; Chicken katsu curry m; Miso aubergine l; Sashimi fl; Okonomiyaki m; Udon with tofu l; Gyoza m; Spicy tuna roll hfl; Beef donburi m; Soba salad l
Indian: Butter chicken m; Palak paneer -; Lamb vindaloo hm; Chana masala h; Dal tadka l; Vegetable biryani -; Fish curry hf; Aloo gobi l; Chicken tikka hm; Rogan josh m; Masala dosa h; Prawn moilee f
Mexican: Tacos al pastor hm; Chicken burrito m; Bean quesadilla -; Fish tacos fl; Chilli con carne hm; Guacamole bowl l; Enchiladas verdes h; Carnitas m; Ceviche hfl; Elote -; Black bean soup l; Mole poblano hm
Thai: Pad thai f; Green curry hm; Tom yum hfl; Papaya salad hl; Massaman curry m; Tofu pad see ew -; Larb hml; Red curry with duck hm; Spring rolls l; Basil chicken hm; Mango sticky rice -; Prawn glass noodles fl
Lebanese: Falafel plate -; Hummus with lamb m; Tabbouleh l; Chicken shawarma m; Fattoush l; Kibbeh m; Grilled halloumi -; Mujaddara -; Sea bass with tahini fl; Stuffed vine leaves l; Lamb kofta hm; Shakshuka h
French: Onion soup -; Steak frites m; Ratatouille l; Bouillabaisse f; Coq au vin m; Salade niçoise fl; Quiche lorraine m; Moules marinières f; Cassoulet m; Leek tart -; Confit de canard m; Sole meunière fl
American: Cheeseburger m; Buffalo wings hm; Mac and cheese -; Caesar salad ml; Pulled pork m; Clam chowder f; Veggie burger -; Cobb salad ml; Jambalaya hm; Fish and chips f; Barbecue ribs m; Sweet potato fries -
"""


def menus(seed: int) -> Log:
    """96 dishes and 3,000 guests with 4 to 16 visits each."""
    lines = [line.split(": ") for line in DISHES.strip().splitlines()]
    dishes = [(cuisine, *dish.rsplit(" ", 1)) for cuisine, listed in lines for dish in listed.split("; ")]
    cuisines = one_hot([cuisine for cuisine, _, _ in dishes])
    kinds = np.asarray([[float(kind in marks) for kind in "hmfl"] for _, _, marks in dishes])
    attributes = np.hstack([cuisines, kinds])
    random = np.random.default_rng(seed)
    good = random.normal(0, 0.5, len(dishes))
    hidden = random.normal(size=(len(dishes), 3))
    scale = np.array([1.3] * cuisines.shape[1] + [1.2, 1.5, 1.0, 1.0])
    sequences, shown = [], []
    for _ in range(GUESTS):
        liking = (
            attributes @ (random.normal(size=attributes.shape[1]) * scale) + hidden @ random.normal(0, 0.6, 3) + good
        )
        orders: list[int] = []
        offers: list[list[int]] = []
        for _ in range(random.integers(4, 17)):
            offer = random.choice(len(dishes), OFFERED, replace=False)
            utility = liking[offer] - 1.5 * np.isin(offer, orders[-2:])
            chances = np.exp(utility - utility.max())
            orders.append(int(random.choice(offer, p=chances / chances.sum())))
            offers.append(offer.tolist())
        sequences.append(orders)
        shown.append(offers)
    items = [Item(slug(title), title, _about(cuisine, marks)) for cuisine, title, marks in dishes]
    return split(items, attributes, sequences, seed, "guests", shown)


def _about(cuisine: str, marks: str) -> str:
    words = {"h": "hot", "m": "meat", "f": "fish", "l": "light"}
    return ", ".join([cuisine, *(words[mark] for mark in marks if mark in words)])
