"""Categories with what is planted for them, and the words products are named with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from martlet.simulate.config import IntArray, choose

__all__ = ["ADJECTIVES", "BRANDS", "CATEGORIES", "Category", "descriptions"]


@dataclass(frozen=True)
class Category:
    """A category and what is planted for it."""

    name: str
    subcategories: tuple[str, ...]
    nouns: tuple[str, ...]
    elasticity: float
    season_amplitude: float
    season_peak_day: float
    trend_per_year: float
    return_rate: float
    price: float


# The last one holds the small things that fill an order up to its value: never promoted.
CATEGORIES = (
    Category(
        "Tents",
        ("Trekking", "Family"),
        ("Dome Tent", "Tunnel Tent", "Tarp", "Bivy"),
        -1.2,
        0.9,
        170.0,
        0.10,
        0.07,
        130.0,
    ),
    Category(
        "Backpacks",
        ("Day", "Travel"),
        ("Daypack", "Rucksack", "Duffel", "Hip Bag"),
        -1.8,
        0.4,
        160.0,
        0.15,
        0.06,
        60.0,
    ),
    Category(
        "Jackets",
        ("Rain", "Warm"),
        ("Rain Jacket", "Down Jacket", "Fleece", "Vest"),
        -2.4,
        0.7,
        330.0,
        0.00,
        0.22,
        75.0,
    ),
    Category(
        "Footwear",
        ("Boots", "Trail"),
        ("Hiking Boot", "Trail Shoe", "Sandal", "Slipper"),
        -1.5,
        0.3,
        110.0,
        0.05,
        0.26,
        80.0,
    ),
    Category(
        "Cooking",
        ("Stoves", "Pots"),
        ("Gas Stove", "Pot Set", "Kettle", "Mug"),
        -2.0,
        0.3,
        180.0,
        0.20,
        0.03,
        24.0,
    ),
    Category(
        "Lighting",
        ("Headlamps", "Lanterns"),
        ("Headlamp", "Lantern", "Torch", "String Light"),
        -2.8,
        0.6,
        350.0,
        0.10,
        0.04,
        22.0,
    ),
    Category(
        "Bottles",
        ("Steel", "Soft"),
        ("Steel Bottle", "Soft Flask", "Flask", "Tumbler"),
        -3.2,
        0.3,
        190.0,
        0.25,
        0.02,
        15.0,
    ),
    Category(
        "Sleeping",
        ("Bags", "Mats"),
        ("Sleeping Bag", "Air Mat", "Foam Mat", "Hut Liner"),
        -1.0,
        0.6,
        165.0,
        -0.10,
        0.09,
        65.0,
    ),
    Category(
        "Small Things",
        ("Care", "Spares"),
        (
            "Patch",
            "Cord Lock",
            "Tent Peg",
            "Carabiner",
            "Soap Bar",
            "Fire Steel",
            "Map",
            "Wax Tin",
            "Buckle",
            "Tea Bag Set",
            "Sticker",
            "Bandana",
            "Whistle",
            "Lip Balm",
            "Cord",
            "Dry Sack",
        ),
        0.0,
        0.0,
        0.0,
        0.0,
        0.01,
        4.0,
    ),
)
ADJECTIVES = (
    "Alpine",
    "Breeze",
    "Cedar",
    "Drift",
    "Ember",
    "Fjord",
    "Granite",
    "Heron",
    "Island",
    "Juniper",
    "Kestrel",
    "Lichen",
    "Meadow",
    "North",
    "Otter",
)
BRANDS = ("Skarn", "Velden", "Ostra", "Pinewell", "Marl & Co")
USES = (
    "long weekends",
    "wet autumns",
    "summer huts",
    "first trips",
    "winter walks",
    "cycle tours",
)
MATERIALS = ("recycled nylon", "waxed cotton", "anodised aluminium", "merino blend", "steel")


def descriptions(rng: np.random.Generator, title: list[str], category: IntArray) -> list[str]:
    """Write one sentence a product."""
    material = choose(rng, np.ones(len(MATERIALS)), len(title))
    use = choose(rng, np.ones(len(USES)), len(title))
    return [
        f"{name} of {MATERIALS[m]} for {USES[u]}, from our {CATEGORIES[c].name.lower()} range"
        for name, m, u, c in zip(title, material, use, category, strict=True)
    ]
