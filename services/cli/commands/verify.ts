import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { z } from 'zod'
import { proofOf, verifyProof } from '../../../topologies/exposure/proof.ts'
import { parseId } from '../../../topologies/selection/u64.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { type CliContext, example, print } from '../context.ts'
import { summaries } from '../summaries.ts'

const hexadecimal = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
const id = z.string().refine((text) => parseId(text) !== null, 'must be a document id')
const natural = z.number().int().nonnegative()
const proof = z.strictObject({
  ...{ run: z.string(), round: natural, document: id, documents: natural, seed: z.string() },
  leaves: z.array(z.strictObject({ number: natural, ids: z.array(id), path: z.array(hexadecimal) })).max(2),
})

export const verify = (context: CliContext): Command =>
  new Command('verify')
    .description(summaries.verify)
    .argument('<file>', 'a proof, as winnow prove writes it')
    .requiredOption(
      '--root <hex>',
      "the selection's root, from who published it (selectionRoot of the round's manifest)",
    )
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow verify proof.json --root 5c0f..'))
    .action(async (file: string, { root, ...options }: { root: string; json?: boolean }) => {
      if (!hexadecimal.safeParse(root).success)
        throw new WinnowError('USAGE', `--root ${root} is not a root`, {
          hint: 'A root has 64 hexadecimal digits, in lower case.',
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
