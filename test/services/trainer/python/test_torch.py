"""Models of PyTorch, as they are announced."""

import pytest

torch = pytest.importorskip('torch', reason='WINNOW_TEST_TORCH=yes npm test installs torch')

import numpy as np  # noqa: E402
from safetensors import safe_open  # noqa: E402
from winnow_trainer.batch import batch_of  # noqa: E402
from winnow_trainer.checkpoint import tensors_of, write  # noqa: E402
from winnow_trainer.packing import START, Page, Shape, pack  # noqa: E402
from winnow_trainer.ranks import Ranks  # noqa: E402


class Tied(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(5, 4)
        self.lm_head = torch.nn.Linear(4, 5, bias=False)
        self.lm_head.weight = self.embed.weight


def test_a_compiled_model_with_tied_weights_is_written_under_its_own_names(tmp_path):
    model = Tied()
    names = ['embed.weight', 'lm_head.weight']
    wrapped = torch.nn.ModuleDict({'_orig_mod': model})
    for given in (
        model,
        torch.compile(model),
        wrapped.state_dict(),
        {f'module.{name}': one for name, one in model.state_dict().items()},
    ):
        tensors = tensors_of(given)
        assert sorted(tensors) == names
        write(tmp_path / 'x.safetensors', tensors, {})
        with safe_open(tmp_path / 'x.safetensors', 'np') as file:
            for name in names:
                assert np.array_equal(file.get_tensor(name), model.embed.weight.detach().numpy())


def test_batches_are_tensors_whose_labels_follow_their_inputs():
    page = Page(np.array([*range(1, 9), 0, *range(11, 15), 0]), np.array([9, 5]))
    packed = next(pack([page], Shape(2, 5, 0), START, (0, 2)))
    batch = batch_of(packed, 5, 'shifted', 'torch', None)
    assert {name: tuple(values.shape) for name, values in batch.items()} == dict.fromkeys(
        ('input_ids', 'labels', 'documents', 'positions'), (2, 5)
    )
    assert batch['input_ids'].tolist() == [[1, 2, 3, 4, 5], [6, 7, 8, 0, 11]]
    assert batch['labels'].tolist() == [[2, 3, 4, 5, 6], [7, 8, 0, 11, 12]]
    assert batch['documents'].tolist() == [[0, 0, 0, 0, 0], [0, 0, 0, 0, 1]]
    assert batch['positions'].tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 0]]
    assert all(values.is_contiguous() and values.dtype == torch.int64 for values in batch.values())
    # Whoever masks labels leaves inputs alone.
    batch['labels'][:] = -100
    assert batch['input_ids'].tolist() == [[1, 2, 3, 4, 5], [6, 7, 8, 0, 11]]
    whole = batch_of(packed, 5, 'huggingface', 'torch', 1.5)
    assert whole['input_ids'].tolist() == [[1, 2, 3, 4, 5, 6], [6, 7, 8, 0, 11, 12]]
    assert whole['labels'].tolist() == whole['input_ids'].tolist() and whole['weight'] == 1.5


def test_ranks_are_those_of_a_process_group_and_of_torchrun(monkeypatch, tmp_path):
    monkeypatch.setenv('RANK', '3')
    monkeypatch.setenv('WORLD_SIZE', '5')
    assert Ranks.found() == Ranks(3, 5)
    torch.distributed.init_process_group('gloo', f'file://{tmp_path}/group', rank=0, world_size=1)
    try:
        assert Ranks.found() == Ranks(0, 1)
        assert sorted(tensors_of(Tied())) == ['embed.weight', 'lm_head.weight']
        mesh = torch.distributed.device_mesh.init_device_mesh('cpu', (1, 1, 1), mesh_dim_names=('dp_replicate', 'dp_shard', 'tp'))
        assert Ranks.of_mesh(mesh, 'dp_replicate', 'dp_shard') == Ranks(0, 1, leader=True)
    finally:
        torch.distributed.destroy_process_group()
