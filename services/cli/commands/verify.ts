import { statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { z } from 'zod'
import { proofOf, verifyProof } from '../../../topologies/exposure/proof.ts'
import { parseId } from '../../../topologies/selection/u64.ts'
import { verifyArchive } from '../../archive/manifest.ts'
import { systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { Counter } from '../../terminal/progress.ts'
import { type CliContext, example, print } from '../context.ts'
import { summaries } from '../summaries.ts'

const hexadecimal = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
const id = z.string().refine((text) => parseId(text) !== null, 'must be a document id')
const natural = z.number().int().nonnegative()
const proof = z.strictObject({
  ...{ run: z.string(), round: natural, document: id, documents: natural, seed: z.string() },
  leaves: z.array(z.strictObject({ number: natural, ids: z.array(id), path: z.array(hexadecimal) })).max(2),
})

interface Options {
  readonly root?: string
  readonly json?: boolean
}

export const verify = (context: CliContext): Command =>
  new Command('verify')
    .description(summaries.verify)
    .argument('<file>', 'a proof, as winnow prove writes it; or a folder that winnow export wrote')
    .option(
      '--root <hex>',
      "the selection's root, from who published it (selectionRoot of the round's manifest); or the archive's: without it, it is compared with itself",
    )
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow verify proof.json --root 5c0f..', 'winnow verify exported --root 5c0f..'))
    .action(async (file: string, { root, ...options }: Options) => {
      if (root !== undefined && !hexadecimal.safeParse(root).success)
        throw new WinnowError('USAGE', `--root ${root} is not a root`, {
          hint: 'A root has 64 hexadecimal digits, in lower case.',
        })
      if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
        return await verifyFolder(context, file, root, options)
      if (root === undefined)
        throw new WinnowError('USAGE', 'a proof needs the root of the selection: --root HEX', {
          hint: "It is selectionRoot of the round's manifest.",
        })
      const given = await read(file)
      const index = verifyProof(given, root)
      const { run, round, document, documents } = given
      if (options.json) return await print(context.stdout, `${json({ run, round, document, documents, index })}\n`)
      const where = index === null ? 'is not among' : `is number ${index}, counted from 0, of`
      await print(
        context.stdout,
        `holds: document ${document} ${where} the ${documents} documents of round ${round} of run ${run}\n`,
      )
    })

async function verifyFolder(
  { stdout, stderr }: CliContext,
  folder: string,
  root: string | undefined,
  options: Pick<Options, 'json'>,
): Promise<void> {
  const progress = new Counter(stderr, systemClock, { doing: 'verifying', unit: 'bytes' })
  const manifest = await verifyArchive(folder, root, (done, total) => progress.at(done, total)).finally(() =>
    progress.clear(),
  )
  const { run, files } = manifest
  if (options.json) return await print(stdout, `${json({ run, root: manifest.root, files: files.length })}\n`)
  await print(stdout, `holds: ${files.length} files of run ${run}, root ${manifest.root}\n`)
}

async function read(file: string) {
  let content: unknown
  try {
    content = JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new WinnowError('BAD_DATA', `${file} cannot be read as JSON`, {
      cause,
      hint: 'Give a file that winnow prove wrote.',
    })
  }
  const parsed = proof.safeParse(content)
  if (parsed.success) return proofOf(parsed.data)
  throw new WinnowError('BAD_DATA', `${file} is not a proof: ${z.prettifyError(parsed.error)}`, {
    hint: 'Give a file that winnow prove wrote.',
  })
}
