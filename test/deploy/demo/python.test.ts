import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { trainerPython } from '../../../deploy/demo/python.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'winnow-python-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A python3 in a folder of its own that says what it lacks. */
function pythonThatLacks(what: string, at = join(folder, 'bin', 'python3')): string {
  mkdirSync(join(at, '..'), { recursive: true })
  writeFileSync(at, `#!/bin/sh\necho '${what}'\n`)
  chmodSync(at, 0o755)
  return at
}

const env = () => ({ PATH: `${join(folder, 'bin')}:/usr/bin:/bin`, WINNOW_CACHE: join(folder, 'cache') })

test('without PyTorch the demo says what is missing and which command installs it', () => {
  pythonThatLacks('torch, transformers')
  const named = { ...env(), WINNOW_PYTHON: pythonThatLacks('Python 3.11 (it is 3.9), torch', join(folder, 'old')) }
  const hint = expect.stringMatching(
    /python3 -m venv services\/trainer\/python\/\.venv && services\/trainer\/python\/\.venv\/bin\/pip install '\.\/services\/trainer\/python\[hf\]'/,
  )
  const refused = (lacks: string) =>
    expect.objectContaining({ code: 'CONFIGURATION', message: expect.stringContaining(lacks), hint })
  expect(() => trainerPython(env())).toThrow(
    refused('python3 cannot run the trainer in Python: it lacks torch, transf'),
  )
  expect(() => trainerPython(named)).toThrow(refused('old cannot run the trainer in Python: it lacks Python 3.11'))
  expect(() => trainerPython({ ...env(), WINNOW_PYTHON: '/nowhere/python' })).toThrow(refused('a Python that runs'))
})

test('the Python on the PATH is taken, else one that npm test has made, and one that is named before all', () => {
  pythonThatLacks('torch')
  const made = pythonThatLacks('', join(folder, 'cache', 'python-0123456789abcdef', 'bin', 'python'))
  expect(trainerPython(env())).toBe(made)
  pythonThatLacks('')
  expect(trainerPython(env())).toBe('python3')
  const named = pythonThatLacks('', join(folder, 'mine'))
  expect(trainerPython({ ...env(), WINNOW_PYTHON: named })).toBe(named)
})
