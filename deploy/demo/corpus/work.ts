/** One text with a title: a chapter, a speech, a letter, a source file. What is held out is held out by the work. */
export interface Work {
  /** The domain it belongs to in the demo. */
  readonly source: SourceName
  readonly title: string
  /** Package and file: identifies the work, and decides by its hash what becomes of it. */
  readonly path: string
  /** Where a piece may begin. */
  readonly paragraphs: readonly string[]
  /** What a reference is made of, if the work can serve for one. */
  readonly kind?: 'fiction' | 'address'
}

/** The demo's domains, subcategories of its domain actor, in this order. */
export const sourceNames = ['Code', 'Learned', 'Mail', 'Manuals', 'News', 'Novel', 'Prose', 'Speeches'] as const
export type SourceName = (typeof sourceNames)[number]
