"""What a step waits for its batch, how soon a stream opens wherever it goes on, and switches of rounds: DOCUMENTS TOKENIZER.JSON

Texts come from ClickHouse, tokens from a token store. A step takes 50 ms and computes nothing, so what comes on top is the stream's."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from winnow_trainer import Ranks, SelectedStream

documents, tokenizer = int(sys.argv[1]), sys.argv[2]
LENGTH, BATCH = 1024, 8
STEP_SECONDS, STEPS, TURNS = 0.05, 60, 5
STORE = 'store'


def opened(run, kind, **options):
    store = {'store': STORE} if kind == 'tokens' else {}
    return SelectedStream(
        run,
        tokenizer=tokenizer,
        ranks=Ranks(0, 1, options.pop('leader', False)),
        **store,
        **options,
    )


def loaders(kind):
    return opened('loaders', kind, sequence_length=LENGTH, batch_sequences=BATCH)


def median(values):
    return statistics.median(values)


def overhead(kind):
    """Steps that are fed by the stream in turns with steps that have their batch already."""

    def step(take):
        began = time.perf_counter()
        take()
        time.sleep(STEP_SECONDS)
        return time.perf_counter() - began

    with loaders(kind) as stream:
        batch = next(stream)
        time.sleep(1)
        fed, constant = zip(
            *((step(lambda: next(stream)), step(lambda: batch)) for _ in range(STEPS)),
            strict=True,
        )
        waits = []
        for _ in range(STEPS):
            began = time.perf_counter()
            next(stream)
            waits.append(time.perf_counter() - began)
            time.sleep(STEP_SECONDS)
    more = (median(fed) - median(constant)) * 1000
    print(
        f'{kind}: a step of 50 ms takes {more:.2f} ms more in the median ({more / 10 / STEP_SECONDS:.2f} %)',
        flush=True,
    )
    print(
        f'{kind}: next() takes {median(waits) * 1e6:.0f} µs in the median, {max(waits) * 1000:.1f} ms at most',
        flush=True,
    )


def resume(run, states, kind, shape):
    """From nothing but a state to the first batch, open as a rank that does not lead; medians of some turns, in turns."""
    seconds = {name: [] for name in states}
    for _ in range(TURNS):
        for name, state in states.items():
            began = time.perf_counter()
            stream = opened(run, kind, **shape)
            if state is not None:
                stream.load_state_dict(state)
            next(stream)
            seconds[name].append(time.perf_counter() - began)
            stream.close()
    for name, all in seconds.items():
        print(
            f'{kind}: open to the first batch {name}: {median(all):.2f} s ({min(all):.2f} to {max(all):.2f})',
            flush=True,
        )


def positions(kind):
    states = {'at the start': None}
    with loaders(kind) as stream:
        for _ in stream:
            for share in (10, 50, 90):
                if stream.cursor.document >= documents * share // 100:
                    states.setdefault(f'at {share} percent', stream.state_dict())
            if len(states) == 4:
                break
        began = time.perf_counter()
        for _ in range(1000):
            stream.state_dict()
        state_us = (time.perf_counter() - began) * 1000
        print(
            f'{kind}: state_dict takes {state_us:.0f} µs and {len(json.dumps(stream.state_dict()))} bytes',
            flush=True,
        )
    resume('loaders', states, kind, {'sequence_length': LENGTH, 'batch_sequences': BATCH})


def switches():
    """The run of run.ts that reselects every 40 steps, in mode ready, trained to its end; its steps around the beginnings of rounds."""
    described = json.loads((Path(tokenizer).parent / 'model.json').read_text())['parameters']
    weights = {one['name']: torch.zeros(one['shape']) for one in described}
    waits, begun, states = [], [], {}
    with opened('rounds', 'tokens', leader=True) as stream:
        round = 0
        while True:
            began = time.perf_counter()
            try:
                next(stream)
            except StopIteration:
                break
            waits.append(time.perf_counter() - began)
            if stream.round != round:
                round = stream.round
                begun.append(len(waits) - 1)
                states[f'in round {round}'] = stream.state_dict()
            time.sleep(STEP_SECONDS)
            stream.step_done()
            if stream.checkpoint_due:
                stream.announce(weights)
                # Of a reselection only its switch is measured, however long it takes.
                while stream.step < stream.config['steps'] and stream._source.log.newest < stream.step // 40:
                    time.sleep(0.05)
    at_switch = [waits[at] for at in begun]
    others = [wait for at, wait in enumerate(waits[1:], start=1) if at not in begun]
    print(f'ready: rounds began before steps {begun} of {len(waits)}', flush=True)
    print(
        f'ready: next() at a switch takes {median(at_switch) * 1000:.2f} ms in the median, {max(at_switch) * 1000:.2f} at most; '
        f'elsewhere {median(others) * 1000:.2f} and {max(others) * 1000:.2f}',
        flush=True,
    )
    resume('rounds', states, 'tokens', {})
    resume('rounds', states, 'texts', {})


command = [
    sys.executable,
    '-m',
    'winnow_trainer',
    'tokens',
    STORE,
    '--tokenizer',
    tokenizer,
    '--once',
]
subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(
    f'{documents} documents, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}',
    flush=True,
)
switches()
for kind in ('texts', 'tokens'):
    overhead(kind)
    positions(kind)
shutil.rmtree(STORE)
