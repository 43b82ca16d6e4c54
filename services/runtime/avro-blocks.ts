import avsc from 'avsc'

/** What avsc reads a body with: the bytes, and its position in them. */
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
 * Arrays and maps come in blocks that begin with an item count. avsc trusts that count: given a damaged or hostile body it creates items from
 * bytes that are not there until memory runs out. Here a block may have at most as many items as there are bytes left. (None of our schemas
 * has items of zero bytes, such as null or an empty record.)
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

// Resolvers copy these functions from the prototype too.
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
