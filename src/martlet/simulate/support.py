"""Support messages: an intent, a text from varied parts, and slips of the keyboard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from martlet.simulate.config import IntArray, ShopConfig, Streams, choose
from martlet.simulate.orders import CANCELLED, TEST, Orders
from martlet.simulate.text import join, pick

__all__ = ["INTENTS", "Messages", "make_messages", "message_texts"]

# Intent, share, what people write.
INTENTS: tuple[tuple[str, float, tuple[str, ...]], ...] = (
    (
        "where_is_my_order",
        0.26,
        (
            "where is my order",
            "my parcel has not arrived yet",
            "the tracking has not moved for days",
            "when will the package be delivered",
            "I am still waiting for my delivery",
            "the carrier says delivered but nothing is here",
        ),
    ),
    (
        "return_request",
        0.18,
        (
            "I would like to return an item",
            "how do I send the shoes back",
            "it does not fit, can I return it",
            "please send me a return label",
            "I changed my mind and want to give it back",
        ),
    ),
    (
        "damaged_item",
        0.11,
        (
            "the zip was broken when I opened the box",
            "the lamp arrived damaged",
            "one part is missing",
            "the bottle leaks",
            "there is a hole in the tent",
        ),
    ),
    (
        "refund_status",
        0.10,
        (
            "when do I get my money back",
            "I returned the item two weeks ago and still no refund",
            "the refund is lower than what I paid",
            "has my refund been processed",
        ),
    ),
    (
        "product_question",
        0.12,
        (
            "is the jacket waterproof",
            "which size should I take",
            "does the stove fit this cartridge",
            "is the mat warm enough for winter",
            "how heavy is it",
        ),
    ),
    (
        "change_order",
        0.07,
        (
            "can I change the delivery address",
            "please add one more to my order",
            "I ordered the wrong colour, can you change it",
            "please swap the size before you ship",
        ),
    ),
    (
        "cancel_order",
        0.06,
        (
            "please cancel my order",
            "I ordered twice by mistake, cancel one",
            "stop the order, I do not need it any more",
        ),
    ),
    (
        "invoice",
        0.05,
        (
            "please send me the invoice",
            "I need a bill with our company name",
            "the VAT number is missing on the receipt",
        ),
    ),
    (
        "account",
        0.03,
        ("I cannot log in", "the password reset mail never comes", "please delete my account"),
    ),
    (
        "praise",
        0.02,
        (
            "just wanted to say thank you, great service",
            "super fast delivery, very happy",
            "best backpack I ever had",
        ),
    ),
)
_OPENINGS = ("", "Hello, ", "Hi, ", "Good morning, ", "Dear team, ", "hey ", "Hi there, ")
_CLOSINGS = ("", ".", ". Thanks", ". Please help!", "?", ". Kind regards", "!!", ". Thank you")
_MIDDLES = ("", " (order from last week)", " and I need it by Friday", " - second time I ask", "")
_SLIPS = (
    ("order", "oder"),
    ("return", "retrun"),
    ("please", "pls"),
    ("arrived", "arived"),
    ("delivery", "delivry"),
    ("package", "pakage"),
    ("receipt", "reciept"),
    (" the ", " teh "),
)
SUPPORT_CHANNELS = ("email", "chat", "form")


@dataclass(frozen=True)
class Messages:
    """Support messages of a chunk, sorted by time."""

    person: IntArray
    order: IntArray
    second: IntArray
    channel: IntArray
    intent: IntArray
    is_labelled: IntArray
    wording: IntArray


def make_messages(config: ShopConfig, chunk: int, orders: Orders) -> Messages:
    """Draw who writes about which order."""
    rng = Streams(config.seed, chunk)("support")
    share = config.parameters.support_message_share
    about = np.flatnonzero(
        (rng.random(len(orders)) < share) & ~np.isin(orders.kind, [CANCELLED, TEST])
    )
    second = orders.second[about] + (rng.gamma(2.0, 3.0, len(about)) * 86400).astype(np.int64)
    known = second < config.start_second + config.days * 86400
    about, second = about[known], second[known]
    by_time = np.argsort(second, kind="stable")
    about, second = about[by_time], second[by_time]
    size = len(about)
    return Messages(
        person=orders.person[about],
        order=np.where(rng.random(size) < 0.8, about, -1),
        second=second,
        channel=choose(rng, [0.55, 0.3, 0.15], size),
        intent=choose(rng, [i[1] for i in INTENTS], size),
        is_labelled=(rng.random(size) < 0.85).astype(np.int64),
        wording=rng.integers(0, 1 << 40, size),
    )


def message_texts(messages: Messages) -> Any:
    """Write the messages: opening, core, middle and closing, a third of them with slips."""
    wording = messages.wording
    cores = [core for _, _, texts in INTENTS for core in texts]
    counts = np.array([len(texts) for _, _, texts in INTENTS])
    first = np.cumsum(counts) - counts
    core = first[messages.intent] + wording % counts[messages.intent]
    text = join(
        pick(_OPENINGS, wording // 64 % len(_OPENINGS)),
        pick(cores, core),
        pick(_MIDDLES, wording // 4096 % len(_MIDDLES)),
        pick(_CLOSINGS, wording // 32768 % len(_CLOSINGS)),
    )
    for place, (right, wrong) in enumerate(_SLIPS):
        slips = wording // (1 << (20 + place)) % 3 == 0
        text = pc.if_else(slips, pc.replace_substring(text, right, wrong, max_replacements=1), text)
    return text
