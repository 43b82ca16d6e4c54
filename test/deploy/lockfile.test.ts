import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

interface Entry {
  readonly engines?: unknown
  readonly bin?: unknown
  readonly dev?: boolean
  readonly resolved?: string
  readonly link?: boolean
}

const root = join(import.meta.dirname, '../..')
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, Entry> }
const packages = Object.entries(lock.packages).filter(([path]) => path !== '')
const completed = "run 'node deploy/tools/complete-lockfile.mjs'"

test('npm has no Node of a package to compare with its own, which would be sixty lines of warnings', () => {
  expect(
    packages.filter(([, { engines }]) => engines !== undefined).map(([path]) => path),
    completed,
  ).toEqual([])
})

test("Node's packages of all platforms are for development alone, and their names in .bin do not collide", () => {
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'deploy/node/package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>
  }
  for (const name of Object.keys(optionalDependencies)) {
    const entry = lock.packages[`node_modules/${name}`]
    expect(entry, `${name}: ${completed}`).toMatchObject({ dev: true, optional: true })
    expect(entry!.bin, `${name}: ${completed}`).toBeUndefined()
  }
})

test('no address of a registry is in the lock file', () => {
  expect(packages.filter(([, { resolved, link }]) => resolved !== undefined && link !== true)).toEqual([])
})
