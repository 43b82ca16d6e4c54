"""Which part of a batch a process gets, in how many pieces, and that weights do not depend on either."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from winnow_trainer import Ranks, WinnowError, micro_batches


@pytest.mark.parametrize('sequences', [1, 6, 7, 12])
@pytest.mark.parametrize('ranks', [1, 2, 3, 4, 5])
def test_parts_are_consecutive_and_differ_by_at_most_one(ranks, sequences):
    parts = [Ranks(rank, ranks).part(sequences) for rank in range(ranks)]
    assert [begin for begin, _ in parts] == [0, *[end for _, end in parts[:-1]]] and parts[-1][1] == sequences
    sizes = {end - begin for begin, end in parts}
    assert max(sizes) - min(sizes) <= 1


def test_one_process_leads_whatever_coordinates_there_are(monkeypatch):
    monkeypatch.delenv('RANK', raising=False)
    assert [Ranks(rank, 2).leads for rank in range(2)] == [True, False]
    assert Ranks.found() == Ranks(0, 1)
    # Four processes of two coordinates, as torchrun numbers them.
    leads = []
    for world in range(4):
        monkeypatch.setenv('RANK', str(world))
        monkeypatch.setenv('WORLD_SIZE', '4')
        assert Ranks.found() == Ranks(world, 4)
        leads.append(Ranks(world % 2, 2).leads)
        assert Ranks(1, 2, leader=True).leads and not Ranks(0, 2, leader=False).leads
    assert leads == [True, False, False, False]
    monkeypatch.setenv('RANK', 'first')
    with pytest.raises(WinnowError, match='RANK or WORLD_SIZE is no number') as refused:
        Ranks.found()
    assert refused.value.code == 'USAGE'


@pytest.mark.parametrize(('rank', 'ranks'), [(2, 2), (-1, 2), (0, 0)])
def test_a_rank_that_there_is_not_is_refused_with_both_numbers(rank, ranks):
    with pytest.raises(WinnowError, match=f'no rank {rank} of {ranks}'):
        Ranks(rank, ranks)


@pytest.mark.parametrize('pieces', [1, 2, 3, 4])
def test_the_weights_of_micro_batches_make_the_loss_of_the_global_batch(pieces):
    losses = np.arange(13.0) ** 2
    total = 0.0
    for rank in range(3):
        begin, end = Ranks(rank, 3).part(13)
        part = {'input_ids': np.arange(begin, end)[:, None], 'labels': losses[begin:end, None], 'weight': (end - begin) * 3 / 13}
        some = list(micro_batches(part, pieces))
        # As many on every rank, or ranks would wait for each other's gradients for ever.
        assert len(some) == pieces
        assert np.concatenate([one['input_ids'] for one in some]).tolist() == part['input_ids'].tolist()
        total += sum(one['weight'] * one['labels'].mean() for one in some) / 3
    assert total == pytest.approx(losses.mean(), rel=1e-12)
    unweighted = list(micro_batches({'input_ids': np.zeros((3, 2))}, 2))
    assert [one['weight'] for one in unweighted] == [1 / 3, 2 / 3]
    for refused in (0, 4):
        with pytest.raises(WinnowError, match=f'3 sequences cannot be cut into {refused} micro-batches'):
            next(micro_batches({'input_ids': np.zeros((3, 2))}, refused))


@pytest.mark.skipif(find_spec('torch') is None, reason='WINNOW_TEST_TORCH=yes npm test installs torch')
def test_weights_of_two_and_four_ranks_are_those_of_one_by_ddp_and_fsdp2_in_float64_to_1e_9(tmp_path):
    child = Path(__file__).with_name('ranks_child.py')
    processes = [
        subprocess.Popen([sys.executable, '-B', child, str(rank), tmp_path], stderr=subprocess.PIPE, text=True)
        for rank in range(4)
    ]
    try:
        ended = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]
        # The first to fail takes the others with it.
        assert [code for _, code in ended] == [0] * 4, ''.join(stderr for stderr, _ in ended)
    finally:
        for process in processes:
            process.kill()
    said = [json.loads((tmp_path / f'{rank}.json').read_text()) for rank in range(4)]
    assert len(said[0]['apart']) == 6 and said[0]['moved'] > 0.01
    for name, apart in said[0]['apart'].items():
        assert apart < 1e-9, name
    found, square, beside, explicit = zip(*(one['ranks'] for one in said), strict=True)
    assert list(found) == list(square) == [[rank, 4, rank == 0] for rank in range(4)]
    # Processes of one coordinate read the same, and one of all leads.
    assert list(beside) == list(explicit) == [[rank // 2, 2, rank == 0] for rank in range(4)]
