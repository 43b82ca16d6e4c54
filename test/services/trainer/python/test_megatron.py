"""A run as a map from numbers to sequences: in any order within a step, from threads, by rank, sought; Megatron's loop on it."""

import math
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from winnow_trainer import WinnowError
from winnow_trainer.adapters.sequences import SelectedSequences
from world import NOWHERE, STEPS, Killed, World

MODES = range(6)


def opened(world, monkeypatch, **more):
    world.patched(monkeypatch)
    given = {'sequence_length': world.length, 'batch_sequences': world.batch, 'connection': NOWHERE, 'leader': False}
    return SelectedSequences('r', tokenizer='x', **given | more)


def row(sample):
    return [*sample['tokens'].tolist(), int(sample['labels'][-1])]


def expected_of(world):
    return [row for step in range(STEPS) for row in world.expected(step)[0]]


@pytest.mark.parametrize('seed', MODES)
def test_each_number_is_a_sequence_whatever_was_asked_before_in_every_mode(seed, monkeypatch):
    world = World(seed)
    sequences, expected = opened(world, monkeypatch), expected_of(world)
    assert len(sequences) == len(expected) == STEPS * world.batch
    # In order, shuffled within steps, and anywhere.
    within = [world.any.sample(range(step * world.batch, (step + 1) * world.batch), world.batch) for step in range(STEPS)]
    anywhere = [world.any.randrange(len(expected)) for _ in range(30)]
    for number in [*range(len(expected)), *sum(within, []), *anywhere]:
        assert row(sequences[number]) == expected[number]
    for number in (-1, len(expected)):
        with pytest.raises(IndexError, match=f'sequence {number} of {len(expected)}'):
            sequences[number]
    sample = sequences[5]
    assert sample['loss_mask'].tolist() == [1.0] * world.length and sample['position_ids'].shape == (world.length,)
    # One that has just been started seeks the place of a number.
    again = opened(world, monkeypatch)
    assert [row(again[number]) for number in anywhere[:5]] == [expected[number] for number in anywhere[:5]]
    assert again.stream.seek(STEPS) is None and again.stream.step == STEPS
    for refused in (-1, STEPS + 1):
        with pytest.raises(WinnowError, match=f'there is no step {refused} of {STEPS}'):
            again.stream.seek(refused)
    sequences.close()
    again.close()


@pytest.mark.parametrize('seed', MODES)
def test_the_cursor_of_a_place_that_was_sought_is_the_one_that_was_recorded(seed, monkeypatch):
    world = World(seed)
    (stream,) = world.streams(monkeypatch, 1)
    states = [stream.state_dict()]
    for _ in stream:
        states.append(stream.state_dict())
    for step in world.any.sample(range(STEPS + 1), STEPS + 1):
        stream.seek(step)
        assert stream.state_dict() == states[step]
    stream.close()


def test_threads_get_the_sequences_of_a_step_in_any_order(monkeypatch):
    world = World(1)
    sequences, expected = opened(world, monkeypatch), expected_of(world)
    with ThreadPoolExecutor(8) as pool:
        for step in range(STEPS):
            numbers = 3 * list(range(step * world.batch, (step + 1) * world.batch))
            random.Random(step).shuffle(numbers)
            assert [row(one) for one in pool.map(sequences.__getitem__, numbers)] == [expected[number] for number in numbers]
    sequences.close()


@pytest.mark.parametrize('ranks', [1, 2, 4])
def test_ranks_have_consecutive_parts_of_every_batch_from_threads_too(ranks, monkeypatch):
    world = World(2)
    world.batch = 8
    sequences, expected = opened(world, monkeypatch), expected_of(world)
    parts = [sequences.of_rank(rank, ranks) for rank in range(ranks)]
    each = 8 // ranks
    assert [len(part) for part in parts] == [STEPS * each] * ranks
    with ThreadPoolExecutor(4) as pool:
        for step in range(STEPS):
            asked = [pool.submit(part.__getitem__, number) for part in parts for number in range(step * each, (step + 1) * each)]
            assert [row(one.result()) for one in asked] == expected[step * 8 : (step + 1) * 8]
    assert [row(one) for one in parts[-1]][:each] == expected[8 - each : 8]
    with pytest.raises(IndexError, match=f'sequence {STEPS * each} of {STEPS * each}'):
        parts[0][STEPS * each]
    with pytest.raises(WinnowError, match='3 ranks cannot share batches of 8 sequences evenly'):
        sequences.of_rank(0, 3)
    sequences.close()


def test_a_step_whose_round_the_run_has_not_selected_is_not_sought(monkeypatch):
    world = World(3, 10, trainer={'context': 8, 'batch': 4})
    sequences = opened(world, monkeypatch)
    with pytest.raises(WinnowError, match=r'step 9 would be of round 2, and run r has selected \[0\]') as refused:
        sequences[4 * 9]
    assert refused.value.code == 'POSITION_REFUSED'
    sequences.close()


def test_megatrons_loop_goes_on_at_the_token_by_the_number_of_samples_alone(monkeypatch, tmp_path):
    torch = pytest.importorskip('torch', reason='WINNOW_TEST_TORCH=yes npm test installs torch')
    from adapters_world import MODEL, Seen, announced, example, last, small_world

    program, seen = example('megatron'), Seen()
    monkeypatch.setattr(program, 'untrained', seen)
    whole = small_world(monkeypatch, tmp_path / 'whole')
    program.train('r', MODEL, tmp_path / 'whole')
    rows = [[row[:-1] for row in whole.expected(step)[0]] for step in range(10)]
    assert seen.rows == sum(rows, [])
    assert announced(whole) == [4, 8, 10]
    assert all(math.log(4096) - 1 < one['trainLoss'] < math.log(4096) + 1 for one in whole.reports)
    for kill, first, opened in ((6, 4, [4, 4, 8, 10]), (10, 10, [4, 8, 10])):
        world = small_world(monkeypatch, tmp_path / str(kill))
        world.kill_at, seen.rows = kill, []
        with pytest.raises(Killed):
            program.train('r', MODEL, tmp_path / str(kill))
        seen.rows = []
        program.train('r', MODEL, tmp_path / str(kill))
        assert seen.rows == sum(rows[first:], [])
        assert announced(world) == opened
        assert all(torch.equal(one, last(whole)[name]) for name, one in last(world).items())
    # Two ranks have each a half of every batch.
    halves = [program.PretrainingSampler(40, 8, 1, rank, 2) for rank in range(2)]
    assert [sum(half, [])[:4] for half in map(list, halves)] == [[8, 10, 12, 14], [9, 11, 13, 15]]
