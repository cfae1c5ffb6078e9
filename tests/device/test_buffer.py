"""The bounded buffer."""

from threading import Thread

from hypothesis import given
from hypothesis import strategies as st

from device.buffer import Buffer
from tests.service import wait_for


@given(
    st.integers(1, 8),
    st.lists(st.sampled_from(["put", "put", "take", "settle", "give back"]), max_size=60),
    st.integers(1, 5),
)
def test_every_reading_is_settled_in_order_or_dropped_as_the_oldest(
    capacity: int, steps: list[str], batch: int
) -> None:
    buffer = Buffer(capacity)
    kept: list[str] = []  # the model: all that is neither settled nor dropped, in order
    sent: list[str] = []
    for number, step in enumerate(steps):
        if step == "put":
            kept.append(str(number))
            dropped = buffer.put(str(number))
            expected = kept.pop(len(sent)) if len(kept) > capacity else None
            assert dropped == expected
        elif step == "take" and not sent and len(kept) >= batch:
            sent = buffer.take(batch)
            assert sent == kept[:batch]
        elif step == "settle":
            buffer.settle()
            del kept[: len(sent)]
            sent = []
        elif step == "give back":
            buffer.give_back()
            sent = []
        assert len(buffer) == len(kept) <= capacity
    buffer.give_back()
    buffer.close()
    assert buffer.take(capacity + 1) == kept


def test_take_waits_for_a_full_batch_and_close_lets_it_go() -> None:
    buffer = Buffer(10)
    taken: list[list[str]] = []
    thread = Thread(target=lambda: taken.append(buffer.take(3)))
    thread.start()
    buffer.put("a")
    buffer.put("b")
    thread.join(0.05)
    assert thread.is_alive(), "took less than a batch"
    buffer.close()
    wait_for(lambda: taken, what="the rest")
    thread.join()
    assert taken == [["a", "b"]]
    buffer.settle()
    assert buffer.take(3) == []
