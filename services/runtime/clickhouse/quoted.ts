/** A name as an identifier of ClickHouse's SQL. */
export const quoted = (name: string): string => `\`${name.replaceAll(/[\\`]/g, (mark) => `\\${mark}`)}\``
