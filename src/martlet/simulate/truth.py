"""The planted truths as tables, for tests and for measuring models."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from martlet.simulate.aftermath import Payments
from martlet.simulate.categories import CATEGORIES
from martlet.simulate.config import CHANNELS, COUNTRIES, IntArray, ShopConfig
from martlet.simulate.customers import KINDS, VISITOR, People
from martlet.simulate.devices import NETWORKS, Addresses
from martlet.simulate.emails import SUBJECTS, VARIANT_LIFT, machine_opens
from martlet.simulate.experiments import EXPERIMENTS, VARIANTS, Exposures
from martlet.simulate.orders import FRAUD_ORDER, ORDER_KINDS, Orders
from martlet.simulate.products import Catalogue
from martlet.simulate.robots import ROBOTS, RobotHits
from martlet.simulate.stock import COMPETITORS
from martlet.simulate.support import INTENTS, Messages
from martlet.simulate.tally import Tally
from martlet.simulate.text import ids, ip_texts, pick, times

__all__ = ["chunk_truths", "shop_truths"]


def shop_truths(config: ShopConfig, catalogue: Catalogue, tally: Tally) -> dict[str, pa.Table]:
    """Return the truths that hold for the whole shop."""
    parameters = {name: float(value) for name, value in asdict(config.parameters).items()}
    parameters["winback_days"] = 60.0
    product_ids = ids("P", catalogue.number, 3)
    main = np.arange(catalogue.main)
    pairs = main[catalogue.pair >= 0]
    follows = main[catalogue.following >= 0]
    days, count = catalogue.available.shape
    day, product = np.divmod(np.arange(days * count), count)
    return {
        "parameters": pa.table({"name": list(parameters), "value": list(parameters.values())}),
        "products": pa.table(
            {
                "product_id": product_ids,
                "category": pick([c.name for c in CATEGORIES], catalogue.category),
                "elasticity": catalogue.elasticity,
                "return_rate": catalogue.return_rate,
                "base_weight": catalogue.weight,
                "list_price": catalogue.list_price,
                "unit_cost": catalogue.unit_cost,
                "is_small_thing": np.arange(len(catalogue.number)) >= catalogue.main,
            }
        ),
        "categories": pa.table(
            {
                name: [getattr(c, name) for c in CATEGORIES]
                for name in (
                    "name",
                    "elasticity",
                    "season_amplitude",
                    "season_peak_day",
                    "trend_per_year",
                    "return_rate",
                )
            }
        ),
        "prices": pa.table(
            {
                "product_id": product_ids.take(pa.array(product)),
                "date": pc.utf8_slice_codeunits(times(config.start_second + day * 86400), 0, 10),
                "price": catalogue.price[day, product],
                "is_available": catalogue.available[day, product],
            }
        ),
        "pairs": pa.table(
            {
                "product_id": product_ids.take(pa.array(pairs)),
                "partner_id": product_ids.take(pa.array(catalogue.pair[pairs])),
                "attach_probability": catalogue.pair_probability[pairs],
                "orders": np.full(len(pairs), tally.orders),
                "orders_with_product": tally.pairs[:, 0],
                "orders_with_partner": tally.pairs[:, 1],
                "orders_with_both": tally.pairs[:, 2],
            }
        ),
        "sequences": pa.table(
            {
                "product_id": product_ids.take(pa.array(follows)),
                "next_product_id": product_ids.take(pa.array(catalogue.following[follows])),
                "follow_probability": catalogue.following_probability[follows],
                "orders_followed_by_another": tally.sequences[:, 0],
                "of_which_with_next_product": tally.sequences[:, 1],
            }
        ),
        "experiments": pa.table(
            {
                "experiment": [e.name for e in EXPERIMENTS],
                "unit": [e.unit for e in EXPERIMENTS],
                "relative_lift_in_segment": [e.lift for e in EXPERIMENTS],
                "relative_lift_elsewhere": [e.lift_other for e in EXPERIMENTS],
                "first_day": [
                    str(config.day(max(0, config.days - e.days_before_end))) for e in EXPERIMENTS
                ],
                "days": [e.days for e in EXPERIMENTS],
            }
        ),
        "subjects": pa.table(
            {
                "subject_a": [pair[0] for pair in SUBJECTS],
                "subject_b": [pair[1] for pair in SUBJECTS],
                "open_odds_ratio_b": list(VARIANT_LIFT),
            }
        ),
        "competitors": pa.table(
            {
                "competitor": [c[0] for c in COMPETITORS],
                "price_level": [c[1] for c in COMPETITORS],
                "follows_our_promotions": [c[3] for c in COMPETITORS],
            }
        ),
    }


def chunk_truths(
    config: ShopConfig,
    chunk: int,
    people: People,
    orders: Orders,
    payments: Payments,
    exposures: Exposures,
    messages: Messages,
    places: list[tuple[IntArray, Addresses]],
    hits: RobotHits,
    first_message: int,
) -> dict[str, pa.Table]:
    """Return the truths about one chunk's customers, orders, addresses and messages."""
    who = np.flatnonzero(people.number > 0)
    left = orders.left_at[who]
    p = config.parameters
    real = orders.rate * orders.subtotal / 100.0
    return {
        "customers": pa.table(
            {
                "customer_id": ids("C", people.number[who]),
                "kind": pick(KINDS, people.kind[who]),
                "channel": pick(CHANNELS, people.channel[who]),
                "country": pick([c[0] for c in COUNTRIES], people.country[who]),
                "acquired_day": people.acquired[who],
                "purchase_rate_per_day": people.purchase_rate[who],
                "dropout_probability": people.dropout_probability[who],
                "spend_rate_nu": people.spend_rate[who],
                "mean_order_value": p.spend_p / people.spend_rate[who],
                "is_alive_at_end": np.isinf(left) & (people.kind[who] == 0),
                "dropped_out_day": np.where(np.isinf(left), np.nan, left),
                "best_email_hour": people.best_hour[who],
                "has_machine_opens": machine_opens(config, chunk, len(people))[who],
                "fraud_burst": people.burst[who],
            }
        ),
        "orders": pa.table(
            {
                "order_id": ids("O", orders.number),
                "kind": pick(ORDER_KINDS, orders.kind),
                "is_fraud": orders.kind == FRAUD_ORDER,
                "is_disputed": payments.disputed_order,
                "target_items_amount": orders.target,
                "realised_items_amount": real,
            }
        ),
        "exposures": pa.table(
            {
                "experiment": pick([e.name for e in EXPERIMENTS], exposures.experiment),
                "variant": pick(VARIANTS, exposures.variant),
                "is_in_segment": exposures.segment,
                "is_converted": exposures.converted,
            }
        ),
        "support_messages": pa.table(
            {
                "message_id": ids("s", first_message + np.arange(len(messages.intent))),
                "intent": pick([i[0] for i in INTENTS], messages.intent),
            }
        ),
        "addresses": _addresses(people, places, hits),
    }


def _addresses(
    people: People, places: list[tuple[IntArray, Addresses]], hits: RobotHits
) -> pa.Table:
    """Return every address seen (an IPv6 home as its /64), its kind, and how many came from it."""
    person = np.concatenate([who for who, _ in places])
    value = np.concatenate([place.value for _, place in places])
    is_v6 = np.concatenate([place.is_v6 for _, place in places])
    network = np.concatenate([place.network for _, place in places])
    key = np.where(is_v6, value >> np.uint64(32) << np.uint64(32), value)
    keys, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    visits = np.unique(inverse * np.int64(len(people)) + person)
    distinct = np.bincount(visits // len(people), minlength=len(keys))
    looks = np.ones(len(keys), dtype=bool)
    looks[inverse[people.kind[person] != VISITOR + 1]] = False
    text: Any = ip_texts(keys, is_v6[first])
    text = pc.if_else(
        pa.array(is_v6[first]),
        pc.replace_substring_regex(text, "::.*$", "::/64"),
        text,
    )
    kinds = pick(NETWORKS, network[first])
    kinds = pc.if_else(pa.array(looks), "looker", kinds)
    robots, robot_first = np.unique(hits.address, return_index=True)
    robot = hits.robot[robot_first]
    human = pa.table(
        {
            "address": text,
            "kind": kinds,
            "is_bot": np.zeros(len(keys), dtype=bool),
            "is_good_bot": np.zeros(len(keys), dtype=bool),
            "is_shared": np.isin(network[first], [3, 4]),
            "people": distinct,
        }
    )
    automatic = pa.table(
        {
            "address": ip_texts(robots, np.zeros(len(robots), dtype=bool)),
            "kind": pick([r.kind for r in ROBOTS], robot),
            "is_bot": np.ones(len(robots), dtype=bool),
            "is_good_bot": np.array([r.good for r in ROBOTS])[robot],
            "is_shared": np.zeros(len(robots), dtype=bool),
            "people": np.zeros(len(robots), dtype=np.int64),
        }
    )
    return pa.concat_tables([human, automatic])
