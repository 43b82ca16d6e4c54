import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const wire = join(import.meta.dirname, '../../../../services/runtime/python')

/** Runs a program that has the stores of the Python packages; @returns what it prints, without the last end of line */
export const pythonStores =
  (python: string) =>
  async (program: string, ...args: readonly string[]): Promise<string> => {
    const env = { ...process.env, PYTHONPATH: wire, PYTHONDONTWRITEBYTECODE: '1' }
    const whole = `import sys\nfrom winnow_wire.stores import download, upload\n${program}`
    return (await promisify(execFile)(python, ['-c', whole, ...args], { env })).stdout.trim()
  }
