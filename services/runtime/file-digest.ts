import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

/** SHA-256 of the bytes of some files, one after the other, in hexadecimal. @throws as reading does */
export async function digestOfFiles(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const file of files) for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
