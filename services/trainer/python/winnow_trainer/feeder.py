"""Values made ahead in a thread. No processes: Kafka, HTTP and tokenizers are native code that runs beside Python's lock."""

import queue
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
        self._made: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(ahead)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(make,), name='winnow-feeder', daemon=True)
        self._thread.start()

    def _run(self, make: Callable[[Callable[[], None]], Iterator[T]]) -> None:
        try:
            for value in make(self._checked):
                self._put(value, None)
            self._put(None, StopIteration())
        except Stopped:
            pass
        except BaseException as error:  # whoever reads gets it
            try:
                self._put(None, error)
            except Stopped:
                pass

    def _put(self, value: T | None, error: BaseException | None) -> None:
        while True:
            self._checked()
            try:
                return self._made.put((value, error), timeout=0.2)
            except queue.Full:
                continue

    def _checked(self) -> None:
        if self._stopped.is_set():
            raise Stopped

    def get(self, seconds: float) -> T | None:
        """The next value, or None where there is none in this time. Raises what `make` raised, StopIteration after its last value."""
        try:
            value, error = self._made.get(timeout=seconds)
        except queue.Empty:
            return None
        if error is not None:
            self._made.put((None, error))
            raise error
        return value

    def close(self) -> None:
        self._stopped.set()
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
