import { execFileSync, spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const program = fileURLToPath(new URL('./live-program.ts', import.meta.url))
const installed = spawnSync('tmux', ['-V']).status === 0
const server = `winnow-live-${process.pid}`
const tmux = (...args: string[]) =>
  execFileSync('tmux', ['-L', server, '-f', '/dev/null', ...args], { encoding: 'utf8' })
const screen = () => tmux('capture-pane', '-p', '-t', 'top').split('\n')

/** Waits until the screen is as it should be; fails with what it shows instead. */
async function shows(expected: (lines: string[]) => boolean): Promise<string[]> {
  for (let tries = 0; tries < 200; tries++) {
    if (expected(screen())) return screen()
    await sleep(50)
  }
  throw new Error(`the screen shows:\n${screen().join('\n')}`)
}

const run = (env = '') => tmux('send-keys', '-t', 'top', `${env} '${process.execPath}' '${program}'`, 'Enter')

describe.skipIf(!installed)(
  `a live screen in a real terminal${installed ? '' : ' (skipped: tmux is not installed)'}`,
  () => {
    beforeAll(async () => {
      tmux('new-session', '-d', '-s', 'top', '-x', '60', '-y', '30', 'env PS1="prompt> " bash --norc --noprofile')
      await shows((lines) => lines[0]!.startsWith('prompt>'))
    })
    afterAll(() => tmux('kill-server'))

    test('redraws once a second, and at once when resized', async () => {
      run()
      await shows((lines) => lines[0] === 'look 1' && lines[1] === '60 x 30')
      await shows((lines) => lines[0] === 'look 3')
      tmux('resize-window', '-t', 'top', '-x', '44', '-y', '29')
      await shows((lines) => lines[1] === '44 x 29')
      expect(tmux('display-message', '-p', '-t', 'top', '#{cursor_flag}').trim()).toBe('0')
      tmux('send-keys', '-t', 'top', 'q')
      await shows((lines) => lines.findLast((line) => line !== '') === 'prompt>')
    })

    test.each([
      ['q', 'q', ''],
      ['Ctrl-C', 'C-c', ''],
      ['an error', '', 'FAIL=1'],
    ])('%s ends it and restores the terminal: contents, cursor and echo', async (_what, key, env) => {
      tmux('send-keys', '-t', 'top', 'clear; echo before', 'Enter')
      await shows((lines) => lines[0] === 'before')
      run(env)
      if (key !== '') {
        await shows((lines) => lines[0] === 'look 1' && !lines.includes('before'))
        tmux('send-keys', '-t', 'top', key)
      }
      await shows((lines) => lines[0] === 'before' && lines.findLast((line) => line !== '')!.startsWith('prompt>'))
      expect(tmux('display-message', '-p', '-t', 'top', '#{alternate_on} #{cursor_flag}').trim()).toBe('0 1')
      tmux('send-keys', '-t', 'top', 'stty -a | grep -ow -e -echo -e echo -e -icanon -e icanon | xargs', 'Enter')
      await shows((lines) => lines.some((line) => /^(echo icanon|icanon echo)$/.test(line.trim())))
    })
  },
)
