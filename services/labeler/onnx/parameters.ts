import { closeSync, openSync, readSync, statSync } from 'node:fs'

/** Parameters of a graph: all, and those that multiply, that is matrices without tables that are only looked up. */
export interface Parameters {
  readonly parameters: number
  readonly parametersAll: number
}

/** A field of a protobuf message: its number, and its value if it is a number, or else where its bytes are. */
interface ProtoField {
  readonly field: number
  readonly value: number
  readonly first: number
  readonly end: number
}

/** onnx.proto3: the fields that are read, by message. */
const modelGraph = 7
const graphNode = 1
const graphInitializer = 5
const nodeInput = 1
const nodeOutput = 2
const nodeOperator = 4
const tensorDims = 1
const tensorType = 2
const tensorName = 8

/** Types of tensors that are indices, flags or shapes: int32, int64, bool. */
const indices = new Set([6, 7, 9])

/** Operators through which a table remains a table. */
const passing = new Set(['DequantizeLinear', 'Cast', 'Identity'])

/** Counts the parameters of an ONNX graph. Reads names and shapes only: weights, inside the file or beside it, are passed over. */
export function countParameters(path: string): Parameters {
  const fd = openSync(path, 'r')
  try {
    return countIn(new ProtoFile(fd, statSync(path).size))
  } finally {
    closeSync(fd)
  }
}

function countIn(file: ProtoFile): Parameters {
  const shapes = new Map<string, number[]>()
  const sourceOf = new Map<string, string>()
  const lookedUp: string[] = []
  for (const graph of file.fields(0, file.size)) {
    if (graph.field !== modelGraph) continue
    for (const { field, first, end } of file.fields(graph.first, graph.end)) {
      if (field === graphInitializer) {
        const { name, type, dims } = tensorAt(file, first, end)
        if (!indices.has(type)) shapes.set(name, dims)
      }
      if (field !== graphNode) continue
      const { operator, input, output } = nodeAt(file, first, end)
      if (operator === 'Gather') lookedUp.push(input)
      if (passing.has(operator)) sourceOf.set(output, input)
    }
  }
  const tables = new Set<string>()
  for (let name of lookedUp) {
    for (let source = sourceOf.get(name); source !== undefined; source = sourceOf.get(name)) name = source
    tables.add(name)
  }
  let parameters = 0
  let parametersAll = 0
  for (const [name, dims] of shapes) {
    const size = dims.reduce((product, dimension) => product * dimension, 1)
    parametersAll += size
    if (dims.length > 1 && !tables.has(name)) parameters += size
  }
  return { parameters, parametersAll }
}

function tensorAt(file: ProtoFile, first: number, end: number): { name: string; type: number; dims: number[] } {
  const dims: number[] = []
  let name = ''
  let type = 0
  for (const one of file.fields(first, end)) {
    if (one.field === tensorName) name = file.text(one)
    if (one.field === tensorType) type = one.value
    if (one.field === tensorDims) dims.push(...(one.end > one.first ? file.numbers(one) : [one.value]))
  }
  return { name, type, dims }
}

/** Its operator, and its first input and output. */
function nodeAt(file: ProtoFile, first: number, end: number): { operator: string; input: string; output: string } {
  const found = { operator: '', input: '', output: '' }
  for (const one of file.fields(first, end)) {
    if (one.field === nodeOperator) found.operator = file.text(one)
    if (one.field === nodeInput && found.input === '') found.input = file.text(one)
    if (one.field === nodeOutput && found.output === '') found.output = file.text(one)
  }
  return found
}

/** A protobuf file, read by pages where it is looked at. */
class ProtoFile {
  readonly size: number
  readonly #fd: number
  readonly #page = Buffer.alloc(65_536)
  #pageFirst = 0
  #pageEnd = 0

  constructor(fd: number, size: number) {
    this.#fd = fd
    this.size = size
  }

  *fields(first: number, end: number): Generator<ProtoField> {
    for (let at = first; at < end; ) {
      const tag = this.#varint(at)
      const field = Math.floor(tag.value / 8)
      const wire = tag.value % 8
      if (wire === 0) {
        const number = this.#varint(tag.next)
        yield { field, value: number.value, first: 0, end: 0 }
        at = number.next
      } else if (wire === 2) {
        const length = this.#varint(tag.next)
        yield { field, value: 0, first: length.next, end: length.next + length.value }
        at = length.next + length.value
      } else at = tag.next + (wire === 1 ? 8 : 4)
    }
  }

  text({ first, end }: ProtoField): string {
    const bytes = Buffer.alloc(end - first)
    readSync(this.#fd, bytes, 0, bytes.length, first)
    return bytes.toString('utf8')
  }

  /** Packed varints. */
  numbers({ first, end }: ProtoField): number[] {
    const numbers: number[] = []
    for (let at = first; at < end; ) {
      const { value, next } = this.#varint(at)
      numbers.push(value)
      at = next
    }
    return numbers
  }

  #varint(at: number): { value: number; next: number } {
    let value = 0
    let scale = 1
    for (let next = at; ; ) {
      const byte = this.#byte(next++)
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return { value, next }
      scale *= 128
    }
  }

  #byte(at: number): number {
    if (at < this.#pageFirst || at >= this.#pageEnd) {
      this.#pageFirst = at
      this.#pageEnd = at + readSync(this.#fd, this.#page, 0, this.#page.length, at)
    }
    // Past its end a damaged file reads as zeros; onnxruntime, which loads it next, says what is wrong with it.
    return at < this.#pageEnd ? this.#page[at - this.#pageFirst]! : 0
  }
}
