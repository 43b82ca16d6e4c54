"""Values made ahead in a thread. No processes: Kafka, HTTP and tokenizers are native code that runs beside Python's lock."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar('T')
U = TypeVar('U')


class Stopped(Exception):
    """The reader of a feeder is gone."""


class Feeder(Generic[T]):
    """Runs `make` in a thread and holds up to `ahead` of its values. `make` calls what it is given now and then: it raises Stopped once
    nobody wants more."""

    def __init__(self, make: Callable[[Callable[[], None]], Iterator[T]], ahead: int) -> None:
        self._ahead = ahead
        self._made: deque[T] = deque()
        # What ended `make`, given after its last value, and ever after.
        self._end: BaseException | None = None
        self._stopped = False
        lock = threading.Lock()
        self._added, self._taken = threading.Condition(lock), threading.Condition(lock)
        self._thread = threading.Thread(target=self._run, args=(make,), name='winnow-feeder', daemon=True)
        self._thread.start()

    def _run(self, make: Callable[[Callable[[], None]], Iterator[T]]) -> None:
        end: BaseException = StopIteration()
        try:
            for value in make(self._checked):
                self._put(value)
        except BaseException as error:  # whoever reads gets it
            end = error
        with self._added:
            self._end = end
            self._added.notify_all()

    def _put(self, value: T) -> None:
        with self._added:
            self._made.append(value)
            self._added.notify()
            if len(self._made) >= self._ahead:
                # Several at a time: two threads that hand over one by one wait for each other.
                self._taken.wait_for(lambda: self._stopped or len(self._made) <= self._ahead // 2)
        self._checked()

    def _checked(self) -> None:
        if self._stopped:
            raise Stopped

    def get(self, seconds: float) -> T | None:
        """The next value, or None where there is none in this time. Raises what `make` raised, StopIteration after its last value."""
        with self._added:
            if not self._made and self._end is None:
                self._added.wait_for(lambda: self._made or self._end is not None, seconds)
            if self._made:
                value = self._made.popleft()
                if len(self._made) <= self._ahead // 2:
                    self._taken.notify()
                return value
            if self._end is not None:
                raise self._end
            return None

    def close(self) -> None:
        with self._taken:
            self._stopped = True
            self._taken.notify()
        self._thread.join()


def mapped_ahead(make: Callable[[T], U], values: Iterable[T], threads: int) -> Generator[U]:
    """`make` of each value, in order, of up to `threads` values at a time."""
    running: deque[Future[U]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix='winnow-texts') as pool:
        try:
            for value in values:
                running.append(pool.submit(make, value))
                if len(running) >= threads:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
