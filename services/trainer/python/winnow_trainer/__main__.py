"""Commands beside the stream: winnow-trainer, or python -m winnow_trainer."""

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from winnow_wire.connection import kafka_settings, registry_authorization
from winnow_wire.errors import WinnowError
from winnow_wire.records import Registry
from winnow_wire.texts import SealedTexts

from . import evaluation
from .hf_folder import open_checkpoint
from .token_store.follow import Follower
from .tokens import Tokenizer


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='winnow-trainer', description=__doc__)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    tokens = commands.add_parser(
        'tokens',
        help='fill a folder with the tokens of all documents, and follow the corpus',
        description='Fills a token store from winnow.documents, goes on where it was, and follows the topic until it is told to stop. '
        'Brokers and registry are those of WINNOW_BROKERS, WINNOW_REGISTRY_URL and so on.',
    )
    tokens.add_argument('folder', type=Path, help="of the store; SelectedStream(store=FOLDER) reads it. Megatron's .bin and .idx")
    tokens.add_argument('--tokenizer', type=Path, required=True, help='the tokenizer.json that the trainer has')
    tokens.add_argument('--end', type=int, help='the id that ends a document; default: what model.json beside the tokenizer says')
    tokens.add_argument('--once', action='store_true', help='stop when all is in that the topic has')
    tokens.add_argument('--json', action='store_true', help='print what the store holds in the end as JSON')
    tokens.set_defaults(work=fill_store)
    folder = commands.add_parser(
        'folder',
        help='make a folder for transformers of a checkpoint that was announced',
        description='Writes config.json and the tokenizer, and links the weights: from_pretrained opens the folder.',
    )
    folder.add_argument('checkpoint', type=Path, help='a safetensors file, an index of shards, or a folder of either')
    folder.add_argument('folder', type=Path, help='where to make it')
    folder.add_argument('--model', required=True, help='the model of the run: its exported folder, or shipped:NAME')
    folder.set_defaults(work=lambda given: open_checkpoint(given.checkpoint, given.folder, given.model))
    evaluate = commands.add_parser(
        'evaluate',
        help='evaluate a checkpoint on tasks of lm-evaluation-harness',
        description="Prints a checkpoint's accuracies, in percent: by default of the paper's ten tasks at 0, 3 and 5 shots. Needs lm_eval.",
    )
    evaluate.add_argument('checkpoint', type=Path, help='one that was announced, or a folder that from_pretrained opens')
    evaluate.add_argument(
        '--model', help='the model of its run, where it is no such folder: the exported folder, or shipped:NAME'
    )
    evaluate.add_argument('--tasks', default='paper', help="names of tasks, with commas between; 'paper': those of the paper")
    evaluate.add_argument('--tasks-folder', type=Path, help='more tasks: a folder of YAML files')
    evaluate.add_argument(
        '--shots', default=','.join(map(str, evaluation.SHOTS)), help='numbers of examples (default: %(default)s)'
    )
    evaluate.add_argument('--batch', default='8', help="sequences at once, or 'auto' (default: %(default)s)")
    evaluate.add_argument('--device', help='of torch; default: a GPU if there is one')
    evaluate.add_argument('--limit', type=int, help='only so many items of each task, to try it')
    evaluate.add_argument('--out', type=Path, help='a file of JSON lines: what it has of this checkpoint is not made again')
    evaluate.set_defaults(work=evaluate_tasks)
    return parser.parse_args(arguments)


def evaluate_tasks(options: argparse.Namespace) -> None:
    tasks = list(evaluation.PAPER) if options.tasks == 'paper' else options.tasks.split(',')
    try:
        shots = [int(text) for text in options.shots.split(',')]
    except ValueError as error:
        raise WinnowError('USAGE', f'--shots {options.shots} is no list of numbers', 'For example 0,3,5.') from error
    known = [] if options.out is None else evaluation.read_known(options.out)
    if options.out is not None:
        partial = options.out.with_name(f'{options.out.name}.partial')
        partial.write_text(''.join(map(evaluation.line, known)))
        os.replace(partial, options.out)
    results = []
    names = ('tasks_folder', 'batch', 'device', 'limit')
    given = {name: getattr(options, name) for name in names}
    for one in evaluation.evaluated(options.checkpoint, options.model, tasks, shots, known=known, **given):
        results.append(one)
        if options.out is not None and one not in known:
            with options.out.open('a') as file:
                file.write(evaluation.line(one))
    print(evaluation.table(results))


def fill_store(options: argparse.Namespace) -> None:
    stopping: list[int] = []
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda number, _: stopping.append(number))
    addresses = [os.environ.get(name) for name in ('WINNOW_BROKERS', 'WINNOW_REGISTRY_URL')]
    if not all(addresses):
        hint = 'They are the addresses of winnow.yaml: kafka.brokers, registry.url.'
        raise WinnowError('CONFIGURATION', 'WINNOW_BROKERS and WINNOW_REGISTRY_URL are not both set', hint)
    kafka = kafka_settings(os.environ, str(addresses[0]))
    registry = Registry(str(addresses[1]), registry_authorization(os.environ))
    tokenizer = Tokenizer(options.tokenizer, options.end)
    follower = Follower(kafka, registry, options.folder, tokenizer, SealedTexts.from_environment(os.environ))
    try:
        done = follower.run(lambda: bool(stopping), options.once)
        committed = follower.filler.committed
    finally:
        follower.close()
    documents, erased = committed.documents, committed.erased
    holds = {'documents': documents, 'erased': erased, 'files': len(committed.files), 'offsets': committed.offsets}
    print(json.dumps(holds) if options.json else f'{documents} documents are in {options.folder}, {erased} of them erased')
    if options.once and not done:
        # As a shell says of a program that a signal has ended: what was asked for was not reached.
        sys.exit(128 + stopping[0])


def main(arguments: Sequence[str] | None = None) -> None:
    options = parsed(arguments)
    logging.basicConfig(level=os.environ.get('WINNOW_LOG_LEVEL', 'info').upper(), format='%(asctime)s %(message)s')
    try:
        options.work(options)
    except WinnowError as error:
        print(error.line(), file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == '__main__':
    main()
