import type { Command } from 'commander'
import { probesOfRun } from '../../runs/mates/probes-of-run.ts'
import { textOf } from '../../runs/mates/stage.ts'
import { runNamed } from '../../runs/registry.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import {
  alwaysJson,
  type CliContext,
  clusterCommand,
  example,
  type GlobalOptions,
  naturalNumber,
  print,
} from '../context.ts'

interface Options extends GlobalOptions {
  readonly round?: number
  readonly rounds: number
}

export const probes = (context: CliContext): Command =>
  alwaysJson(clusterCommand('probes', 'rewarded texts as JSON lines, to train a model of influence elsewhere'))
    .argument('<run>', 'the run whose rewards count')
    .option('--round <round>', 'the round of the checkpoint (default: the last one with rewards)', naturalNumber)
    .option('--rounds <count>', 'so many rounds with rewards, that one and those before it', naturalNumber, 1)
    .addHelpText('after', example('winnow mates probes first --round 3 > probes.jsonl'))
    .action(async (name: string, options: Options) => {
      if (options.rounds < 1) throw new WinnowError('USAGE', '--rounds must be at least 1')
      await using connection = await context.connect(options)
      const { runtime } = connection
      const found = await probesOfRun(runtime, await runNamed(runtime, name), options)
      for (const { docId, loss, weight } of found.probes)
        await print(context.stdout, `${json({ docId, loss, weight, text: textOf(found, { docId }) })}\n`)
    })
