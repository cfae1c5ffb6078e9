"""Receipts: they name every settled reading, in messages that fit the broker."""

import itertools
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.mqtt import LARGEST_PACKET
from telemetry.receipt import Receipt, Rejection, receipts

# Besides the payload, a packet has the length of the topic, the topic and the message id.
LARGEST_PAYLOAD = LARGEST_PACKET - 4 - len("receipts/") - 64
HUGE = 2**63
SEQS = st.sets(st.integers(1, 3000) | st.integers(HUGE - 3000, HUGE))


def decoded(messages: list[bytes]) -> list[Receipt]:
    return [msgspec.json.decode(message, type=Receipt) for message in messages]


@given(SEQS, st.dictionaries(st.integers(3001, 4000), st.text(), max_size=150))
def test_every_settled_reading_is_named_once(stored: set[int], rejected: dict[int, str]) -> None:
    named = decoded(list(receipts(list(stored), list(rejected.items()))))
    ranges = [span for receipt in named for span in receipt.stored]
    assert sum(last - first + 1 for first, last in ranges) == len(stored)
    assert {seq for first, last in ranges for seq in range(first, last + 1)} == stored
    reasons = [(r.seq, r.reason) for receipt in named for r in receipt.rejected]
    assert reasons == [(seq, reason[:300]) for seq, reason in sorted(rejected.items())]


@given(st.integers(), st.floats(0, 1))
def test_receipts_ascend(seed: int, share: float) -> None:
    numbers = random.Random(seed).sample(range(1, 10_000), 3000)
    stored = numbers[: int(share * 3000)]
    rejected = [(seq, "why") for seq in numbers[len(stored) :]]
    named = decoded(list(receipts(stored, rejected)))
    spans = [receipt.ranges for receipt in named]
    for earlier, later in itertools.pairwise(spans):
        assert max(last for _, last in earlier) < min(first for first, _ in later)


def test_a_rejection_given_a_thousand_times_is_one() -> None:
    (receipt,) = decoded(list(receipts([], [(9, "x" * 300)] * 1000)))
    assert receipt.rejected == [Rejection(9, "x" * 300)]


@pytest.mark.parametrize("character", ["a", '"', "\\", "\x01", "é", "温", "😀", "\ufffd"])
def test_every_message_fits_the_broker(character: str) -> None:
    stored = [HUGE - 2 * n for n in range(10_000)]  # no two of them neighbours
    rejected = [(HUGE - 2 * n - 1, character * 10_000) for n in range(1_000)]
    messages = list(receipts(stored, rejected))
    assert max(map(len, messages)) <= LARGEST_PAYLOAD
    named = decoded(messages)
    assert sum(len(receipt.stored) for receipt in named) == len(stored)
    assert sum(len(receipt.rejected) for receipt in named) == len(rejected)


def test_a_batch_in_order_is_one_range() -> None:
    assert list(receipts(list(range(1, 5001)), [])) == [b'{"stored":[[1,5000]]}']


def test_a_number_given_twice_is_named_once() -> None:
    (receipt,) = decoded(list(receipts([3, 1, 2, 3], [(9, "why")])))
    assert receipt == Receipt([(1, 3)], [Rejection(9, "why")])


def test_nothing_settled_is_no_message() -> None:
    assert list(receipts([], [])) == []


@pytest.mark.parametrize("number", ["0", "-1", "1.5", '"1"', "null"])
def test_an_impossible_sequence_number_is_refused(number: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        decoded([f'{{"stored":[[{number},5]]}}'.encode()])
    with pytest.raises(msgspec.ValidationError):
        decoded([f'{{"rejected":[{{"seq":{number},"reason":""}}]}}'.encode()])


def test_a_receipt_says_each_number_once_and_only_what_is_asked() -> None:
    receipt = Receipt([(1, 9), (3, 20), (15, 30)], [Rejection(7, "a"), Rejection(31, "b")], "r")
    assert receipt.within(5, 25) == Receipt([(5, 25)], [Rejection(7, "a")], "r")


@pytest.mark.parametrize(
    "receipt",
    [
        {"stored": [[n, n] for n in range(1, 502)]},
        {"rejected": [{"seq": n, "reason": ""} for n in range(1, 22)]},
    ],
)
def test_a_receipt_longer_than_any_bridge_sends_is_none(receipt: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError, match="more than"):
        msgspec.json.decode(msgspec.json.encode(receipt), type=Receipt)
