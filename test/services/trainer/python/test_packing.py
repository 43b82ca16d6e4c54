"""Packing, against services/trainer/packer.ts (packing.jsonl, written by golden.ts) and against cutting the whole stream by hand."""

import hashlib
import json
import random
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from winnow_trainer.packing import START, Page, Place, Shape, pack
from winnow_trainer.ranks import Ranks

CASES = [json.loads(line) for line in (Path(__file__).parent / 'packing.jsonl').read_text().splitlines()]


def documents_of(lengths):
    return [np.arange(1, length + 1, dtype=np.int32) + 1000 * i for i, length in enumerate(lengths)]


def pages_of(documents, end, sizes=None):
    """Some documents in each page."""
    documents = list(documents)
    while documents:
        some = documents[: sizes.randrange(1, 9) if sizes else len(documents)]
        documents = documents[len(some) :]
        closed = [np.array([*ids, end], dtype=np.int32) for ids in some]
        yield Page(np.concatenate(closed), np.array([len(ids) for ids in closed]))


def packed_from(documents, shape, place, part=None, sizes=None):
    part = part or (0, shape.sequences)
    return list(pack(pages_of(documents[place.document :], shape.end, sizes), shape, place, part))


def test_packs_what_the_typescript_packer_packs():
    assert len(CASES) == 250
    for case in CASES:
        shape = Shape(case['batch'], case['context'], case['end'])
        place = Place(case['from']['document'], case['from']['token'])
        found = []
        for batch in packed_from(documents_of(case['lengths']), shape, place, sizes=random.Random(len(case['lengths']))):
            rows = batch.rows(batch.ids, shape.length)
            digest = hashlib.sha256(rows.astype('<i4').tobytes()).hexdigest()[:16]
            found.append([*batch.next, batch.documents_read, digest])
        assert found == case['batches'], case


def test_says_of_each_token_its_document_and_its_place_in_it():
    rng = random.Random(3)
    lengths = [rng.randrange(12) for _ in range(60)]
    shape = Shape(3, 7, 0)
    stream = [(token, i, at) for i, ids in enumerate(documents_of(lengths)) for at, token in enumerate([*ids.tolist(), 0])]
    batches = packed_from(documents_of(lengths), shape, START)
    assert len(batches) == (len(stream) - 1) // 21
    for number, batch in enumerate(batches):
        for row in range(3):
            first = 21 * number + 7 * row
            expected = stream[first : first + 8]
            found = [batch.rows(values, 7)[row].tolist() for values in (batch.ids, batch.documents, batch.positions)]
            assert list(zip(*found, strict=True)) == expected


@pytest.mark.parametrize('ranks', [1, 2, 3, 4, 5, 12])
def test_any_number_of_ranks_reads_the_same_global_batches(ranks):
    rng = random.Random(ranks)
    lengths = [rng.randrange(40) for _ in range(200)]
    shape = Shape(12, 5, 1)
    whole = packed_from(documents_of(lengths), shape, START)
    parts = [packed_from(documents_of(lengths), shape, START, Ranks(rank, ranks).part(12), rng) for rank in range(ranks)]
    for number, batch in enumerate(whole):
        for name in ('ids', 'documents', 'positions'):
            joined = np.concatenate([part[number].rows(getattr(part[number], name), 5) for part in parts])
            assert np.array_equal(joined, batch.rows(getattr(batch, name), 5))
        assert {part[number].next for part in parts} == {batch.next}
        assert {part[number].documents_read for part in parts} == {batch.documents_read}


def test_goes_on_after_every_batch_as_if_it_had_never_stopped():
    rng = random.Random(9)
    documents = documents_of([rng.randrange(30) for _ in range(80)])
    shape = Shape(2, 6, 0)
    whole = packed_from(documents, shape, START)
    for number, batch in enumerate(whole):
        rest = packed_from(documents, shape, batch.next, sizes=rng)
        assert len(rest) == len(whole) - number - 1
        for found, expected in zip(rest, whole[number + 1 :], strict=True):
            assert np.array_equal(found.ids, expected.ids)
            assert (found.next, found.documents_read) == (expected.next, expected.documents_read)


def test_takes_only_as_many_pages_as_a_batch_needs():
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield Page(np.array([1, 2, 3, 0]), np.array([4]))

    next(pack(endless(), Shape(1, 8, 0), START, (0, 1)))
    assert len(taken) == 3
    assert len(list(islice(pack(endless(), Shape(1, 8, 0), START, (0, 1)), 5))) == 5


def test_parts_are_those_of_the_typescript_reader():
    assert [Ranks(rank, 3).part(10) for rank in range(3)] == [(0, 3), (3, 6), (6, 10)]
    assert [Ranks(rank, 4).part(4) for rank in range(4)] == [(0, 1), (1, 2), (2, 3), (3, 4)]
