import { join } from 'node:path'
import type { Command } from 'commander'
import { exportRun } from '../../archive/export.ts'
import { manifestFile } from '../../archive/format.ts'
import { runNamed } from '../../runs/registry.ts'
import { systemClock } from '../../runtime/clock.ts'
import { json } from '../../runtime/json.ts'
import { interruptible } from '../../runtime/lifecycle.ts'
import { Counter, formatCount } from '../../terminal/progress.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print } from '../context.ts'
import { signerOf, signingOption } from '../signing.ts'
import { summaries } from '../summaries.ts'

interface Options extends GlobalOptions {
  readonly out: string
  readonly texts?: boolean
  readonly key?: string
  readonly json?: boolean
}

export const exportCommand = (context: CliContext): Command =>
  clusterCommand('export', summaries.export)
    .argument('<run>', 'the run')
    .requiredOption('--out <folder>', 'receives the archive; the same again goes on after an interruption')
    .option('--texts', 'with the texts of documents and the requests for rewards: as large as the corpus')
    .option(...signingOption('manifest'))
    .option('--json', 'the root and what the archive holds, as JSON')
    .addHelpText(
      'after',
      example(
        'winnow export multi-actor-7 --out multi-actor-7.archive',
        'winnow replay --run archive:multi-actor-7.archive',
      ),
    )
    .action(async (name: string, { out, texts = false, key, json: asJson, ...options }: Options) => {
      const signer = await signerOf({ out, key })
      using interrupted = interruptible()
      await using connection = await context.connect(options)
      const { runtime } = connection
      const run = await runNamed(runtime, name)
      const progress = new Counter(context.stderr, systemClock, { doing: `exporting ${name}`, unit: 'records' })
      const onProgress = (done: number, total: number) => progress.at(done, total)
      const { signal } = interrupted
      const manifest = await exportRun({ runtime, run, folder: out, texts, signal, onProgress }).finally(() =>
        progress.clear(),
      )
      await signer?.sign(join(out, manifestFile))
      const { root, files } = manifest
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
      const summary = { run: name, archive: out, root, texts, files: files.length, bytes }
      if (asJson) return await print(context.stdout, `${json(summary)}\n`)
      await print(context.stdout, `${out}: ${files.length} files, ${formatCount(bytes)} bytes\nroot ${root}\n`)
    })
