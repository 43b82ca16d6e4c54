"""Reading ahead in threads: order, bounds, failures, and an end that waits for nobody."""

import threading
import time
from contextlib import closing

import pytest
from winnow_trainer.feeder import Feeder, mapped_ahead


def test_gives_values_in_order_and_then_stops():
    feeder = Feeder(lambda checked: iter(range(50)), 3)
    assert [feeder.get(5) for _ in range(50)] == list(range(50))
    for _ in range(2):
        with pytest.raises(StopIteration):
            feeder.get(5)
    feeder.close()


def test_makes_no_more_than_it_may_hold():
    made = []

    def make(checked):
        for n in range(1000):
            made.append(n)
            yield n

    feeder = Feeder(make, 4)
    assert feeder.get(5) == 0
    time.sleep(0.3)
    assert len(made) <= 6
    feeder.close()


def test_gives_what_was_made_before_a_failure_and_then_the_failure_for_ever():
    def make(checked):
        yield 1
        raise ValueError('broken')

    feeder = Feeder(make, 2)
    assert feeder.get(5) == 1
    for _ in range(2):
        with pytest.raises(ValueError, match='broken'):
            feeder.get(5)
    feeder.close()


def test_ends_while_it_waits_for_something_that_never_comes():
    def make(checked):
        while True:
            checked()
            time.sleep(0.01)
            yield from ()

    feeder = Feeder(make, 2)
    assert feeder.get(0.05) is None
    feeder.close()
    assert not any(thread.name == 'winnow-feeder' and thread.is_alive() for thread in threading.enumerate())


def test_maps_ahead_in_order_and_passes_on_a_failure():
    together, lock, running, most = threading.Barrier(4), threading.Lock(), [0], [0]

    def square(n):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        if n < 4:
            together.wait(30)
        with lock:
            running[0] -= 1
        return n * n

    with closing(mapped_ahead(square, range(60), 4)) as values:
        assert list(values) == [n * n for n in range(60)]
    assert most[0] == 4

    def failing(n):
        return 1 // (5 - n)

    values = mapped_ahead(failing, range(60), 4)
    assert [next(values) for _ in range(5)] == [0, 0, 0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(values)
