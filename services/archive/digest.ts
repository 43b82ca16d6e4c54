import { open } from 'node:fs/promises'
import { leafHash, TreeTop } from '../../topologies/exposure/merkle.ts'

const leafBytes = 1024 * 1024

/** The top of the tree of RFC 9162 over a file's bytes, 1 MiB a leaf, and how many bytes those are. */
export async function digestOf(path: string): Promise<{ bytes: number; digest: string }> {
  const tree = new TreeTop()
  const buffer = Buffer.allocUnsafe(leafBytes)
  const file = await open(path)
  let bytes = 0
  try {
    for (let filled = leafBytes; filled === leafBytes; ) {
      filled = 0
      while (filled < leafBytes) {
        const { bytesRead } = await file.read(buffer, filled, leafBytes - filled, bytes + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      if (filled > 0) tree.add(leafHash(buffer.subarray(0, filled)))
      bytes += filled
    }
  } finally {
    await file.close()
  }
  return { bytes, digest: tree.top.toString('hex') }
}
