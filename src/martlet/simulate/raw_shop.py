"""The raw tables of the shop itself, as clean text: the mess comes afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from martlet.simulate.categories import BRANDS, CATEGORIES
from martlet.simulate.config import (
    CHANNELS,
    COUNTRIES,
    IntArray,
    ShopConfig,
    Streams,
)
from martlet.simulate.customers import STAFF, People
from martlet.simulate.devices import Devices
from martlet.simulate.emails import EMAIL_EVENTS, SUBJECTS, Emails
from martlet.simulate.experiments import EXPERIMENTS, VARIANTS, Exposures
from martlet.simulate.orders import Orders
from martlet.simulate.products import Catalogue
from martlet.simulate.support import INTENTS, SUPPORT_CHANNELS, Messages, message_texts
from martlet.simulate.text import (
    blank_where,
    digits,
    hexadecimal,
    ids,
    join,
    mix,
    money,
    pick,
    times,
    to_cents,
)

__all__ = [
    "customers_table",
    "email_events_table",
    "emails_table",
    "exposures_table",
    "products_table",
    "support_table",
]

_FIRST = (
    "anna",
    "ben",
    "clara",
    "david",
    "emma",
    "felix",
    "greta",
    "hugo",
    "ida",
    "jonas",
    "kim",
    "lena",
    "max",
    "nora",
    "otto",
    "paula",
    "rosa",
    "sam",
    "tess",
    "vera",
)
_LAST = (
    "bauer",
    "costa",
    "dubois",
    "egger",
    "fischer",
    "gruber",
    "huber",
    "jansen",
    "keller",
    "lang",
    "meier",
    "novak",
    "peters",
    "roth",
    "smith",
    "vogt",
    "wagner",
    "young",
)
_DOMAINS = ("mail.example", "post.example", "web.example")
_CITIES = {
    "DE": ("Berlin", "Hamburg", "Munich", "Leipzig", "Cologne"),
    "AT": ("Vienna", "Graz", "Linz", "Salzburg", "Innsbruck"),
    "CH": ("Zurich", "Bern", "Basel", "Geneva", "Chur"),
    "NL": ("Utrecht", "Amsterdam", "Breda", "Arnhem", "Delft"),
    "FR": ("Lyon", "Paris", "Lille", "Nantes", "Nice"),
    "GB": ("Leeds", "London", "Bristol", "York", "Cardiff"),
    "US": ("Denver", "Boston", "Austin", "Seattle", "Chicago"),
}
_CAMPAIGNS = ("", "brand", "spring_social", "welcome", "friends", "deals", "")
_CODES = [c[0] for c in COUNTRIES]


def emails_of(people: People, person: IntArray) -> Any:
    """Return everybody's e-mail address."""
    name = mix(person, people.city[person], 71)
    return join(
        pick(_FIRST, (name % np.uint64(len(_FIRST))).astype(np.int64)),
        ".",
        pick(_LAST, (name // np.uint64(64) % np.uint64(len(_LAST))).astype(np.int64)),
        digits(np.where(people.number[person] > 0, people.number[person], 900000 + person)),
        "@",
        pick(_DOMAINS, (name // np.uint64(4096) % np.uint64(len(_DOMAINS))).astype(np.int64)),
    )


def zone_form(country: IntArray) -> IntArray:
    """Return the form of times of an order or customer from a country (see ``times``)."""
    return np.where(np.isin(country, [0, 2]), 1, np.where(country == 6, 2, 0))


def registered_at(config: ShopConfig, chunk: int, people: People, orders: Orders) -> IntArray:
    """Return when accounts were made: shortly before the first order, or days before."""
    rng = Streams(config.seed, chunk)("registered")
    size = len(people)
    arrival = config.start_second + (people.acquired * 86400).astype(np.int64)
    earliest = arrival.copy()
    np.minimum.at(earliest, orders.person, orders.second)
    before = np.where(
        rng.random(size) < 0.75,
        rng.integers(60, 1800, size),
        (rng.exponential(8.0, size) * 86400).astype(np.int64) + 60,
    )
    # Fraud accounts made in a burst order within minutes.
    before = np.where(people.burst >= 0, rng.integers(20, 240, size), before)
    return np.maximum(earliest - before, config.start_second)


def customers_table(
    config: ShopConfig, chunk: int, people: People, registered: IntArray
) -> pa.Table:
    """Write the accounts in the order of their numbers."""
    rng = Streams(config.seed, chunk)("customer table")
    who = np.flatnonzero(people.has_account)
    who = who[np.argsort(people.number[who], kind="stable")]
    made = registered[who]
    country = people.country[who]
    end = config.start_second + config.days * 86400 - 1
    updated = np.minimum(made + rng.integers(60, 40 * 86400, len(who)), end)
    cities = [city for code in _CODES for city in _CITIES[code]]
    staff = people.kind[who] == STAFF
    return pa.table(
        {
            "customer_id": ids("C", people.number[who]),
            "email": emails_of(people, who),
            "created_at": times(made, zone_form(country)),
            "country": pick(_CODES, country),
            "city": pick(cities, country * 5 + people.city[who]),
            "accepts_marketing": pick(["false", "true"], people.accepts_email[who]),
            "channel": pick(CHANNELS, people.channel[who]),
            "campaign": pick(_CAMPAIGNS, people.channel[who]),
            "is_test": pick(["false", "true"], staff.astype(np.int64)),
            "updated_at": times(updated),
        }
    )


def products_table(config: ShopConfig, catalogue: Catalogue) -> pa.Table:
    """Write the catalogue in the order of its numbers."""
    row = np.argsort(catalogue.number, kind="stable")
    category = catalogue.category[row]
    launched = config.start_second + catalogue.launch_day[row] * 86400 + 28800
    launched -= np.where(catalogue.launch_day[row] == 0, (30 + row % 400) * 86400, 0)
    subcategories = [name for c in CATEGORIES for name in c.subcategories]
    return pa.table(
        {
            "product_id": ids("P", catalogue.number[row], 3),
            "title": pick(catalogue.title, row),
            "description": pick(catalogue.description, row),
            "category": pick([c.name for c in CATEGORIES], category),
            "subcategory": pick(subcategories, category * 2 + catalogue.subcategory[row]),
            "brand": pick(BRANDS, catalogue.brand[row]),
            "list_price": money(to_cents(catalogue.list_price[row])),
            "unit_cost": money(to_cents(catalogue.unit_cost[row])),
            "currency": pick(["EUR"], np.zeros(len(row), dtype=np.int64)),
            "created_at": times(launched),
            "status": pick(["archived", "active"], catalogue.is_active[row].astype(np.int64)),
        }
    )


def emails_table(people: People, emails: Emails, first_number: int) -> pa.Table:
    """Write the messages sent."""
    subjects = [text for pair in SUBJECTS for text in pair]
    return pa.table(
        {
            "message_id": ids("m", first_number + np.arange(len(emails.person))),
            "customer_id": ids("C", people.number[emails.person]),
            "sent_at": times(emails.second),
            "campaign": join("letter_", digits(emails.campaign + 1, 2)),
            "subject": pick(subjects, emails.subject * 2 + emails.variant),
            "variant": pick(["A", "B"], emails.variant),
        }
    )


def email_events_table(emails: Emails, first_event: int, first_message: int) -> pa.Table:
    """Write what became of the messages."""
    links = ("", "https://shop.example/?utm_source=newsletter", "", "", "")
    return pa.table(
        {
            "event_id": ids("v", first_event + np.arange(len(emails.event_message))),
            "message_id": ids("m", first_message + emails.event_message),
            "type": pick(EMAIL_EVENTS, emails.event_type),
            "time": times(emails.event_second),
            "url": pick(links, emails.event_type),
        }
    )


def support_table(people: People, orders: Orders, messages: Messages, first: int) -> pa.Table:
    """Write the support messages."""
    account = people.number[messages.person] > 0
    return pa.table(
        {
            "message_id": ids("s", first + np.arange(len(messages.person))),
            "customer_id": blank_where(ids("C", people.number[messages.person]), ~account),
            "order_id": blank_where(ids("O", orders.number[messages.order]), messages.order < 0),
            "created_at": times(messages.second, zone_form(people.country[messages.person])),
            "channel": pick(SUPPORT_CHANNELS, messages.channel),
            "body": message_texts(messages),
            "intent": blank_where(
                pick([i[0] for i in INTENTS], messages.intent), messages.is_labelled == 0
            ),
        }
    )


def exposures_table(people: People, devices: Devices, exposures: Exposures) -> pa.Table:
    """Write the exposures: by cookie for visitors, by account for customers."""
    visitor = exposures.device >= 0
    customer = ids("C", people.number[exposures.person])
    return pa.table(
        {
            "experiment": pick([e.name for e in EXPERIMENTS], exposures.experiment),
            "variant": pick(VARIANTS, exposures.variant),
            "cookie_id": blank_where(hexadecimal(devices.cookie[exposures.device], 10), ~visitor),
            "customer_id": blank_where(customer, visitor),
            "exposed_at": times(exposures.second),
        }
    )
