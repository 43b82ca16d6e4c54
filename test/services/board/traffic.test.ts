import { expect, test } from 'vitest'
import { TrafficMeter } from '../../../services/board/traffic.ts'

test('rates cover the last ten seconds, and old samples are dropped', () => {
  const meter = new TrafficMeter()
  const at = (seconds: number, end: number) =>
    meter.rates(seconds * 1000, new Map([['t', [end]]]), new Map()).t!.ratePerSecond
  expect(at(0, 100)).toBe(0)
  expect(at(5, 150)).toBe(10)
  expect(at(10, 150)).toBe(5)
  expect(at(20, 150)).toBe(0)
})
