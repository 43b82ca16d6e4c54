import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

interface Component {
  readonly name: string
  readonly version: string
  readonly hashes?: { alg: string; content: string }[]
  readonly licenses?: { license?: { id?: string; name?: string }; expression?: string }[]
}

/** Licences that permit use and distribution in a product, with notice at most. */
const permits =
  /^\(?(MIT|Apache-2\.0|ISC|0BSD|BSD-[23]-Clause(-Views)?|BlueOak-1\.0\.0|CC0-1\.0|Unlicense)( (AND|OR) (MIT|CC0-1\.0|BSD-3-Clause))?\)?$/

/** Packages that name theirs in a form that npm does not read: looked up in the package itself. */
const readByHand: Readonly<Record<string, string>> = { tv4: 'public domain, or MIT' }

const root = join(import.meta.dirname, '../..')
const sbom = JSON.parse(
  execFileSync('npm', ['run', '--silent', 'sbom'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 }),
) as { bomFormat: string; components: Component[] }

test('the bill of materials has every package of production, with its version, checksum and a licence that permits use', () => {
  expect(sbom.bomFormat).toBe('CycloneDX')
  const names = sbom.components.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['kafkajs', 'chdb', 'onnxruntime-node', 'fastify']))
  for (const { name, version, hashes = [], licenses = [] } of sbom.components) {
    expect(version, name).toMatch(/^\d+\.\d+\.\d+/)
    expect(hashes.length, name).toBeGreaterThan(0)
    expect(licenses.length > 0 || name in readByHand, name).toBe(true)
    for (const { license, expression } of licenses)
      expect(license?.id ?? license?.name ?? expression, name).toMatch(permits)
  }
})

test('and nothing that only development needs', () => {
  const names = new Set(sbom.components.map(({ name }) => name))
  for (const name of ['vitest', 'typescript', 'testcontainers', '@biomejs/biome']) expect(names).not.toContain(name)
})
