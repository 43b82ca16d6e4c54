import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Failpoint } from '../../services/runtime/failpoints.ts'
import { type Position, SelectionReader } from '../../services/selections/selection-reader.ts'
import { type Crash, repeatsOf, seed, seededFor } from './cases.ts'
import { openPlayed, type Played } from './play.ts'
import type { RanksCheckpoint, RanksChildOptions } from './ranks-child.ts'
import { type ChildOptions, killAt, Service } from './service.ts'

const batchDocuments = 250
const kills = 20

let played: Played
beforeAll(async () => {
  played = await openPlayed()
})
afterAll(async () => {
  await played?.close()
})

/** The digest of a trainer that was never disturbed, straight from the oracle's selections. */
function digestOfStream(): string {
  let digest = ''
  for (const ids of played.expected.selected) {
    for (let first = 0; first < ids.length; first += batchDocuments) {
      const batch = ids.slice(first, first + batchDocuments).join(' ')
      digest = createHash('sha256').update(`${digest} ${batch}`).digest('hex')
    }
  }
  return digest
}

const cases = Array.from({ length: repeatsOf({ landing: kills, soak: 200 }) }, (_, repeat) => ({ repeat }))

test.for(cases)(
  `a trainer killed ${kills} times and resumed on other numbers of ranks reads every document once, in order (WINNOW_FAULT_SEED=${seed}, $repeat)`,
  {
    timeout: 240_000,
  },
  async ({ repeat }, { onTestFinished }) => {
    const folder = mkdtempSync(join(tmpdir(), 'winnow-ranks-'))
    const file = join(folder, 'checkpoint.json')
    const services: Service[] = []
    onTestFinished(async () => {
      for (const service of services) await service.kill()
      rmSync(folder, { recursive: true })
    })
    const random = seededFor(`ranks/${repeat}`)
    const points: Failpoint[] = ['stepping', 'checkpointed', 'reported']
    // Between 3 and 12 steps a time, of 252: no kill comes after the end.
    const crashes = Array.from({ length: kills }, (): Crash => {
      const point = random.pick(points)
      return { point, visit: point === 'stepping' ? 3 + random.below(9) : 1 + random.below(3) }
    })
    const start = (crash?: ChildOptions['crash']) => {
      const options: RanksChildOptions = {
        addresses: played.world.addresses,
        run: played.run.name,
        rounds: played.expected.selected.length,
        ranks: 1 + random.below(5),
        batchDocuments,
        file,
        ...(crash && { crash }),
      }
      services.push(new Service(`trainer of ${options.ranks} ranks`, 'ranks-child.ts', options))
      return services.at(-1)!
    }
    const last = await killAt(crashes, start)
    await last.said('done')
    const { digest, documents, position } = JSON.parse(readFileSync(file, 'utf8')) as RanksCheckpoint
    expect(documents).toBe(played.expected.selected.reduce((sum, ids) => sum + ids.length, 0))
    expect(digest).toBe(digestOfStream())
    expect(position.index).toBe(played.expected.selected.at(-1)!.length)
  },
)

test('an invalid position (another run’s, of no round, beyond the end, malformed) is refused with the reason', async ({
  onTestFinished,
}) => {
  const reader = await SelectionReader.open({ ...played.world.runtime, run: played.run.name, reader: 'test' })
  onTestFinished(() => reader.close())
  const end = played.expected.selected[1]!.length
  await reader.manifest(played.expected.selected.length - 1)
  const wrong: [Partial<Position>, RegExp][] = [
    [{ run: 'another' }, /of run another is refused: this is the stream of run run-/],
    [{ round: -1 }, /round -1 .* is refused: the round is not a natural number/],
    [{ round: 1.5 }, /is refused: the round is not a natural number/],
    [{ index: -1 }, /position -1 .* is refused: the index is not a natural number/],
    [{ index: 0.5 }, /is refused: the index is not a natural number/],
    [{ index: end + 1 }, new RegExp(`position ${end + 1} .* is refused: the selection of this round ends at ${end}`)],
  ]
  for (const [change, reason] of wrong) {
    const position = { run: played.run.name, round: 1, index: 0, ...change }
    const batches = reader.batches(position, { rank: 0, ranks: 2, documents: 10, once: true })
    const refusal = expect(batches.next()).rejects
    await refusal.toMatchObject({ code: 'POSITION_REFUSED', message: expect.stringMatching(reason) })
  }
  // The very end is a place: there is nothing more to read.
  const atEnd = reader.batches(
    { run: played.run.name, round: 1, index: end },
    { rank: 0, ranks: 1, documents: 10, once: true },
  )
  expect(await atEnd.next()).toMatchObject({ done: true })
})
