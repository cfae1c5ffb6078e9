from threading import Thread

from hypothesis import given
from hypothesis import strategies as st

from device.buffer import Buffer
from tests.service import wait_for


@given(
    st.integers(1, 8),
    st.lists(st.sampled_from(["put", "put", "take", "done", "put back"]), max_size=60),
    st.integers(1, 5),
)
def test_readings_leave_in_order_and_only_the_oldest_are_dropped(
    capacity: int, steps: list[str], batch: int
) -> None:
    buffer = Buffer(capacity)
    kept: list[str] = []  # the model: all readings neither done nor dropped, in order
    taken: list[str] = []
    for number, step in enumerate(steps):
        if step == "put":
            kept.append(str(number))
            dropped = buffer.put(str(number))
            expected = kept.pop(len(taken)) if len(kept) > capacity else None
            assert dropped == expected
        elif step == "take" and not taken and len(kept) >= batch:
            taken = buffer.take(batch)
            assert taken == kept[:batch]
        elif step == "done":
            buffer.done()
            del kept[: len(taken)]
            taken = []
        elif step == "put back":
            buffer.put_back()
            taken = []
        assert len(buffer) == len(kept) <= capacity
    buffer.put_back()
    buffer.close()
    assert buffer.take(capacity + 1) == kept


def test_take_waits_for_a_full_batch_until_close() -> None:
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
    buffer.done()
    assert buffer.take(3) == []
