import { writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { proofText } from '../../../topologies/exposure/proof.ts'
import { prove as proveDocument } from '../../runs/exposure/prove.ts'
import { readManifests } from '../../runs/recorded.ts'
import { runNamed } from '../../runs/registry.ts'
import { json } from '../../runtime/json.ts'
import { selectionsOf } from '../../selections/chunks.ts'
import {
  alwaysJson,
  type CliContext,
  clusterCommand,
  example,
  type GlobalOptions,
  naturalNumber,
  print,
} from '../context.ts'
import { idOf } from '../document-id.ts'
import { manifestOf } from '../manifest-of.ts'
import { signerOf, signingOption } from '../signing.ts'
import { summaries } from '../summaries.ts'

interface Options extends GlobalOptions {
  readonly run: string
  readonly round?: number
  readonly out?: string
  readonly key?: string
}

export const prove = (context: CliContext): Command =>
  alwaysJson(clusterCommand('prove', summaries.prove))
    .argument('<id>', 'document id, decimal')
    .requiredOption('--run <name>', 'the run')
    .option('--round <n>', 'the round (default: the last one)', naturalNumber)
    .option('--out <file>', 'where to write the proof (default: standard output)')
    .option(...signingOption('proof'))
    .addHelpText('after', example('winnow prove 1099511627776 --run demo-7 --round 3 --out proof.json'))
    .action(async (id: string, { run, round, out, key, ...options }: Options) => {
      const document = idOf(id)
      const signer = await signerOf({ out, key })
      await using connection = await context.connect(options)
      const { runtime } = connection
      const { selection } = await runNamed(runtime, run)
      const manifest = manifestOf(await readManifests(runtime, run), run, round)
      const text = `${json(proofText(await proveDocument(selectionsOf(runtime), manifest, selection.seed, document)))}\n`
      if (out === undefined) return await print(context.stdout, text)
      await writeFile(out, text)
      await signer?.sign(out)
      context.stderr.write(`${out}: to be checked with  winnow verify ${out} --root ${manifest.selectionRoot}\n`)
    })
