import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LabelScanner } from '../../../services/simulate/label-scan.ts'

const scanner = () => new LabelScanner(['quality', 'topic', 'ä'], [5, 13, 2])

function scan(line: string) {
  const scanned = scanner()
  const bytes = Buffer.from(`##${line}##`)
  if (!scanned.scan(bytes, 2, bytes.length - 2)) return null
  const { low, high, tokens, labels } = scanned.document
  return { docId: ((BigInt(high) << 32n) | BigInt(low)).toString(), tokens, labels: [...labels] }
}

describe('the scanner of label lines', () => {
  test('reads the same as JSON.parse, in any order of keys and with any white space', () => {
    const line = fc.record({
      docId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      digits: fc.integer({ min: 1, max: 20 }),
      tokens: fc.nat(10 ** 9),
      labels: fc.tuple(fc.nat(4), fc.nat(12), fc.nat(1)),
      order: fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
      space: fc.constantFrom('', ' ', '\t ', '  '),
    })
    fc.assert(
      fc.property(line, ({ docId, digits, tokens, labels, order, space: s }) => {
        const id = BigInt(docId.toString().slice(0, digits)).toString()
        const names = ['quality', 'topic', 'ä']
        const pairs = order.map((a) => `"${names[a]}"${s}:${s}${labels[a]}`)
        const fields = [
          `"docId"${s}:${s}"${id}"`,
          `"tokens"${s}:${s}${tokens}`,
          `"labels"${s}:${s}{${s}${pairs.join(`${s},${s}`)}${s}}`,
        ]
        const text = `${s}{${s}${order.map((i) => fields[i]).join(`${s},${s}`)}${s}}${s}`
        expect(scan(text)).toEqual({ docId: id, tokens, labels })
      }),
    )
  })

  test.each([
    '0',
    '7',
    '9999999',
    '10000000',
    '4294967295',
    '4294967296',
    '9007199254740993',
    '9999999999999999999',
    '10000000000000000000',
    '18446744073709551615',
  ])('reads the id %s to its last digit', (id) => {
    expect(scan(`{"docId":"${id}","tokens":1,"labels":{"quality":0,"topic":0,"ä":0}}`)?.docId).toBe(id)
  })

  const labels = '"labels":{"quality":0,"topic":0,"ä":0}'
  test.each([
    ['', 'nothing'],
    ['{}', 'no keys'],
    [`{"docId":"1","tokens":1,${labels}`, 'no end'],
    [`{"docId":"1","tokens":1,${labels}}}`, 'more after the end'],
    [`{"docId":"1","tokens":1,${labels},}`, 'a comma at the end'],
    [`{"docId":"1","tokens":1,"tokens":2,${labels}}`, 'a key twice'],
    [`{"docId":"1","tokens":1,"more":1,${labels}}`, 'another key'],
    [`{"docId":"18446744073709551616","tokens":1,${labels}}`, 'an id above 64 bits'],
    [`{"docId":"99999999999999999999","tokens":1,${labels}}`, 'an id far above 64 bits'],
    [`{"docId":"184467440737095516150","tokens":1,${labels}}`, 'an id of 21 digits'],
    [`{"docId":"01","tokens":1,${labels}}`, 'a leading zero'],
    [`{"docId":"","tokens":1,${labels}}`, 'an empty id'],
    [`{"docId":1,"tokens":1,${labels}}`, 'an id that is a number'],
    [`{"docId":"1","tokens":01,${labels}}`, 'tokens with a leading zero'],
    [`{"docId":"1","tokens":-1,${labels}}`, 'negative tokens'],
    [`{"docId":"1","tokens":1.5,${labels}}`, 'a part of a token'],
    [`{"docId":"1","tokens":1e3,${labels}}`, 'an exponent'],
    [`{"docId":"1","tokens":9999999999999999,${labels}}`, 'tokens of 16 digits'],
    ['{"docId":"1","tokens":1,"labels":{"quality":0,"topic":0}}', 'a missing label'],
    ['{"docId":"1","tokens":1,"labels":{"quality":5,"topic":0,"ä":0}}', 'a label out of range'],
    ['{"docId":"1","tokens":1,"labels":{"quality":0,"quality":1,"topic":0,"ä":0}}', 'a label twice'],
    ['{"docId":"1","tokens":1,"labels":{"quality":0,"topic":0,"ä":0,"other":1}}', 'a label of another actor'],
    ['{"docId":"1","tokens":1,"labels":{}}', 'no labels'],
  ])('leaves %s to the slow parser: %s', (line) => {
    expect(scan(line)).toBeNull()
  })
})
