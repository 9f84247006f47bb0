"""Make ``orders.csv.gz``, a small event log: ``python sample_data/make_orders.py``; the same bytes each time.

Orders in a shop: items are put in, the order is checked out, payment and packing go side by side, as many items are
picked as were put in, the parcel is shipped and delivered, and now and then returned. Twelve of the 1500 orders went
wrong (`WRONG`); nothing in the file says which.
"""

import csv
import gzip
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

ORDERS = 1500
FIRST = datetime(2024, 3, 1, 8, tzinfo=UTC)
WRONG = {
    141: "never paid",
    288: "shipped before it was packed",
    330: "one item too many picked",
    477: "refunded without return",
    516: "delivered after three months",
    663: "shipped twice",
    709: "packed but never shipped",
    852: "a fault of the till",
    998: "checked out before anything was in",
    1047: "one item too few picked",
    1201: "paid twice",
    1356: "took ten hours to pay",
}

Event = tuple[str, float]


def order(rng: np.random.Generator) -> list[Event]:
    """One usual order: events with the seconds since the one before."""

    def wait(seconds: float) -> float:
        return float(rng.lognormal(np.log(seconds), 0.35))

    items = int(rng.integers(1, 5))
    events = [("open", 0.0), *(("add item", wait(30)) for _ in range(items)), ("check out", wait(90))]
    pay = ["pay declined", "pay"] if rng.random() < 0.1 else ["pay"]
    pack = ["pick item"] * items + ["pack"]
    while pay or pack:
        lane = pay if rng.random() < len(pay) / (len(pay) + len(pack)) else pack
        events.append((lane.pop(0), wait(20 if lane is pay else 240)))
    events += [("ship", wait(7_200)), ("deliver", wait(100_000))]
    if rng.random() < 0.08:
        events += [("return", wait(400_000)), ("refund", wait(20_000))]
    return events


def spoil(events: list[Event], number: int) -> list[Event]:
    """The order with its fault."""
    names = [name for name, _ in events]

    def at(name: str) -> int:
        return names.index(name)

    if number == 141:
        del events[at("pay")]
    elif number == 288:
        pack, ship = at("pack"), at("ship")
        events[pack], events[ship] = ("ship", events[pack][1]), ("pack", events[ship][1])
    elif number == 330:
        events.insert(at("pick item"), ("pick item", 240.0))
    elif number == 477:
        events[at("deliver") + 1 :] = [("refund", 20_000.0)]
    elif number == 516:
        events[at("deliver")] = ("deliver", 90 * 86_400.0)
    elif number == 663:
        events.insert(at("ship"), ("ship", 600.0))
    elif number == 709:
        events[at("ship") :] = []
    elif number == 852:
        events.insert(at("check out"), ("till fault", 5.0))
    elif number == 998:
        events.insert(1, events.pop(at("check out")))
    elif number == 1047:
        del events[at("pick item")]
    elif number == 1201:
        events.insert(at("pay") + 1, ("pay", 20.0))
    elif number == 1356:
        events[at("pay")] = ("pay", 36_000.0)
    return events


def make() -> bytes:
    """The log, packed."""
    rng = np.random.default_rng(2024)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case_id", "activity", "timestamp"])
    for number in range(ORDERS):
        moment = FIRST + timedelta(minutes=float(11 * number + rng.uniform(0, 9)))
        events = order(rng)
        for name, wait in spoil(events, number) if number in WRONG else events:
            moment += timedelta(seconds=wait)
            writer.writerow([f"order-{number:04d}", name, moment.isoformat(timespec="milliseconds")])
    return gzip.compress(text.getvalue().encode(), mtime=0)


if __name__ == "__main__":
    Path(__file__).with_name("orders.csv.gz").write_bytes(make())
