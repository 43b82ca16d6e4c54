import type { Command } from 'commander'
import { recordedRoot } from '../../runs/exposure/prove.ts'
import { readManifests } from '../../runs/recorded.ts'
import { runNamed } from '../../runs/registry.ts'
import { json } from '../../runtime/json.ts'
import { selectionIds } from '../../selections/chunks.ts'
import {
  type CliContext,
  clusterCommand,
  example,
  type GlobalOptions,
  naturalNumber,
  print,
  withLimit,
} from '../context.ts'
import { manifestOf } from '../manifest-of.ts'
import { summaries } from '../summaries.ts'

interface Options extends GlobalOptions {
  readonly run: string
  readonly round?: number
  readonly from: number
  readonly limit?: number
  readonly json?: boolean
  readonly root?: boolean
}

export const select = (context: CliContext): Command =>
  withLimit(clusterCommand('select', summaries.select), 'documents', 'how many ids (default: all)', naturalNumber)
    .requiredOption('--run <name>', 'the run')
    .option('--round <n>', 'the round (default: the last one)', naturalNumber)
    .option('--from <index>', 'global index to start at', naturalNumber, 0)
    .option('--json', 'JSON lines of index and id')
    .option('--root', "only the root of the selection's hash tree (docs/accountability.md)")
    .addHelpText(
      'after',
      example('winnow select --run demo-7 --round 3 --limit 10', 'winnow select --run demo-7 > ids.txt'),
    )
    .action(async ({ run, round, from, limit, ...options }: Options) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      await runNamed(runtime, run)
      const manifest = manifestOf(await readManifests(runtime, run), run, round)
      if (options.root) return await print(context.stdout, `${recordedRoot(manifest)}\n`)
      const end = from + (limit ?? Number.POSITIVE_INFINITY)
      let index = from
      for await (const ids of selectionIds(runtime, manifest, from)) {
        const wanted = ids.slice(0, end - index)
        const lines = wanted.map((docId, i) => (options.json ? json({ index: index + i, docId }) : `${docId}`))
        if (lines.length > 0) await print(context.stdout, `${lines.join('\n')}\n`)
        index += ids.length
        if (index >= end) break
      }
    })
