"""A trainer of winnow-trainer for python-stream.test.ts: settings as JSON in the first argument, a line of JSON for each batch received."""

import json
import os
import shutil
import sys
import time
from pathlib import Path

root = Path(__file__).parents[2]
sys.dont_write_bytecode = True
sys.path[:0] = [
    str(root / 'services/trainer/python'),
    str(root / 'services/runtime/python'),
]
from winnow_trainer import Ranks, SelectedStream, WinnowError  # noqa: E402

given = json.loads(sys.argv[1])
folder = Path(given['folder'])
state = Path(given.get('state', folder / 'state.json'))
rank, ranks = given.get('rank', 0), given.get('ranks', 1)


def say(**values):
    print(json.dumps(values), flush=True)


def opened(**options):
    common = {
        'tokenizer': given['tokenizer'],
        'tensors': 'numpy',
        'prefetch_batches': 2,
        'window_documents': given.get('window', 16),
        'store': given.get('store'),
        'files': given.get('files'),
    }
    return SelectedStream(
        given['run'],
        **common | {'ranks': Ranks(rank, ranks, given.get('leader'))} | options,
    )


def kill_at(point, step):
    if given.get('kill') == [point, step]:
        os._exit(9)


def write(stream):
    """As every trainer writes its checkpoint: whole, before it is announced."""
    partial = state.with_suffix('.partial')
    partial.write_text(json.dumps({'cursor': stream.state_dict(), 'metadata': stream.metadata()}))
    os.replace(partial, state)


def announce(stream):
    if rank == 0 and given.get('leader') is not False:
        write(stream)
        kill_at('checkpointed', stream.step)
    path = folder / f'python-{stream.step}.safetensors'
    if stream.ranks.leads:
        shutil.copy(given['weights'], path)
    stream.announce(path)
    kill_at('reported', stream.step)
    while given.get('hold') and stream.step < stream.config['steps'] and stream._source.log.newest < stream.step // 3:
        time.sleep(0.05)


def train():
    with opened() as stream:
        if state.exists():
            stream.load_state_dict(json.loads(state.read_text())['cursor'])
            if stream.checkpoint_due:
                announce(stream)
        for batch in stream:
            kill_at('stepping', stream.step)
            ids = batch['input_ids'].tolist()
            last = batch['labels'][:, -1:].tolist()
            say(
                step=stream.step,
                rows=[row + end for row, end in zip(ids, last, strict=True)],
                cursor=stream.state_dict(),
            )
            stream.step_done(1.0)
            if stream.checkpoint_due:
                announce(stream)
            if stream.step == given.get('until'):
                break
        say(done=True, step=stream.step)


def ids():
    """Everything of every round: ids in order, whose digests `verify` compares."""
    with opened(ranks=Ranks(leader=False)) as stream:
        source = stream._source
        for round, manifest in sorted(source.log.manifests.items()):
            stream.verify(round)
            from winnow_trainer.selection import Selections

            read, selections = (
                [],
                Selections(source.connection, source.registry, given['run']),
            )
            for some in selections.ids(manifest, given.get('from', 0), lambda: None):
                read += some.tolist()
                if len(read) >= given['count']:
                    break
            selections.close()
            say(round=round, ids=[str(id) for id in read[: given['count']]])


def refusals():
    """What a resumed trainer is told where it would read something else."""
    cursor = json.loads(state.read_text())['cursor']
    with opened(ranks=Ranks(leader=False)) as stream:
        for change in given['changes']:
            try:
                stream.load_state_dict(cursor | change)
                say(code=None)
            except WinnowError as error:
                say(code=error.code, message=str(error))


def zombie():
    """Two trainers of one run: the older one is fenced, whatever it reports."""
    with opened() as first:
        first.load_state_dict(json.loads(state.read_text())['cursor'])
        with opened() as second:
            second.load_state_dict(json.loads(state.read_text())['cursor'])
            second.announce(given['weights'])
            try:
                first.announce(given['weights'])
                say(code=None)
            except WinnowError as error:
                say(code=error.code, exit=error.exit_code)
            second.announce(given['weights'])
            say(done=True)


def handover():
    """From the beginning, or where the TypeScript trainer stopped; leaves it a checkpoint to go on from."""
    from safetensors import safe_open

    with safe_open(given.get('checkpoint', given['tensors']), 'np') as file:
        metadata, tensors = (
            file.metadata(),
            {name: file.get_tensor(name) for name in file.keys()},
        )
    with opened() as stream:
        if 'checkpoint' in given:
            stream.load_metadata(metadata)
            stream.announce(given['checkpoint'])
        for batch in stream:
            rows = [
                row + end
                for row, end in zip(
                    batch['input_ids'].tolist(),
                    batch['labels'][:, -1:].tolist(),
                    strict=True,
                )
            ]
            say(step=stream.step, rows=rows, cursor=stream.state_dict())
            stream.step_done(1.0)
            if stream.checkpoint_due:
                stream.announce(tensors)
                if stream.step == given['until']:
                    break


try:
    {
        'handover': handover,
        'train': train,
        'ids': ids,
        'refusals': refusals,
        'zombie': zombie,
    }[given.get('mode', 'train')]()
except WinnowError as error:
    print(error.line(), file=sys.stderr)
    sys.exit(error.exit_code)
