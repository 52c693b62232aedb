"""One chunk of customers: all parts in their order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from martlet.simulate import raw_orders, raw_shop, raw_traffic
from martlet.simulate.aftermath import make_payments, make_refunds
from martlet.simulate.config import ShopConfig
from martlet.simulate.customers import make_people
from martlet.simulate.devices import addresses_of, make_devices
from martlet.simulate.emails import make_emails
from martlet.simulate.events import make_events
from martlet.simulate.experiments import make_exposures
from martlet.simulate.orders import make_orders
from martlet.simulate.products import Catalogue
from martlet.simulate.robots import make_robot_hits
from martlet.simulate.support import make_messages
from martlet.simulate.tally import Tally
from martlet.simulate.text import times
from martlet.simulate.traffic import add_visitors, make_sessions, order_devices
from martlet.simulate.truth import chunk_truths

__all__ = ["Numbers", "simulate_chunk"]


class Numbers:
    """Counts the ids given out so far."""

    def __init__(self) -> None:
        self.next: dict[str, int] = {}

    def take(self, name: str, count: int) -> int:
        """Return the first of so many new numbers."""
        first = self.next.get(name, 1)
        self.next[name] = first + count
        return first


def simulate_chunk(
    config: ShopConfig,
    chunk: int,
    customers: int,
    catalogue: Catalogue,
    numbers: Numbers,
    tally: Tally,
) -> tuple[dict[str, tuple[pa.Table, pa.Array | None]], dict[str, pa.Table]]:
    """Simulate one chunk: its clean raw tables (with earlier save times) and its truths."""
    known = make_people(config, chunk, customers, numbers.next.get("customers", 1))
    numbers.take("customers", int(known.has_account.sum()))
    orders = make_orders(config, chunk, known, catalogue, numbers.next.get("orders", 1))
    numbers.take("orders", len(orders))
    people = add_visitors(config, chunk, known, orders)
    orders = replace(
        orders, left_at=np.concatenate([orders.left_at, np.full(len(people) - len(known), np.inf)])
    )
    devices = make_devices(config, chunk, people)
    device = order_devices(config, chunk, devices, orders)
    order_places = addresses_of(config, chunk, people, devices, device, orders.second)
    sessions = make_sessions(config, chunk, people, devices, orders, device)
    events = make_events(config, chunk, catalogue, orders, sessions)
    event_device = sessions.device[events.session]
    places = addresses_of(config, chunk, people, devices, event_device, events.moment // 1000)
    hits = make_robot_hits(config, chunk, customers, catalogue)
    payments = make_payments(config, chunk, orders, devices.fingerprint[device])
    refunds = make_refunds(config, chunk, orders, catalogue)
    emails = make_emails(config, chunk, people)
    messages = make_messages(config, chunk, orders)
    begun = (events.moment[events.is_first == 1] / 1000 - config.start_second) / 86400
    begun_sessions = replace(sessions, start=begun)
    exposures = make_exposures(config, chunk, people, devices, begun_sessions, orders)
    tally.count(catalogue, orders)
    lines = orders.lines
    registered = raw_shop.registered_at(config, chunk, people, orders)
    first_line = numbers.take("lines", len(lines))
    first_message = numbers.take("messages", len(emails.person))
    first_support = numbers.take("support", len(messages.person))
    robot_rows = len(hits.moment)
    first_event = numbers.take("events", len(events) + robot_rows)
    customers_table = raw_shop.customers_table(config, chunk, people, registered)
    orders_table = raw_orders.orders_table(
        config, chunk, people, devices, orders, device, order_places
    )
    tables: dict[str, tuple[pa.Table, pa.Array | None]] = {
        "customers": (customers_table, customers_table["created_at"]),
        "orders": (orders_table, orders_table["created_at"]),
        "order_lines": (
            raw_orders.lines_table(config, catalogue, orders, first_line),
            times(orders.second[lines.order]),
        ),
        "refunds": (
            raw_orders.refunds_table(
                catalogue, orders, refunds, numbers.take("refunds", len(refunds.order)), first_line
            ),
            None,
        ),
        "payments": (
            raw_orders.payments_table(
                orders, payments, numbers.take("payments", len(payments.order))
            ),
            None,
        ),
        "events": (
            pa.concat_tables(
                [
                    raw_traffic.events_table(
                        config,
                        people,
                        devices,
                        sessions,
                        orders,
                        catalogue,
                        events,
                        places,
                        first_event,
                    ),
                    raw_traffic.robot_events_table(
                        config, catalogue, hits, first_event + len(events)
                    ),
                ]
            ),
            None,
        ),
        "page_requests": (
            raw_traffic.requests_table(
                config,
                chunk,
                devices,
                sessions,
                catalogue,
                events,
                places,
                hits,
                numbers.take("requests", len(events) + robot_rows),
            ),
            None,
        ),
        "emails_sent": (raw_shop.emails_table(people, emails, first_message), None),
        "email_events": (
            raw_shop.email_events_table(
                emails, numbers.take("email events", len(emails.event_message)), first_message
            ),
            None,
        ),
        "support_messages": (raw_shop.support_table(people, orders, messages, first_support), None),
        "experiment_exposures": (raw_shop.exposures_table(people, devices, exposures), None),
    }
    seen = [(orders.person, order_places), (sessions.person[events.session], places)]
    truth = chunk_truths(
        config, chunk, people, orders, payments, exposures, messages, seen, hits, first_support
    )
    return tables, truth
