"""Batches of a run of winnow by Grain, as JAX trainers read them; their iterator's own state goes on at the token.

python with_grain.py RUN        prints the shapes of the first batches
"""

import sys

import grain

from winnow_trainer.adapters.sequences import SelectedSequences


def batches(sequences, process, processes, size, state=None):
    """Of one of the data-parallel processes, `size` sequences each."""
    source = sequences.of_rank(process, processes)
    ahead = grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
    iterator = iter(grain.MapDataset.source(source).batch(size).to_iter_dataset(ahead))
    if state is not None:
        iterator.set_state(state)
    return iterator


if __name__ == '__main__':
    for number, batch in zip(range(3), batches(SelectedSequences(sys.argv[1]), 0, 1, 4), strict=False):
        print(number, {name: values.shape for name, values in batch.items()})
