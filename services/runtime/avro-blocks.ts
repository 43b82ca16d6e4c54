import avsc from 'avsc'

/** What avsc reads a body with: the bytes, and its place in them. */
interface Tap {
  readonly buf: { readonly length: number }
  pos: number
  readLong(): number
  skipString(): void
}

interface Part {
  _read(tap: Tap): unknown
  _skip(tap: Tap): void
}

/**
 * Arrays and maps come in blocks that begin with the number of their items. avsc believes that number: of a damaged or hostile body it makes
 * items from bytes that are not there, until the process has no memory left. Here a block has at most as many items as bytes follow.
 * (An item without a byte, null or an empty record, is in no schema of ours.)
 */
function itemsOfBlock(tap: Tap): { count: number; bytes: number | undefined } {
  const count = tap.readLong()
  const bytes = count < 0 ? tap.readLong() : undefined
  const left = tap.buf.length - tap.pos
  for (const size of [Math.abs(count), bytes ?? 0]) {
    if (size < 0 || size > left) throw new Error(`a block of ${size} where ${Math.max(0, left)} bytes are left`)
  }
  return { count: Math.abs(count), bytes }
}

function skipBlocks(tap: Tap, skipItem: () => void): void {
  for (;;) {
    const { count, bytes } = itemsOfBlock(tap)
    if (count === 0) return
    if (bytes !== undefined) tap.pos += bytes
    else for (let i = 0; i < count; i++) skipItem()
  }
}

const { ArrayType, MapType } = avsc.types as unknown as Record<'ArrayType' | 'MapType', { prototype: Part }>

// Resolvers take these functions from the prototype as well.
ArrayType.prototype._read = function (this: { itemsType: Part }, tap: Tap) {
  const { itemsType } = this
  const items: unknown[] = []
  for (;;) {
    const { count } = itemsOfBlock(tap)
    if (count === 0) return items
    for (let i = 0; i < count; i++) items.push(itemsType._read(tap))
  }
} as Part['_read']

ArrayType.prototype._skip = function (this: { itemsType: Part }, tap: Tap) {
  skipBlocks(tap, () => this.itemsType._skip(tap))
} as Part['_skip']

MapType.prototype._skip = function (this: { valuesType: Part }, tap: Tap) {
  skipBlocks(tap, () => {
    tap.skipString()
    this.valuesType._skip(tap)
  })
} as Part['_skip']
