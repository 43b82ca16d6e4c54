"""What run.ts compares: each loader gives batches [8, 1024] of packed tokens, in one process, in turns. RUN SELECTED.JSONL TOKENIZER.JSON [texts|tokens]"""

import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

run, lines, tokenizer_file = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
LENGTH, BATCH = 1024, 8
SECONDS, TURNS = (
    float(os.environ.get('BENCH_SECONDS', 4)),
    int(os.environ.get('BENCH_TURNS', 5)),
)

os.environ['TOKENIZERS_PARALLELISM'] = 'true'
from tokenizers import Tokenizer  # noqa: E402
from winnow_trainer import Ranks, SelectedStream  # noqa: E402

tokenizer, END = Tokenizer.from_file(tokenizer_file), 0
texts = [json.loads(line)['text'] for line in lines.open()]


def encoded(some):
    return [one.ids for one in tokenizer.encode_batch_fast(some, add_special_tokens=False)]


def stream(**options):
    return SelectedStream(
        run,
        tokenizer=tokenizer_file,
        sequence_length=LENGTH,
        batch_sequences=BATCH,
        ranks=Ranks(leader=False),
        **options,
    )


def pack(documents):
    """Of lists of ids: rows of LENGTH + 1, as everybody's own code packs."""
    held = []
    for ids in documents:
        held += [*ids, END]
        while len(held) > LENGTH:
            yield torch.tensor(held[: LENGTH + 1])
            held = held[LENGTH:]


# --- Hugging Face datasets with StatefulDataLoader


def group(batch):
    held = [token for ids in batch['ids'] for token in [*ids, END]]
    whole = (len(held) - 1) // LENGTH
    return {'rows': [held[i * LENGTH : (i + 1) * LENGTH + 1] for i in range(whole)]}


class HuggingFace:
    def __init__(self, kind):
        import datasets

        self.kind = kind
        if kind == 'texts':
            self.data = datasets.load_dataset('json', data_files=str(lines), split='train')
        else:
            self.data = datasets.Dataset.from_generator(lambda: ({'ids': ids} for ids in encoded(texts)))

    def __call__(self, state=None):
        from torchdata.stateful_dataloader import StatefulDataLoader

        data = self.data.to_iterable_dataset(num_shards=4)
        if self.kind == 'texts':
            data = data.map(
                lambda batch: {'ids': encoded(batch['text'])},
                batched=True,
                batch_size=256,
                remove_columns=['text'],
            )
        data = data.map(group, batched=True, batch_size=256, remove_columns=['ids']).with_format('torch')
        loader = StatefulDataLoader(data, batch_size=BATCH, num_workers=0)
        if state is not None:
            loader.load_state_dict(state)
        return loader


# --- MosaicML Streaming and litdata: rows are packed when their folders are written


class Mosaic:
    def __init__(self, kind):
        from streaming import MDSWriter

        self.kind, self.folder = kind, f'mds-{kind}'
        if kind == 'texts':
            with MDSWriter(out=self.folder, columns={'text': 'str'}) as out:
                for text in texts:
                    out.write({'text': text})
        else:
            with MDSWriter(out=self.folder, columns={'rows': f'ndarray:int32:{LENGTH + 1}'}) as out:
                for row in pack(encoded(texts)):
                    out.write({'rows': row.numpy().astype(np.int32)})

    def __call__(self, state=None):
        from streaming import StreamingDataLoader, StreamingDataset
        from streaming.base.util import clean_stale_shared_memory

        clean_stale_shared_memory()
        data = StreamingDataset(local=self.folder, shuffle=False, batch_size=BATCH)
        if self.kind == 'texts':
            loader = StreamingDataLoader(
                data,
                batch_size=64,
                num_workers=0,
                collate_fn=lambda rows: [row['text'] for row in rows],
            )
            rows = pack(itertools.chain.from_iterable(map(encoded, loader)))
            return map(torch.stack, batched(rows))
        loader = StreamingDataLoader(data, batch_size=BATCH, num_workers=0)
        if state is not None:
            loader.load_state_dict(state)
        return loader


class Litdata:
    def __init__(self, kind):
        from litdata.streaming.writer import BinaryWriter

        self.kind, self.folder = kind, f'litdata-{kind}'
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        if kind == 'texts':
            writer = BinaryWriter(self.folder, chunk_bytes='32MB')
            for i, text in enumerate(texts):
                writer.add_item(i, text)
        else:
            from litdata.streaming.item_loader import TokensLoader

            # A chunk holds whole blocks.
            writer = BinaryWriter(self.folder, chunk_size=(LENGTH + 1) * 8192, item_loader=TokensLoader())
            for i, ids in enumerate(encoded(texts)):
                writer.add_item(i, torch.tensor([*ids, END], dtype=torch.int32))
        writer.done()
        writer.merge()

    def __call__(self, state=None):
        from litdata import StreamingDataLoader, StreamingDataset
        from litdata.streaming.item_loader import TokensLoader

        if self.kind == 'texts':
            data = StreamingDataset(self.folder)
            loader = StreamingDataLoader(data, batch_size=64, num_workers=0, collate_fn=list)
            return map(
                torch.stack,
                batched(pack(itertools.chain.from_iterable(map(encoded, loader)))),
            )
        data = StreamingDataset(self.folder, item_loader=TokensLoader(block_size=LENGTH + 1))
        loader = StreamingDataLoader(data, batch_size=BATCH, num_workers=0)
        if state is not None:
            loader.load_state_dict(state)
        return loader


def batched(rows):
    rows = iter(rows)
    while some := list(itertools.islice(rows, BATCH)):
        yield some


class Winnow:
    def __init__(self, kind):
        self.options = {}
        if kind == 'tokens':
            command = [
                sys.executable,
                '-m',
                'winnow_trainer',
                'tokens',
                'store',
                '--tokenizer',
                tokenizer_file,
                '--once',
            ]
            subprocess.run(
                command,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self.options = {'store': 'store'}

    def __call__(self, state=None):
        opened = stream(**self.options)
        if state is not None:
            opened.load_state_dict(state)
        return opened


class WinnowFiles(Winnow):
    """From the file that was ingested, as the others read theirs: no server beside them."""

    def __init__(self, kind):
        self.options = {'files': '.'}


def measured(loader):
    """Tokens per second, seconds to the first batch, seconds of processor time per million tokens."""
    began, cpu = time.perf_counter(), time.process_time()
    opened = loader()
    # Whatever was read to its end begins again.
    batches = itertools.chain.from_iterable(itertools.repeat(opened) if hasattr(opened, '__len__') else [opened])
    iterator = iter(batches)
    next(iterator)
    first = time.perf_counter() - began
    began, count = time.perf_counter(), 0
    for _ in iterator:
        count += 1
        if time.perf_counter() - began > SECONDS:
            break
    took = time.perf_counter() - began
    tokens = count * BATCH * LENGTH
    result = tokens / took, first, (time.process_time() - cpu) / (tokens / 1e6)
    getattr(opened, 'close', lambda: None)()
    return result


def said(values, digits=2):
    return f'{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})'


def throughput(kind):
    makers = {
        'winnow': Winnow,
        **({'winnow from files': WinnowFiles} if kind == 'texts' else {}),
        'datasets': HuggingFace,
        'streaming': Mosaic,
        'litdata': Litdata,
    }
    loaders = {}
    for name, make in makers.items():
        try:
            loaders[name] = make(kind)
            measured(loaders[name])
        except Exception as error:
            loaders.pop(name, None)
            print(f'{kind} {name}: does not run: {error!r}', flush=True)
    turns = {name: [] for name in loaders}
    for _ in range(TURNS):
        for name, loader in loaders.items():
            turns[name].append(measured(loader))
    for name, results in turns.items():
        rate, first, cpu = zip(*results, strict=True)
        rates = [value / 1e6 for value in rate]
        print(f'{kind} {name}: {said(rates, 3)} million tokens/s; first batch {said(first)} s; {said(cpu)} CPU-s per million')
    medians = {name: statistics.median(rate for rate, _, _ in results) for name, results in turns.items()}
    best = max((name for name in medians if not name.startswith('winnow')), key=medians.__getitem__)
    for name in medians:
        if name.startswith('winnow'):
            share = medians[name] / medians[best]
            print(f'{kind}: {name} is at {share:.2f} of the fastest other, {best}; load {os.getloadavg()[0]:.1f}', flush=True)


print(
    f'{len(texts)} documents, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}',
    flush=True,
)
for kind in sys.argv[4:] or ('texts', 'tokens'):
    throughput(kind)
