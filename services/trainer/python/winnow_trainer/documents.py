"""What a stream reads documents from: something that gives their tokens by id."""

from collections.abc import Callable, Iterable
from typing import Protocol

from .packing import Page
from .selection import Ids
from .tokens import Tokenizer


class Documents(Protocol):
    def fetched(self, ids: Ids, waiting: Callable[[], None]) -> Iterable[Page]:
        """The documents in the order of the ids, which may repeat. Any number of threads may call it, each for other documents: it waits for
        servers and disks. What it returns makes the tokens, and is gone through by one thread, in the order of the selection.

        Calls `waiting` now and then while it waits; that may raise. Raises WinnowError where a document cannot be had."""
        ...

    def close(self) -> None: ...


class Texts(Protocol):
    """Any number of threads may ask at once, as of Documents."""

    def texts(self, ids: Ids, waiting: Callable[[], None]) -> list[str]: ...

    def close(self) -> None: ...


class Tokenized:
    """Documents whose texts are tokenized as they are read."""

    def __init__(self, texts: Texts, tokenizer: Tokenizer) -> None:
        self._texts, self._tokenizer = texts, tokenizer

    def fetched(self, ids: Ids, waiting: Callable[[], None]) -> Iterable[Page]:
        return self._tokenizer.pages(self._texts.texts(ids, waiting))

    def close(self) -> None:
        self._texts.close()
