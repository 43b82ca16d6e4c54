"""A campaign's mixture by DoReMi or DoGE, for `winnow proxies plan --trainer python`: services/campaigns/mixing/python.ts writes the job.

python campaign.py FOLDER      job.json, the rows of each domain, and checkpoints, from the last of which it goes on

Writes JSON lines: {"share": how much is trained}, at last {"result": ...}. Ends with its standard input, which is its parent's life.
"""

import json
import os
import sys
import threading
from pathlib import Path

import torch
from mixing import Course, Proxy, doge, doremi, texts_of, tokenizer_of

from winnow_torch.sequences import read_reference
from winnow_trainer import WinnowError


def tell(**what):
    print(json.dumps(what), flush=True)


def end_with_parent():
    def wait():
        # Not sys.stdin, whose lock a thread must not hold when the interpreter ends.
        while os.read(0, 4096):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def worked(folder):
    """What the job of a folder comes to, as a campaign records it; of domains without tokens it knows nothing."""
    job = json.loads((folder / 'job.json').read_text())
    model, trainer, seed = job['model'], job['trainer'], job['seed']
    tokenizer = tokenizer_of(model)
    encoded = [[tokenizer.ids(text) for text in texts_of(folder / name)] for name in job['rows']]
    read = [(job[name], tokenizer, trainer['context'], job['samplesMax']) for name in ('reward', 'corpus')]
    reward, corpus = (read_reference(*one) for one in read)
    stages = ('reference', 'proxy') if job['method'] == 'doremi' else ('proxy',)

    def report(stage, done):
        tell(share=(stages.index(stage) + done) / len(stages))

    def proxy_of():
        return Proxy(model, seed, trainer, job['steps'])

    def target(step):
        return [reward[(step * trainer['batch'] + i) % len(reward)] for i in range(trainer['batch'])]

    course, options = Course(job['steps'], folder, report), job['options']
    if job['method'] == 'doremi':
        given = {name: options[name] for name in ('rate', 'smoothing')}
        proxy, state = doremi(proxy_of, encoded, course, trainer, seed, tokenizer.end_of_text, job['prior'], **given)
    else:
        towards = None if options['variant'] == 'universal' else target
        given = {name: options[name] for name in ('mu', 'smoothing')} | {'gains': (options['gainMin'], options['gainMax'])}
        proxy, state = doge(proxy_of, encoded, course, trainer, towards, tokenizer.end_of_text, **given)
    return {
        **{'shares': state.mean, 'last': state.weights, 'updates': state.updates, 'course': course.means},
        **{'loss': proxy.held_out(reward), 'corpusLoss': proxy.held_out(corpus)},
    }


if __name__ == '__main__':
    end_with_parent()
    torch.manual_seed(0)
    try:
        tell(result=worked(Path(sys.argv[1])))
    except WinnowError as error:
        print(error.line(), file=sys.stderr)
        sys.exit(error.exit_code)
