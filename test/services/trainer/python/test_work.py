"""What a training books in the ledger of its run: the same pieces as the TypeScript trainer (test/integration/reference-python.test.ts)."""

import json
import random
from pathlib import Path

import pytest
from memory_registry import MemoryRegistry
from winnow_trainer import Evaluated, Ranks, SelectedStream
from winnow_trainer.work import WorkBook, aligned_pieces, parameters_of, work_key
from winnow_wire.records import Reader, Writer
from world import World

SHIPPED = Path(__file__).parents[4] / 'services/model/shipped/llama-64x2'


@pytest.mark.parametrize('seed', range(20))
def test_pieces_cover_a_stretch_and_are_apart_from_or_within_those_of_any_other(seed):
    any = random.Random(seed)
    pieces = set()
    for _ in range(20):
        first = any.randrange(0, 200)
        next = first + any.randrange(1, 100)
        some = aligned_pieces(first, next)
        assert [at for a, b in some for at in range(a, b)] == list(range(first, next))
        assert all((b - a) & (b - a - 1) == 0 and a % (b - a) == 0 for a, b in some)
        pieces |= set(some)
    for a, b in pieces:
        for c, d in pieces:
            assert b <= c or d <= a or (a <= c and d <= b) or (c <= a and b <= d)


def test_parameters_that_multiply_are_counted_without_tables_that_are_looked_up():
    described = [
        ('model.embed_tokens.weight', [50, 8]),
        ('wpe.weight', [9, 8]),
        ('h.mlp.weight', [8, 32]),
        ('h.norm.weight', [8]),
    ]
    tied = [{'name': name, 'shape': shape} for name, shape in described]
    assert parameters_of(tied) == (50 * 8 + 8 * 32, 50 * 8 + 9 * 8 + 8 * 32 + 8)
    with_head = [*tied, {'name': 'lm_head.weight', 'shape': [50, 8]}]
    assert parameters_of(with_head) == (50 * 8 + 8 * 32, 2 * 50 * 8 + 9 * 8 + 8 * 32 + 8)


def test_steps_are_booked_once_whatever_is_made_again_with_the_seconds_of_all_processes():
    clock, booked = iter([0.0, 2.0, 10.0, 11.0, 20.0, 24.0, 30.0, 31.0]), {}
    book = WorkBook(
        'r', str(SHIPPED), 48, 4, lambda works: booked.update({work_key(one): one for one in works}), lambda: next(clock)
    )
    for _ in range(3):
        book.began()
        book.ended()
    book.trained(3)
    book.trained(3)
    book.evaluated(3, Evaluated(5, 700, 1.5))
    assert list(booked) == [
        'training/reference trainer/steps/0/0-2',
        'training/reference trainer/steps/0/2-3',
        'evaluation/reference trainer/evaluations/0/3-4',
    ]
    two, one, evaluation = booked.values()
    # 2 + 1 + 4 seconds of four processes, of which two steps of three have two thirds. The time between steps is no work.
    assert [two['seconds'], one['seconds']] == pytest.approx([4 * 7 * 2 / 3, 4 * 7 / 3]) and evaluation['seconds'] == 6
    parameters, everything = parameters_of(json.loads((SHIPPED / 'model.json').read_text())['parameters'])
    assert two['tokens'] == 2 * 48 and two['flops'] == 6 * parameters * 2 * 48 and two['documents'] == 0
    assert evaluation['flops'] == 2 * parameters * 700 and evaluation['documents'] == 5
    assert two['parametersAll'] == everything > parameters and two['device'] == 'cpu' and two['model'] == 'llama-64x2'
    # Back to the checkpoint of step 2, killed before the next: the same piece again.
    before = set(booked)
    book.reset(2)
    book.began()
    book.ended()
    book.trained(3)
    assert set(booked) == before


def test_a_stream_books_what_was_trained_before_it_announces_and_nothing_where_the_model_is_not_seen(monkeypatch, tmp_path):
    for model, expected in ((str(SHIPPED), [(0, 1), (1, 2), (2, 3), (3, 4)]), ('/nowhere', [])):
        world = World(3, 8, trainer={'context': 4, 'batch': 2}, model=model, checkpoints=str(tmp_path))
        world.patched(monkeypatch)
        one = SelectedStream('r', tokenizer='x', tensors='numpy')
        while not one.checkpoint_due:
            next(one)
            one.step_done(1.0)
        # A checkpoint that is refused has been trained for as well.
        with pytest.raises(Exception, match='holds neither'):
            one.announce(tmp_path)
        assert [(work['first'], work['next']) for work in world.works] == expected
        assert all(work['tokens'] == 8 and work['seconds'] > 0 for work in world.works)
        one.close()


def test_records_are_those_of_the_published_schema():
    registry, sent = MemoryRegistry(), []
    book = WorkBook('r', str(SHIPPED), 48, Ranks(0, 1).processes, sent.extend)
    book.trained(2)
    (work,) = sent
    assert Reader(registry, 'Work').value(Writer(registry, 'Work').encode(work)) == work
