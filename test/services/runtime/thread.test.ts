import { expect, onTestFinished, test } from 'vitest'
import { Thread } from '../../../services/runtime/thread.ts'

function start(workerData?: string): Thread<number, number> {
  const thread = new Thread<number, number>(new URL('./thread-script.ts', import.meta.url), {
    workerData,
    name: 'doubler',
  })
  onTestFinished(() => thread.close())
  return thread
}

test('each request gets its own answer, even those sent before the thread is ready', async () => {
  const thread = start()
  const answers = [30, 1, 10].map((number) => thread.ask(number))
  expect(thread.unanswered).toBe(3)
  expect(await Promise.all(answers)).toEqual([60, 2, 20])
  await thread.ready
  expect(thread.unanswered).toBe(0)
})

test('a failure keeps its code and hint, and affects only its request', async () => {
  const thread = start()
  const [failed, fine] = [thread.ask(13), thread.ask(2)]
  await expect(failed).rejects.toMatchObject({ code: 'BAD_DATA', message: 'unlucky', hint: 'Take another.' })
  expect(await fine).toBe(4)
})

test('a thread that cannot start reports why, to whoever waits for it and to every request', async () => {
  const thread = start('unusable')
  const asked = thread.ask(1)
  await expect(asked).rejects.toMatchObject({ code: 'MODEL_UNUSABLE', hint: 'Fix it.' })
  await expect(thread.ready).rejects.toMatchObject({ code: 'MODEL_UNUSABLE' })
  expect(thread.failed).toBe(true)
  await expect(thread.ask(1)).rejects.toMatchObject({ code: 'MODEL_UNUSABLE' })
})

test('a thread that exits unexpectedly fails its pending and all later requests', async () => {
  const thread = start()
  const [slow, deadly] = [thread.ask(1000), thread.ask(-1)]
  await expect(deadly).rejects.toMatchObject({ code: 'UNEXPECTED', message: 'A doubler has ended, exit code 3' })
  await expect(slow).rejects.toThrow(/exit code 3/)
  await expect(thread.ask(1)).rejects.toThrow(/exit code 3/)
})

test('closing lets pending requests finish, and refuses new ones', async () => {
  const thread = start()
  const answer = thread.ask(50)
  const closed = Promise.all([thread.close(), thread.close()])
  await expect(thread.ask(1)).rejects.toMatchObject({ code: 'INTERRUPTED' })
  expect(await answer).toBe(100)
  await closed
})
