import { expect, test } from 'vitest'
import { winnowInside } from './winnow.ts'

const redrive = (...args: string[]) => winnowInside(['dead-letters', 'redrive', ...args], '/')

test('redrive must be told which dead letters, and replacement bytes need exactly one', async () => {
  expect(await redrive()).toMatchObject({ code: 2, stderr: expect.stringContaining('no dead letters are selected') })
  expect(await redrive('1', 'two')).toMatchObject({ code: 2, stderr: expect.stringContaining('whole number') })
  const many = await redrive('1', '2', '--value', 'mended.bin')
  expect(many).toMatchObject({ code: 2, stderr: expect.stringContaining('--value is for one record') })
  const missing = await redrive('1', '--value', 'is-not-there.bin')
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('is-not-there.bin cannot be read') })
})
