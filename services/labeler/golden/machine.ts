import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** What computes a model's outputs, as far as they may depend on it. */
export interface Machine {
  /** cpu and cuda: onnxruntime's execution provider; javascript: Node itself. */
  readonly provider: 'cpu' | 'cuda' | 'javascript'
  /** What runs the model, with its version: `onnxruntime 1.30.0`. */
  readonly runtime: string
  /** Architecture and the extensions that kernels are chosen by: `x64 avx2 fma avx512f avx512_vnni`. */
  readonly instructions: string
}

/** Extensions by which onnxruntime's MLAS chooses kernels: x86's as Linux names them, then Arm's. */
const extensions = `avx avx2 fma avx_vnni avx512f avx512bw avx512_vnni avx512_bf16 amx_int8 amx_bf16 avx_vnni_int8
  asimd asimddp i8mm bf16 sve sve2`.split(/\s+/)

/** Only the architecture if the system does not describe the processor (any but Linux). */
export function instructionsOf(architecture: string, cpuinfo: string | undefined): string {
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo ?? '')?.[1] ?? ''
  const flags = new Set(line.trim().split(/\s+/))
  return [architecture, ...extensions.filter((name) => flags.has(name))].join(' ')
}

function cpuinfo(): string | undefined {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8')
  } catch {
    return undefined
  }
}

const onnxruntimeVersion = (): string =>
  (createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }).version

export function thisMachine(provider: Machine['provider']): Machine {
  const runtime = provider === 'javascript' ? `node ${process.versions.node}` : `onnxruntime ${onnxruntimeVersion()}`
  return { provider, runtime, instructions: instructionsOf(process.arch, cpuinfo()) }
}
