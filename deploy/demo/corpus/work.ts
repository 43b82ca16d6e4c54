/** A text with a title: a chapter, a speech, a mail, a source file. Texts are held out by whole works. */
export interface Work {
  /** Its domain in the demo. */
  readonly source: SourceName
  readonly title: string
  /** Package and file: identifies the work, and decides its use by hash. */
  readonly path: string
  /** Where a piece may begin. */
  readonly paragraphs: readonly string[]
  /** The reference that the work can be part of, if any. */
  readonly kind?: 'fiction' | 'address'
}

/** The demo's domains: the subcategories of its domain actor, in order. */
export const sourceNames = ['Code', 'Learned', 'Mail', 'Manuals', 'News', 'Novel', 'Prose', 'Speeches'] as const
export type SourceName = (typeof sourceNames)[number]
