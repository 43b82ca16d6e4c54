"""What a stream reads documents from: something that gives their tokens by id."""

from collections.abc import Callable
from typing import Protocol

from .packing import Tokens
from .selection import Ids
from .tokens import Tokenizer


class Documents(Protocol):
    """Any number of threads may ask at once."""

    def tokens(self, ids: Ids, waiting: Callable[[], None]) -> list[Tokens]:
        """Of each document, without its end, in the order of the ids, which may repeat. Calls `waiting` now and then while it waits;
        that may raise. Raises WinnowError where a document cannot be had."""
        ...

    def close(self) -> None: ...


class Texts(Protocol):
    """The same with texts."""

    def texts(self, ids: Ids, waiting: Callable[[], None]) -> list[str]: ...

    def close(self) -> None: ...


class Tokenized:
    """Documents whose texts are tokenized as they are read."""

    def __init__(self, texts: Texts, tokenizer: Tokenizer) -> None:
        self._texts, self._tokenizer = texts, tokenizer

    def tokens(self, ids: Ids, waiting: Callable[[], None]) -> list[Tokens]:
        return self._tokenizer.encode(self._texts.texts(ids, waiting))

    def close(self) -> None:
        self._texts.close()
