"""Which part of every global batch a process reads (services/selections/ranks.ts)."""

import os
import sys
from dataclasses import dataclass
from typing import Any

from winnow_wire.errors import WinnowError


@dataclass(frozen=True)
class Ranks:
    """One of `ranks` data-parallel coordinates. Processes of one coordinate (tensor, pipeline, context parallelism) read the same part.

    `leader`: whether this process reports and announces; one of all may. Default: that of rank 0.
    """

    rank: int = 0
    ranks: int = 1
    leader: bool | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.ranks:
            raise WinnowError('USAGE', f'there is no rank {self.rank} of {self.ranks}', 'Ranks count from 0.')

    @property
    def leads(self) -> bool:
        return self.rank == 0 if self.leader is None else self.leader

    def part(self, sequences: int) -> tuple[int, int]:
        """First sequence of its part of a global batch, and the one after its last. The parts of all ranks are consecutive and
        differ in length by at most one."""
        return self.rank * sequences // self.ranks, (self.rank + 1) * sequences // self.ranks

    @staticmethod
    def found() -> 'Ranks':
        """Those of torch.distributed where it is initialized, else of torchrun's environment, else a single one."""
        distributed: Any = getattr(sys.modules.get('torch'), 'distributed', None)
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            return Ranks(distributed.get_rank(), distributed.get_world_size())
        try:
            return Ranks(int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1)))
        except ValueError as error:
            raise WinnowError('USAGE', f'RANK or WORLD_SIZE is no number: {error}', 'Give ranks=Ranks(rank, ranks).') from error

    @staticmethod
    def of_mesh(mesh: Any, *dimensions: str) -> 'Ranks':
        """Of a torch DeviceMesh: its data-parallel dimensions, for instance 'dp_replicate', 'dp_shard', the outermost first."""
        rank, ranks = 0, 1
        for name in dimensions:
            size = mesh[name].size()
            rank, ranks = rank * size + mesh.get_local_rank(name), ranks * size
        return Ranks(rank, ranks, leader=not any(mesh.get_coordinate()))
