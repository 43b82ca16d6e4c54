"""Which part of every global batch a process reads (services/selections/ranks.ts)."""

import os
import sys
from dataclasses import dataclass
from typing import Any

from winnow_wire.errors import WinnowError


@dataclass(frozen=True)
class Ranks:
    """One of `ranks` data-parallel coordinates. Processes of one coordinate (tensor, pipeline, context parallelism) read the same part.

    Of Megatron's groups: Ranks(parallel_state.get_data_parallel_rank(), parallel_state.get_data_parallel_world_size()).
    `leader`: whether this process reports and announces; one of all may. Default: that of rank 0 of torch.distributed or torchrun,
    and without those of `rank` 0.
    """

    rank: int = 0
    ranks: int = 1
    leader: bool | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.ranks:
            raise WinnowError('USAGE', f'there is no rank {self.rank} of {self.ranks}', 'Ranks count from 0.')

    @property
    def leads(self) -> bool:
        if self.leader is not None:
            return self.leader
        world = _world()
        # Several processes may have coordinate 0.
        return (self.rank if world is None else world[0]) == 0

    @property
    def processes(self) -> int:
        """That train together: of all coordinates."""
        world = _world()
        return self.ranks if world is None else max(world[1], self.ranks)

    def part(self, sequences: int) -> tuple[int, int]:
        """First sequence of its part of a global batch, and the one after its last. The parts of all ranks are consecutive and
        differ in length by at most one."""
        return self.rank * sequences // self.ranks, (self.rank + 1) * sequences // self.ranks

    @staticmethod
    def found() -> 'Ranks':
        """Those of torch.distributed where it is initialized, else of torchrun's environment, else a single one."""
        return Ranks(*(_world() or (0, 1)))

    @staticmethod
    def of_mesh(mesh: Any, *dimensions: str) -> 'Ranks':
        """Of a torch DeviceMesh: its data-parallel dimensions, for instance 'dp_replicate', 'dp_shard', the outermost first."""
        rank, ranks = 0, 1
        for name in dimensions:
            size = mesh[name].size()
            rank, ranks = rank * size + mesh.get_local_rank(name), ranks * size
        return Ranks(rank, ranks, leader=not any(mesh.get_coordinate()))


def _world() -> tuple[int, int] | None:
    """Rank and number of all processes, where somebody says so."""
    distributed: Any = getattr(sys.modules.get('torch'), 'distributed', None)
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    if 'RANK' not in os.environ:
        return None
    try:
        return int(os.environ['RANK']), int(os.environ.get('WORLD_SIZE', 1))
    except ValueError as error:
        hint = 'torchrun sets them; without it leave them unset.'
        raise WinnowError('USAGE', f'RANK or WORLD_SIZE is no number: {error}', hint) from error
