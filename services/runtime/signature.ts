import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { WinnowError } from './errors.ts'

/** Where the signature of a file stands: 64 bytes of Ed25519 (RFC 8032) over the file's bytes, as `openssl pkeyutl -verify -rawin` takes them. */
export const signatureOf = (file: string): string => `${file}.sig`

const makeOne =
  'openssl genpkey -algorithm ed25519 -out key.pem makes one, openssl pkey -in key.pem -pubout its public key.'

/** Signs with an Ed25519 key. */
export interface Signer {
  /** Writes the signature of a file beside it. */
  readonly sign: (file: string) => Promise<void>
}

/** Reads a private key, before work whose result it signs. @throws WinnowError CONFIGURATION if the file has none */
export async function signerFrom(keyFile: string): Promise<Signer> {
  const key = await readKey(keyFile, 'private', createPrivateKey)
  return {
    sign: async (file) => await writeFile(signatureOf(file), sign(null, await readFile(file), key)),
  }
}

/**
 * Checks the signature of a file.
 * @param keyFile the public key of who signed, PEM
 * @returns SHA-256 of that key (SubjectPublicKeyInfo, DER), hexadecimal
 * @throws WinnowError GUARANTEE_VIOLATED if file, signature and key do not belong together, BAD_DATA if there is no signature, CONFIGURATION if there is no key
 */
export async function verifySignature(file: string, keyFile: string): Promise<string> {
  const key = await readKey(keyFile, 'public', createPublicKey)
  const hint = `Give a file that was signed, with its signature beside it: ${signatureOf(file)}.`
  const read = async (path: string) =>
    await readFile(path).catch((cause: unknown) => {
      throw new WinnowError('BAD_DATA', `${path} cannot be read`, { cause, hint })
    })
  if (!verify(null, await read(file), key, await read(signatureOf(file))))
    throw new WinnowError('GUARANTEE_VIOLATED', `${signatureOf(file)} is not the signature of ${file} by this key`, {
      hint: 'The file is not what was signed, or somebody else signed it: have it made again, or ask for the public key.',
    })
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
}

async function readKey(file: string, kind: string, parse: (pem: Buffer) => KeyObject): Promise<KeyObject> {
  const pem = await readFile(file).catch((cause: unknown) => {
    throw new WinnowError('CONFIGURATION', `${file} cannot be read`, { cause, hint: makeOne })
  })
  let key: KeyObject
  try {
    key = parse(pem)
  } catch (cause) {
    throw new WinnowError('CONFIGURATION', `${file} has no ${kind} key in PEM without a password`, {
      cause,
      hint: makeOne,
    })
  }
  if (key.asymmetricKeyType === 'ed25519') return key
  throw new WinnowError('CONFIGURATION', `${file} has a key of ${key.asymmetricKeyType}, not Ed25519`, {
    hint: makeOne,
  })
}
