"""Token stores of made-up documents, and kills at what a filler writes."""

import os
import random

import numpy as np
from winnow_trainer.token_store import filler
from winnow_trainer.token_store.filler import Filler
from winnow_trainer.token_store.layout import Committed

WANTED = Committed(tokenizer='aa', end=0, dtype='<u2', topicId='t-1', topic='winnow.documents')


def doc(source, row, piece=0):
    return source << 40 | piece << 32 | row


def tokens_of(id):
    rng = random.Random(id)
    return np.array([rng.randrange(1, 60_000) for _ in range(rng.randrange(9))], dtype=np.int32)


def array(ids):
    return np.array(list(ids), dtype=np.uint64)


def filled(folder, *batches, wanted=WANTED, **options):
    opened = Filler(folder, wanted, **options)
    for offset, ids in enumerate(batches, start=opened.offsets.get(0, 0) + 1):
        opened.add({id: tokens_of(id) for id in ids}, {0: offset})
    opened.close()


def read(store, ids, waiting=lambda: None):
    """Of each document, without its end."""
    found = []
    for page in store.fetched(array(ids), waiting):
        for tokens in np.split(page.tokens, np.cumsum(page.lengths)[:-1]):
            assert tokens[-1] == WANTED.end
            found.append(tokens[:-1].tolist())
    return found


def expected(ids):
    return [tokens_of(id).tolist() for id in ids]


class Killed(BaseException):
    pass


def dying_writes(monkeypatch):
    """After so many writes as `left` says the next one does not happen; None: all happen."""
    writes = {'left': None}

    def dying(call):
        def wrapped(*arguments, **options):
            if writes['left'] is not None:
                writes['left'] -= 1
                if writes['left'] < 0:
                    raise Killed
            return call(*arguments, **options)

        return wrapped

    # Nothing here depends on what reaches the disk.
    for name in ('fsync', 'fdatasync'):
        monkeypatch.setattr(os, name, lambda _: None)
    names = ('replace', 'fsync', 'pwrite', 'fdatasync', 'truncate')
    for module, name in [*((os, name) for name in names), (filler, '_written')]:
        monkeypatch.setattr(module, name, dying(getattr(module, name)))
    return writes
