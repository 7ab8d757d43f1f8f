import { readFile } from "node:fs/promises"
import { crc32 } from "node:zlib"

export interface StoredEntry {
  readonly name: string
  readonly bytes: Buffer
}

/**
 * Reads a ZIP of stored entries by its central directory, as an unpacker does, and checks every checksum. Written apart
 * from what writes it, so that a mistake of the writer shows.
 */
export const readStoredZip = async (path: string): Promise<ReadonlyArray<StoredEntry>> => {
  const zip = await readFile(path)
  const end = zip.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"))
  if (end < 0) throw new Error("no end of central directory")
  const count = zip.readUInt16LE(end + 10)
  let at = zip.readUInt32LE(end + 16)
  const entries: Array<StoredEntry> = []
  for (let i = 0; i < count; i++) {
    if (zip.readUInt32LE(at) !== 0x02014b50) throw new Error("a broken central directory")
    const method = zip.readUInt16LE(at + 10)
    const checksum = zip.readUInt32LE(at + 16)
    const size = zip.readUInt32LE(at + 24)
    const nameLength = zip.readUInt16LE(at + 28)
    const skip = zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
    const local = zip.readUInt32LE(at + 42)
    const name = zip.subarray(at + 46, at + 46 + nameLength).toString("utf8")
    if (method !== 0) throw new Error(`${name} is not stored`)
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
    const bytes = zip.subarray(start, start + size)
    if (crc32(bytes) !== checksum) throw new Error(`${name} has a wrong checksum`)
    entries.push({ name, bytes })
    at += 46 + nameLength + skip
  }
  return entries
}
