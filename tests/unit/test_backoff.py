from telemetry.backoff import Backoff


def test_delays_double_to_the_longest_and_vary_by_half() -> None:
    backoff = Backoff(0.1, 0.5)
    for longest in (0.1, 0.2, 0.4, 0.5, 0.5):
        assert longest / 2 <= backoff.next() <= longest


def test_a_reset_starts_again() -> None:
    backoff = Backoff(0.1, 0.5)
    for _ in range(5):
        backoff.next()
    backoff.reset()
    assert backoff.next() <= 0.1


def test_delays_differ_between_clients() -> None:
    assert len({Backoff(1, 1).next() for _ in range(20)}) > 1
