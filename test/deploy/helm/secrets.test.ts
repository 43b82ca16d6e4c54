import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { chart, rendered } from './rendered.ts'
import { helmTools } from './tools.ts'

const { tools, missing } = await helmTools(process.env)

describe.skipIf(tools === undefined)(`secrets of the chart${missing}`, () => {
  test('null takes back a secret, also one that another file of values names', () => {
    const none = Object.keys(parse(readFileSync(`${chart}/values.yaml`, 'utf8')).secrets).map(
      (name) => `secrets.${name}=null`,
    )
    expect(none.length).toBeGreaterThan(8)
    const open = 'networkPolicy.enabled=true'
    expect(rendered(tools!.helm, [], [open, ...none])).toBe(rendered(tools!.helm, [], [open]))
    const references = (text: string) => [...text.matchAll(/secretKeyRef:|secretName:|- secret:/g)].length
    expect(references(rendered(tools!.helm, ['managed']))).toBeGreaterThan(3)
    expect(references(rendered(tools!.helm, ['managed'], [open, ...none]))).toBe(0)
  })
})
