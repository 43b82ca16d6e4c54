/**
 * JSON for values that plain JSON cannot represent: {"$u64": "18446744073709551615"}, {"$number": "NaN"}, {"$bytes": "00ff"}.
 * Used for schemas/published/golden.json, which readers in other languages can use too.
 */
export function toGoldenJson(value: unknown): unknown {
  if (typeof value === 'bigint') return { $u64: String(value) }
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) {
    return { $number: Object.is(value, -0) ? '-0' : String(value) }
  }
  if (value instanceof BigUint64Array) return Array.from(value, toGoldenJson)
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('hex') }
  if (Array.isArray(value)) return value.map(toGoldenJson)
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, toGoldenJson(part)]))
  }
  return value
}

export function fromGoldenJson(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(fromGoldenJson)
  if (json === null || typeof json !== 'object') return json
  const { $u64, $number, $bytes } = json as { $u64?: string; $number?: string; $bytes?: string }
  if ($u64 !== undefined) return BigInt($u64)
  if ($number !== undefined) return Number($number)
  if ($bytes !== undefined) return Buffer.from($bytes, 'hex')
  return Object.fromEntries(Object.entries(json).map(([key, part]) => [key, fromGoldenJson(part)]))
}
