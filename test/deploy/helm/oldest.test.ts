import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { cases } from './cases.ts'
import { chart, manifestsOf, rendered, valuesFile } from './rendered.ts'
import { helmTools } from './tools.ts'

const { tools, missing } = await helmTools(process.env)
const oldest = (...args: string[]): string => execFileSync(tools!.oldest, args, { encoding: 'utf8', stdio: 'pipe' })

describe.skipIf(tools === undefined)(`the oldest Helm that the chart allows${missing}`, () => {
  test('is the one that documents name', () => {
    const version = /^v(\d+\.\d+)\.0\b/.exec(oldest('version', '--short'))?.[1]
    expect(readFileSync(join(chart, '../../../docs/kubernetes.md'), 'utf8')).toContain(`Helm ${version} or later`)
  })

  test.each(cases)('has nothing to say in its lint: $name', ({ files, set }) => {
    const values = [
      ...files.flatMap((name) => ['--values', valuesFile(name)]),
      ...set.flatMap((one) => ['--set-json', one]),
    ]
    expect(oldest('lint', '--strict', chart, ...values)).toContain('0 chart(s) failed')
  })

  test.each(cases)('makes the same manifests: $name', ({ files, set }) => {
    const manifests = (helm: string) => manifestsOf(rendered(helm, files, set))
    expect(manifests(tools!.oldest)).toEqual(manifests(tools!.helm))
  })
})
