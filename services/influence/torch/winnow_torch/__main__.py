"""Runs an influence worker in PyTorch for one run: python -m winnow_torch --run RUN. See README.md beside the package."""

import argparse
import json
import logging
import os
import signal
import sys

import torch
from confluent_kafka import Consumer, TopicPartition

from winnow_wire.connection import kafka_settings, registry_authorization
from winnow_wire.errors import WinnowError
from winnow_wire.records import Reader, Registry
from winnow_wire.stores import prepare
from winnow_wire.texts import SealedTexts

from .run import RUNS, parse_run
from .scorer import Scorer, device_named
from .worker import Worker

DTYPES = dict(float32=torch.float32, bfloat16=torch.bfloat16, float64=torch.float64)
# A batch of one on a CPU: then no bit of a reward can depend on the other documents of its request.
BATCH_TOKENS = dict(cpu=1, cuda=16_384)


def parsed(arguments):
    parser = argparse.ArgumentParser(prog='winnow_torch', description=__doc__)
    parser.add_argument('--run', required=True, help='a recorded run (winnow run list)')
    parser.add_argument('--brokers', default=os.environ.get('WINNOW_BROKERS'), help='host:port,...; or WINNOW_BROKERS')
    parser.add_argument('--registry', default=os.environ.get('WINNOW_REGISTRY_URL'), help='URL; or WINNOW_REGISTRY_URL')
    parser.add_argument('--device', default='auto', help='auto (CUDA if available), cpu, cuda, cuda:1')
    parser.add_argument('--dtype', default='float32', choices=DTYPES, help='of weights and activations; default float32')
    parser.add_argument('--threads', type=int, help="torch's threads on a CPU")
    parser.add_argument('--batch-tokens', type=int, help='padded tokens per batch; default 16384 on CUDA, one window on a CPU')
    parser.add_argument('--checkpoint-memory', type=float, default=8, help='GiB for checkpoints; the one in use is always kept')
    parser.add_argument(
        '--map-path', action='append', default=[], metavar='FROM=TO', help='where paths of the run are on this machine'
    )
    parser.add_argument('--instance', help='a name kept over restarts: a restart then ends its unfinished transaction at once')
    parser.add_argument('--group', help="a consumer group other than the run's, to answer all requests again (for comparisons)")
    parser.add_argument('--until-idle', action='store_true', help='exit when all requests are answered')
    options = parser.parse_args(arguments)
    for name in ('brokers', 'registry'):
        if not getattr(options, name):
            parser.error(f'--{name} is missing')
    if any('=' not in mapping for mapping in options.map_path):
        parser.error('--map-path has the form FROM=TO')
    return options


def path_map(mappings):
    pairs = [mapping.split('=', 1) for mapping in mappings]

    def mapped(path):
        for start, here in pairs:
            if path.startswith(start):
                return here + path[len(start) :]
        return path

    return mapped


def recorded_config(settings, registry, name):
    """The configuration of a run: the last record under its name in `winnow.runs`."""
    reader, config = Reader(registry, 'Run'), None
    consumer = Consumer(settings | {
        'group.id': 'winnow.run-reader', 'enable.auto.commit': False,
        'auto.offset.reset': 'earliest', 'enable.partition.eof': False, 'isolation.level': 'read_committed',
    })  # fmt: skip
    try:
        try:
            partitions = consumer.list_topics(RUNS, timeout=10).topics[RUNS].partitions
            ends = {p: consumer.get_watermark_offsets(TopicPartition(RUNS, p), timeout=10) for p in partitions}
        except Exception as error:  # KafkaException, and what it wraps
            hint = 'WINNOW_BROKERS or --brokers names them.'
            raise WinnowError(
                'UNREACHABLE', f'{RUNS} cannot be read from {settings["bootstrap.servers"]}: {error}', hint
            ) from error
        consumer.assign([TopicPartition(RUNS, p, first) for p, (first, _) in ends.items()])
        while any(
            consumer.position([TopicPartition(RUNS, p)])[0].offset < end for p, (first, end) in ends.items() if end > first
        ):
            message = consumer.poll(10)
            if message is None:
                break
            if message.error() is None and message.value() is None and message.key() == name.encode():
                config = None
            if message.error() is None and message.value() is not None:
                run = reader.value(message.value())
                if run['run'] == name:
                    config = run['config']
    finally:
        consumer.close()
    if config is None:
        raise WinnowError('CONFIGURATION', f'there is no run {name}', 'winnow run list names them.')
    return config


def serve(options):
    device, dtype = device_named(options.device), DTYPES[options.dtype]
    if device.type == 'cuda' and not torch.cuda.is_available():
        raise WinnowError(
            'CONFIGURATION', 'there is no CUDA device', 'Use --device cpu, or install a torch built for your driver.'
        )
    if options.threads:
        torch.set_num_threads(options.threads)
    settings = kafka_settings(os.environ, options.brokers)
    registry = Registry(options.registry, registry_authorization(os.environ))
    mapped = path_map(options.map_path)
    batch_tokens = options.batch_tokens or BATCH_TOKENS.get(device.type, 1)
    config = recorded_config(settings, registry, options.run)
    prepare(mapped(json.loads(config)['checkpoints']))
    run = parse_run(options.run, config, batch_tokens, mapped)
    scorer = Scorer(run, device, dtype, int(options.checkpoint_memory * 2**30), mapped)
    sealed = SealedTexts.from_environment(os.environ)
    worker = Worker(run, scorer, settings, registry, options.instance, options.group, sealed)
    signals = []

    def on_signal(number, frame):
        if signals:
            os._exit(130)
        signals.append(number)

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    print(f'running: influence of {run.name} on {device} in {options.dtype}; Ctrl-C drains and ends', file=sys.stderr, flush=True)
    worker.serve(lambda: bool(signals), options.until_idle)


def main(arguments=None):
    logging.basicConfig(level=os.environ.get('WINNOW_LOG_LEVEL', 'info').upper(), format='%(levelname)s %(name)s: %(message)s')
    options = parsed(arguments)
    try:
        serve(options)
    except WinnowError as error:
        print(error.line(), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == '__main__':
    sys.exit(main())
