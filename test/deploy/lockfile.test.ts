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

test('no package in the lock file declares engines, so npm has nothing to warn about', () => {
  expect(
    packages.filter(([, { engines }]) => engines !== undefined).map(([path]) => path),
    completed,
  ).toEqual([])
})

test('the packages with Node for each platform are development dependencies, and their .bin names do not collide', () => {
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'deploy/node/package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>
  }
  for (const name of Object.keys(optionalDependencies)) {
    const entry = lock.packages[`node_modules/${name}`]
    expect(entry, `${name}: ${completed}`).toMatchObject({ dev: true, optional: true })
    expect(entry!.bin, `${name}: ${completed}`).toBeUndefined()
  }
})

test('the lock file contains no address of a registry', () => {
  expect(packages.filter(([, { resolved, link }]) => resolved !== undefined && link !== true)).toEqual([])
})
