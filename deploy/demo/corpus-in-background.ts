import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Service } from '../../services/runtime/service.ts'
import type { CorpusManifest } from './corpus.ts'

/** A corpus that is being built, or was. */
export interface CorpusInBackground extends Service {
  /** Rejects where it could not be built; whoever starts it awaits it. */
  readonly manifest: Promise<CorpusManifest>
  /** false: an earlier demo has left it. */
  readonly isNew: boolean
}

/** The demo's corpus in `folder`, built in a thread beside everything else where it is not there yet. */
export function corpusInBackground(folder: string): CorpusInBackground {
  const name = "the demo's corpus"
  const file = join(folder, 'manifest.json')
  if (existsSync(file)) {
    const manifest = Promise.resolve(JSON.parse(readFileSync(file, 'utf8')) as CorpusManifest)
    return { name, manifest, isNew: false, close: async () => {} }
  }
  const worker = new Worker(new URL('./corpus-worker.ts', import.meta.url), { workerData: folder })
  const built = Promise.withResolvers<CorpusManifest>()
  worker.once('message', built.resolve)
  worker.once('error', built.reject)
  worker.once('exit', () => built.reject(new Error('building the corpus was given up')))
  // Something else may fail first, and this is then never awaited.
  built.promise.catch(() => {})
  return {
    name,
    manifest: built.promise,
    isNew: true,
    close: async () => {
      await worker.terminate()
    },
  }
}
