import { statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { z } from 'zod'
import { proofOf, verifyProof } from '../../../topologies/exposure/proof.ts'
import { parseId } from '../../../topologies/selection/u64.ts'
import { manifestFile } from '../../archive/format.ts'
import { verifyArchive } from '../../archive/manifest.ts'
import { systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { verifySignature } from '../../runtime/signature.ts'
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
  readonly key?: string
  readonly json?: boolean
}

export const verify = (context: CliContext): Command =>
  new Command('verify')
    .description(summaries.verify)
    .argument(
      '<file>',
      'a proof, as winnow prove writes it; a folder that winnow export wrote; or, with --key, any file that was signed',
    )
    .option(
      '--root <hex>',
      "the selection's root, from who published it (selectionRoot of the round's manifest); or the archive's: without it, it is compared with itself",
    )
    .option(
      '--key <file>',
      'the public key of who signed it, PEM: FILE.sig, or manifest.json.sig of a folder, must be its signature',
    )
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      example(
        'winnow verify proof.json --root 5c0f..',
        'winnow verify exported --root 5c0f..',
        'winnow verify receipt.json --key public.pem',
      ),
    )
    .action(async (file: string, { root, ...options }: Options) => {
      if (root !== undefined && !hexadecimal.safeParse(root).success)
        throw new WinnowError('USAGE', `--root ${root} is not a root`, {
          hint: 'A root has 64 hexadecimal digits, in lower case.',
        })
      const isFolder = statSync(file, { throwIfNoEntry: false })?.isDirectory() === true
      const { key } = options
      const signedBy = key && (await verifySignature(isFolder ? join(file, manifestFile) : file, key))
      if (isFolder) return await verifyFolder(context, file, root, { ...options, signedBy })
      if (root === undefined && signedBy !== undefined) {
        const said = options.json ? json({ file, signedBy }) : `holds: ${file} is as it was signed${byKey(signedBy)}`
        return await print(context.stdout, `${said}\n`)
      }
      if (root === undefined)
        throw new WinnowError('USAGE', 'a proof needs the root of the selection: --root HEX', {
          hint: "It is selectionRoot of the round's manifest. A signed file needs the public key of who signed it: --key FILE.",
        })
      const given = await read(file)
      const index = verifyProof(given, root)
      const { run, round, document, documents } = given
      if (options.json)
        return await print(context.stdout, `${json({ run, round, document, documents, index, signedBy })}\n`)
      const where = index === null ? 'is not among' : `is number ${index}, counted from 0, of`
      await print(
        context.stdout,
        `holds: document ${document} ${where} the ${documents} documents of round ${round} of run ${run}${byKey(signedBy)}\n`,
      )
    })

const byKey = (signedBy: string | undefined): string =>
  signedBy === undefined ? '' : `, signed by the key with SHA-256 ${signedBy}`

async function verifyFolder(
  { stdout, stderr }: CliContext,
  folder: string,
  root: string | undefined,
  { json: asJson, signedBy }: Pick<Options, 'json'> & { readonly signedBy: string | undefined },
): Promise<void> {
  const progress = new Counter(stderr, systemClock, { doing: 'verifying', unit: 'bytes' })
  const manifest = await verifyArchive(folder, root, (done, total) => progress.at(done, total)).finally(() =>
    progress.clear(),
  )
  const { run, files } = manifest
  if (asJson) return await print(stdout, `${json({ run, root: manifest.root, files: files.length, signedBy })}\n`)
  await print(stdout, `holds: ${files.length} files of run ${run}, root ${manifest.root}${byKey(signedBy)}\n`)
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
