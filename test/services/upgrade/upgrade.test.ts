import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Manifest } from '../../../schemas/index.ts'

/** The version before this one, until there is a release with a tag. */
const before = 'c7e4d23'
const root = join(import.meta.dirname, '../../..')

/** A shallow clone, or an archive of the tree, has no earlier version. */
const present = spawnSync('git', ['cat-file', '-e', `${before}^{commit}`], { cwd: root }).status === 0
const because = present ? '' : ` (skipped: this clone has no commit ${before}; git fetch --unshallow)`

const rooms = ['package.json', 'schemas', 'topologies', 'services']
let folder: string

beforeAll(() => {
  if (!present) return
  folder = mkdtempSync(join(tmpdir(), 'winnow-upgrade-'))
  const tar = execFileSync('git', ['archive', before, ...rooms], { cwd: root, maxBuffer: 2 ** 30 })
  execFileSync('tar', ['-x', '-C', folder], { input: tar })
  // The packages of this version, but one that both versions set up when they are loaded.
  mkdirSync(join(folder, 'node_modules'))
  for (const name of readdirSync(join(root, 'node_modules'))) {
    const [from, to] = [join(root, 'node_modules', name), join(folder, 'node_modules', name)]
    if (name === 'kafkajs') cpSync(from, to, { recursive: true })
    else symlinkSync(from, to)
  }
})
afterAll(() => folder !== undefined && rmSync(folder, { recursive: true }))

interface Outcome {
  readonly manifests: readonly Manifest[]
  readonly comparisons: readonly { round: number; same: boolean }[]
}

describe.skipIf(!present)(`a state that the version before this one wrote${because}`, () => {
  test('is continued to the same selections, also by two versions side by side, and replayed to the bit', () => {
    const selection = JSON.stringify({ repetitionDecay: 0.5, holdOut: 0.3 })
    const child = join(import.meta.dirname, 'child.ts')
    const { status, stdout, stderr } = spawnSync(process.execPath, [child, folder, root, selection], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    })
    expect(stderr).toBe('')
    expect(status).toBe(0)
    const outcomes = JSON.parse(stdout) as Record<string, Outcome>
    const names = Object.keys(outcomes)
    expect(names.length).toBe(4)
    const [alone] = Object.values(outcomes)
    expect(alone!.manifests.length).toBe(4)
    // Rewards made a difference: not every round selects the same.
    expect(new Set(alone!.manifests.map(({ selectionDigest }) => selectionDigest)).size).toBeGreaterThan(2)
    for (const [name, { manifests, comparisons }] of Object.entries(outcomes)) {
      expect(manifests, name).toEqual(alone!.manifests)
      expect(
        comparisons.map(({ same }) => same),
        name,
      ).toEqual([true, true, true, true])
    }
  }, 120_000)

  test('in ClickHouse is migrated by new files alone: those that were applied are as they were', () => {
    const old = readdirSync(join(folder, 'schemas/clickhouse')).filter((name) => name.endsWith('.sql'))
    expect(old.length).toBeGreaterThan(6)
    for (const name of old) {
      const now = join(root, 'schemas/clickhouse', name)
      expect(existsSync(now), name).toBe(true)
      expect(readFileSync(now, 'utf8'), name).toBe(readFileSync(join(folder, 'schemas/clickhouse', name), 'utf8'))
    }
  })
})
