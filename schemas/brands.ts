declare const brand: unique symbol

/**
 * A value that only its constructors make: a plain one, or one of another name, is a type error. There is nothing of it at run time.
 * Constructors stand where values come in: Avro records, document ids in text (`parseId`), rows of sources (`documentId`), ClickHouse.
 */
export type Branded<T, Name extends string> = T & { readonly [brand]: Name }

/** As `Branded`, but a plain value is taken as well: for what arithmetic makes anew all the time. One of another name is a type error. */
export type Tagged<T, Name extends string> = T & { readonly [brand]?: Name }

/** Identity of a document: 64 bits, unsigned. */
export type DocumentId = Branded<bigint, 'DocumentId'>

/** Where a record stands in its partition, or the first offset after what is meant. */
export type Offset = Tagged<number, 'Offset'>

/** Number of a partition within its topic. */
export type Partition = Tagged<number, 'Partition'>

/** For values from a place where nothing but document ids stand; it checks nothing. */
export const asDocumentId = (value: bigint): DocumentId => value as DocumentId
