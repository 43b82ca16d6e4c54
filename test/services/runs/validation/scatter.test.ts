import { expect, test } from 'vitest'
import { scatterSvg } from '../../../../services/runs/validation/scatter.ts'

const draw = (points: { x: number; y: number }[]) =>
  scatterSvg({ title: 'a < b', x: 'x', y: '"y"', points: points.map((point, i) => ({ ...point, name: `point ${i}` })) })
const circles = (svg: string) =>
  [...svg.matchAll(/<circle cx="([\d.-]+)" cy="([\d.-]+)"/g)].map(([, x, y]) => [Number(x), Number(y)] as const)

test('a scatter plot places larger values further right and up, all within its axes', () => {
  const svg = draw([
    { x: -0.003, y: 0.5 },
    { x: 0, y: 0 },
    { x: 0.004, y: 2.5 },
  ])
  const [a, b, c] = circles(svg)
  expect(a![0]).toBeLessThan(b![0])
  expect(b![0]).toBeLessThan(c![0])
  expect(c![1]).toBeLessThan(a![1])
  expect(a![1]).toBeLessThan(b![1])
  for (const [x, y] of [a!, b!, c!]) {
    expect(x).toBeGreaterThanOrEqual(84)
    expect(x).toBeLessThanOrEqual(696)
    expect(y).toBeGreaterThanOrEqual(48)
    expect(y).toBeLessThanOrEqual(460)
  }
  expect(svg).toContain('>-0.002<')
  expect(svg).toContain('>2.5<')
  expect(svg).toContain('a &lt; b')
})

test('a scatter plot of one value or none is still valid', () => {
  for (const points of [[], [{ x: 3, y: 0 }]]) {
    const svg = draw(points)
    expect(circles(svg)).toHaveLength(points.length)
    expect(svg).not.toMatch(/NaN|Infinity|undefined/)
  }
})
