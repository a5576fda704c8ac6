"""Sessions in a shop that does not exist, by a process that is written here.

Every product belongs to one of 24 pursuits (making coffee, camping, …), where the first named are bought most and go with
one another, and stands in a department, which is all that a shop would know. A shopper has a few pursuits (Dirichlet) and
a purse (log-normal). The next thing in the basket complements the last one (same pursuit) with probability 0.45; else a
pursuit is drawn by taste and a product by how often it is bought and how well its price suits the purse.
"""

from __future__ import annotations

import numpy as np

from marketplace.tasks.task import Item
from marketplace.training.recipes.datasets.interactions import Log, one_hot, slug, split

SESSIONS = 5_000
COMPLEMENT = 0.45
# A pursuit a line: products with department and price in dollars, the most bought first.
PRODUCTS = """
Espresso beans 1 kg/Food/19; Moka pot/Kitchen/29; Burr coffee grinder/Kitchen/89; Milk frother/Kitchen/25; Espresso cups, set of 4/Tableware/24; Gooseneck kettle/Kitchen/59; Paper filters, 100/Kitchen/6; Barista scale/Kitchen/39
Loose-leaf green tea/Food/12; Cast-iron teapot/Tableware/45; Tea infuser/Kitchen/9; Earl Grey, 50 bags/Food/7; Teacups, set of 6/Tableware/34; Acacia honey/Food/11; Butter biscuits/Food/5; Matcha whisk/Kitchen/14
Bread flour 5 kg/Food/9; Proofing basket/Kitchen/19; Digital kitchen scale/Kitchen/22; Dough scraper/Kitchen/8; Dutch oven/Kitchen/79; Instant yeast/Food/4; Bread knife/Kitchen/27; Linen bread bag/Kitchen/13
Cake tin/Kitchen/15; Vanilla pods/Food/10; Hand mixer/Kitchen/49; Piping bags/Kitchen/7; Cake stand/Tableware/32; Cookie cutters/Kitchen/9; Dark baking chocolate/Food/6; Silicone spatulas/Kitchen/12
Carbon-steel wok/Kitchen/42; Jasmine rice 5 kg/Food/16; Soy sauce/Food/5; Bamboo steamer/Kitchen/21; Sesame oil/Food/7; Chopsticks, 10 pairs/Tableware/11; Rice cooker/Kitchen/69; Chilli crisp/Food/8
Kettle barbecue/Garden/149; Charcoal 10 kg/Garden/18; Grill tongs/Kitchen/15; Meat thermometer/Kitchen/24; Smoked paprika/Food/5; Grill apron/Kitchen/22; Cedar planks/Garden/17; Barbecue sauce/Food/6
Two-person tent/Outdoor/179; Sleeping bag/Outdoor/99; Sleeping mat/Outdoor/45; Headlamp/Outdoor/29; Camping stove/Outdoor/59; Titanium spork/Outdoor/9; Gas cartridge/Outdoor/8; Dry bag 20 l/Outdoor/19
Hiking boots/Sport/149; Trekking poles/Outdoor/65; Day pack 25 l/Outdoor/79; Merino socks/Clothes/18; Rain jacket/Clothes/119; Water bladder/Outdoor/32; Blister plasters/Care/7; Trail mix/Food/6
Running shoes/Sport/129; Running socks/Clothes/14; GPS watch/Electronics/199; Running belt/Sport/22; Energy gels, 12/Food/21; Reflective vest/Sport/17; Foam roller/Sport/27; Wireless earbuds/Electronics/79
Yoga mat/Sport/39; Yoga blocks/Sport/18; Leggings/Clothes/42; Meditation cushion/Home/36; Resistance bands/Sport/16; Lavender oil/Care/11; Mat cleaner/Care/9; Yoga strap/Sport/10
Bicycle helmet/Sport/69; Inner tubes, 2/Sport/11; Bicycle pump/Sport/34; Chain oil/Sport/9; Rear light/Sport/25; Bicycle lock/Sport/49; Padded shorts/Clothes/55; Bottle cage/Sport/12
Swimming goggles/Sport/19; Swimsuit/Clothes/39; Quick-dry towel/Outdoor/21; Swimming cap/Sport/8; Ear plugs/Care/6; Pull buoy/Sport/15; Wet bag/Outdoor/13; Chlorine shampoo/Care/12
Nappies, 60/Baby/19; Baby wipes, 6 packs/Baby/12; Baby bottles, set of 3/Baby/24; Muslin cloths/Baby/16; Baby monitor/Electronics/89; Teething ring/Baby/8; Changing mat/Baby/29; Night light/Home/18
Building bricks, 500/Toys/39; Wooden railway/Toys/54; Picture book/Books/12; Crayons, 24/Toys/7; Jigsaw, 100 pieces/Toys/13; Modelling clay/Toys/11; Toy kitchen/Toys/89; Stickers/Toys/4
Dog food 10 kg/Pets/38; Dog lead/Pets/19; Chew toys/Pets/12; Dog bed/Pets/45; Poop bags, 200/Pets/9; Dog shampoo/Pets/11; Training treats/Pets/7; Dog coat/Pets/34
Cat litter 20 l/Pets/14; Wet cat food, 24/Pets/22; Scratching post/Pets/39; Feather wand/Pets/8; Cat tunnel/Pets/17; Water fountain/Pets/35; Cat carrier/Pets/42; Catnip/Pets/5
Tomato seeds/Garden/3; Potting soil 40 l/Garden/11; Secateurs/Garden/28; Garden gloves/Garden/9; Watering can/Garden/19; Raised bed/Garden/79; Plant labels/Garden/5; Tomato feed/Garden/8
Monstera/Plants/29; Terracotta pots, 5/Plants/22; Plant mister/Plants/12; Snake plant/Plants/24; Grow light/Electronics/44; Moisture meter/Plants/13; Macramé hanger/Home/17; Orchid soil/Plants/7
Mechanical keyboard/Electronics/119; Monitor arm/Office/89; Wireless mouse/Electronics/49; Desk mat/Office/25; USB-C hub/Electronics/45; Laptop stand/Office/39; Webcam/Electronics/79; Cable clips/Office/8
Fountain pen/Stationery/49; Dotted notebook/Stationery/17; Bottled ink/Stationery/14; Washi tape/Stationery/9; Brush pens/Stationery/19; Wax seal kit/Stationery/22; Letter paper/Stationery/12; Desk calendar/Stationery/15
Acrylic paints, 24/Art/32; Canvas panels, 10/Art/24; Paintbrush set/Art/18; Table easel/Art/36; Sketchbook/Art/13; Palette knife/Art/8; Varnish/Art/16; Drawing pencils/Art/15
Merino yarn/Crafts/12; Knitting needles/Crafts/14; Stitch markers/Crafts/6; Pattern book/Books/22; Crochet hooks/Crafts/16; Yarn bowl/Crafts/29; Project bag/Crafts/21; Tape measure/Crafts/5
Cordless drill/Tools/99; Drill bits, 30/Tools/24; Screws, assorted/Tools/13; Spirit level/Tools/18; Wall plugs/Tools/6; Safety glasses/Tools/11; Sandpaper/Tools/7; Workbench/Tools/139
Acoustic guitar/Music/189; Guitar strings/Music/11; Clip-on tuner/Music/15; Plectrums/Music/6; Capo/Music/13; Guitar stand/Music/22; Songbook/Books/19; Guitar strap/Music/17
"""


def shop(seed: int) -> Log:
    """192 products and 5,000 baskets of 3 to 9."""
    rows = [line.split("; ") for line in PRODUCTS.strip().splitlines()]
    flat = [one.split("/") for line in rows for one in line]
    prices = np.log([float(price) for _, _, price in flat])
    pursuits = np.repeat(np.arange(len(rows)), [len(line) for line in rows])
    rank = np.concatenate([np.arange(len(line)) for line in rows])
    random = np.random.default_rng(seed)
    bought = 1 / (1 + rank) ** 0.7
    busy = random.dirichlet(np.full(len(rows), 3.0))  # some pursuits have more followers

    def basket() -> list[int]:
        taste = random.dirichlet(busy * len(rows) * 0.12)
        purse = random.normal(3.2, 0.9)
        suits = bought * np.exp(-0.5 * ((prices - purse) / 1.2) ** 2)
        chosen: list[int] = []
        for _ in range(random.integers(3, 10)):
            again = chosen and random.random() < COMPLEMENT
            pursuit = pursuits[chosen[-1]] if again else random.choice(len(rows), p=taste)
            chances = np.where(pursuits == pursuit, suits, 0.0)
            chances[chosen] = 0
            if chances.sum():
                chosen.append(int(random.choice(len(flat), p=chances / chances.sum())))
        return chosen

    baskets = [found for found in (basket() for _ in range(SESSIONS)) if len(found) > 1]
    items = [Item(slug(title), title, f"{department}, ${price}") for title, department, price in flat]
    price = ((prices - prices.mean()) / prices.std())[:, None]
    return split(
        items, np.hstack([one_hot([department for _, department, _ in flat]), price]), baskets, seed, "baskets"
    )
