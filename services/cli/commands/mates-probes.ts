import type { Command } from 'commander'
import { probesOfRun } from '../../runs/mates/probes-of-run.ts'
import { textOf } from '../../runs/mates/stage.ts'
import { runNamed } from '../../runs/registry.ts'
import { json } from '../../runtime/json.ts'
import { alwaysJson, type CliContext, clusterCommand, example, type GlobalOptions, print } from '../context.ts'

import { roundOption, roundsOption } from './mates-options.ts'

interface Options extends GlobalOptions {
  readonly round?: number
  readonly rounds: number
}

export const probes = (context: CliContext): Command =>
  alwaysJson(clusterCommand('probes', 'rewarded texts as JSON lines, to train a model of influence elsewhere'))
    .argument('<run>', 'the run whose rewards count')
    .addOption(roundOption())
    .addOption(roundsOption())
    .addHelpText('after', example('winnow mates probes first --round 3 > probes.jsonl'))
    .action(async (name: string, options: Options) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      const found = await probesOfRun(runtime, await runNamed(runtime, name), options)
      for (const { docId, loss, weight } of found.probes)
        await print(context.stdout, `${json({ docId, loss, weight, text: textOf(found, { docId }) })}\n`)
    })
