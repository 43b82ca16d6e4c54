import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Work } from '../../../schemas/index.ts'
import { Ledger, totalsOf } from '../../../topologies/ledger/ledger.ts'
import { alignedPieces, type ModelCost, workKey, workOn } from '../../../topologies/ledger/pieces.ts'

const cost: ModelCost = { model: 'm', device: 'cpu', parameters: 10, parametersAll: 30, factor: 2, flopsPerToken: 5 }
const kind = { run: null, purpose: 'labels', subject: 'quality v1', stream: 'winnow.documents', partition: 0 } as const
const tokensAt = (offset: number) => 1 + ((offset * 7) % 13)
const stretch = (first: number, next: number, seconds = 1): Work[] =>
  workOn(
    kind,
    cost,
    Array.from({ length: next - first }, (_, i) => ({ at: first + i, tokens: tokensAt(first + i) })),
    next,
    seconds,
  )
const sumOver = (offsets: Iterable<number>) => [...offsets].reduce((sum, offset) => sum + tokensAt(offset), 0)

describe('the pieces of a stretch', () => {
  test('cover it, each a power of two long that divides its start', () => {
    expect(alignedPieces(3, 13)).toEqual([
      { first: 3, next: 4 },
      { first: 4, next: 8 },
      { first: 8, next: 12 },
      { first: 12, next: 13 },
    ])
    expect(alignedPieces(0, 8)).toEqual([{ first: 0, next: 8 }])
    expect(alignedPieces(5, 5)).toEqual([])
  })

  test('have the tokens, FLOPs and seconds of the whole between them', () => {
    const pieces = stretch(3, 13, 2)
    const total = (of: (work: Work) => number) => pieces.reduce((sum, piece) => sum + of(piece), 0)
    const tokens = sumOver([3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    expect(total((piece) => piece.tokens)).toBe(tokens)
    expect(total((piece) => piece.documents)).toBe(10)
    expect(total((piece) => piece.flops)).toBe(tokens * (2 * 10 + 5))
    expect(total((piece) => piece.seconds)).toBeCloseTo(2, 12)
    expect(new Set(pieces.map(workKey)).size).toBe(pieces.length)
  })
})

describe('the ledger', () => {
  test('books every record once, wherever and however often it was read again, in any order', () => {
    const stretches = fc.array(
      fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 60 })).map(([first, length]) => [first, first + length] as const),
      { minLength: 1, maxLength: 30 },
    )
    fc.assert(
      fc.property(stretches, fc.infiniteStream(fc.nat()), (done, random) => {
        const records = done.flatMap(([first, next]) => stretch(first, next))
        const order = records.map((record) => ({ record, at: random.next().value as number }))
        const ledger = new Ledger()
        for (const { record } of order.sort((a, b) => a.at - b.at)) ledger.apply(record)
        const covered = new Set(
          done.flatMap(([first, next]) => Array.from({ length: next - first }, (_, i) => first + i)),
        )
        const [row, ...others] = ledger.rows()
        expect(others).toEqual([])
        expect(row).toMatchObject({ tokens: sumOver(covered), documents: covered.size })
        expect(row!.flops).toBe(row!.tokens * 25)
      }),
    )
  })

  test('keeps apart what differs in purpose, subject, run, partition, model or device', () => {
    const ledger = new Ledger()
    const [piece] = stretch(0, 1)
    const others: Partial<Work>[] = [
      { subject: 'topic v1' },
      { run: 'a', purpose: 'rewards' },
      { run: 'b', purpose: 'rewards' },
      { model: 'other', partition: 1 },
      { device: 'cuda', partition: 2 },
    ]
    for (const other of [{}, ...others]) ledger.apply({ ...piece!, ...other })
    expect(ledger.rows()).toHaveLength(6)
    ledger.apply({ ...piece!, partition: 3 })
    expect(ledger.rows()).toHaveLength(6)
    expect(ledger.rows().find(({ pieces }) => pieces === 2)).toMatchObject({ subject: 'quality v1', model: 'm' })
  })

  test('adds up as Table 6 does, by all parameters and without what that leaves out, and in full', () => {
    const ledger = new Ledger()
    const [labels] = workOn(kind, cost, [{ at: 0, tokens: 100 }], 1, 0)
    const work: Work[] = [
      labels!,
      { ...labels!, run: 'a', purpose: 'rewards' },
      { ...labels!, run: 'a', purpose: 'reference' },
      { ...labels!, run: 'a', purpose: 'training' },
      { ...labels!, purpose: 'proxies' },
    ]
    for (const one of work) ledger.apply(one)
    const rows = ledger.rows()
    expect(totalsOf(rows, 'flopsTableSix')).toEqual({ offline: 6000, online: 6000, overall: 12_000 })
    expect(totalsOf(rows, 'flops')).toEqual({ offline: 5000, online: 5000, overall: 10_000 })
  })
})
