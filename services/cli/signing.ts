import { WinnowError } from '../runtime/errors.ts'
import { type Signer, signerFrom } from '../runtime/signature.ts'

/** The option of a command that can sign what it writes with `--out`. @param what it writes */
export const signingOption = (what: string): [string, string] => [
  '--key <file>',
  `an Ed25519 private key, PEM: the ${what} is signed with it, in a file .sig beside it (winnow verify --key)`,
]

/** Who signs what a command writes, its key read before the work begins; undefined: nobody. @throws WinnowError USAGE if there is no file to sign */
export async function signerOf(options: {
  readonly out?: string | undefined
  readonly key?: string | undefined
}): Promise<Signer | undefined> {
  const { out, key } = options
  if (key === undefined) return undefined
  if (out === undefined)
    throw new WinnowError('USAGE', '--key needs a file to sign', { hint: 'Say where to write it: --out FILE.' })
  return await signerFrom(key)
}
