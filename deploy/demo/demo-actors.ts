import type { ActorsInput } from '../../services/config/config.ts'
import { sourceNames } from './corpus.ts'

/** How the demo's corpus is labelled; its domains are the kinds of sources. */
export const demoActors: ActorsInput = {
  quality: { labeler: { kind: 'hashed', model: 'shipped:quality' } },
  domain: { subcategories: [...sourceNames], labeler: { kind: 'metadata' } },
  topic: { labeler: { kind: 'hashed', model: 'shipped:topic' } },
}
