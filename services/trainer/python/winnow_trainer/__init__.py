"""Trains on the corpus that winnow chooses live. `SelectedStream` is what users need; docs/trainer.md is the contract behind it."""

from winnow_wire.connection import Connection
from winnow_wire.errors import WinnowError

from .batch import micro_batches
from .cursor import Cursor
from .ranks import Ranks
from .stream import SelectedStream
from .work import Evaluated

__all__ = ['Connection', 'Cursor', 'Evaluated', 'Ranks', 'SelectedStream', 'WinnowError', 'micro_batches']
