/** JSON with 64-bit ids as decimal strings, also in columns, and bytes as base64. */
export const json = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return part.toString()
    if (part instanceof BigUint64Array) return Array.from(part, String)
    if (part instanceof Uint8Array) return Buffer.from(part).toString('base64')
    // Buffer.toJSON has already run.
    if (isBufferJson(part)) return Buffer.from(part.data).toString('base64')
    return part
  })

const isBufferJson = (part: unknown): part is { type: 'Buffer'; data: number[] } =>
  typeof part === 'object' && part !== null && 'type' in part && part.type === 'Buffer' && 'data' in part
