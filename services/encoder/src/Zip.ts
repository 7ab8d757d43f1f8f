import { Effect, Schema } from "effect"
import { type FileHandle, open } from "node:fs/promises"
import { crc32 } from "node:zlib"

/**
 * A ZIP of stored (not deflated) files: video does not shrink. Written in one go with the sums put into the headers
 * afterwards, because effect/encoding's writer puts them behind each stored body, which readers that work from a pipe
 * (Java's ZipInputStream, bsdtar, macOS' ditto) refuse or misread. The same files make the same bytes: no times, no
 * owners. ZIP64 where a size or a place needs it.
 */
export interface ZipEntry {
  /** As it appears in the archive: a plain file name. */
  readonly name: string
  /** Where it lies. */
  readonly path: string
}

const BLOCK = 1024 * 1024
const MAX_32 = 0xffff_ffff
const MAX_16 = 0xffff
/** 1980-01-01 00:00, the first moment that a ZIP can say. */
const DOS_DATE = 0x0021
const UTF8 = 0x0800
const MADE_BY_UNIX = 0x031e
const REGULAR_FILE = 0o100644

interface Written {
  readonly name: Buffer
  readonly size: number
  readonly offset: number
  readonly crc: number
  readonly zip64: boolean
}

interface Limits {
  /** Sizes and places from here on are said in ZIP64; lower in tests. */
  readonly zip64From: number
}

/** Writes the archive to `target`, which must not exist. Returns its bytes. Memory: one block. */
export const writeZip = (
  target: string,
  entries: ReadonlyArray<ZipEntry>,
  limits: Limits = { zip64From: MAX_32 }
): Effect.Effect<number, ZipFailed> =>
  Effect.tryPromise({
    try: async (signal) => {
      await using out = await open(target, "wx")
      const block = Buffer.allocUnsafe(BLOCK)
      const written: Array<Written> = []
      let position = 0
      for (const entry of entries) {
        const one = await writeEntry(out, entry, position, block, limits, signal)
        written.push(one.entry)
        position = one.end
      }
      const directory = Buffer.concat(written.map((one) => centralHeader(one, limits)))
      await writeAt(
        out,
        Buffer.concat([directory, ending(written.length, directory.length, position, limits)]),
        position
      )
      return (await out.stat()).size
    },
    catch: (cause) => new ZipFailed({ code: systemCode(cause), cause })
  })

export class ZipFailed extends Schema.TaggedError<ZipFailed>()("ZipFailed", {
  /** `ENOSPC` and the like, where the system said so. */
  code: Schema.NullOr(Schema.String),
  cause: Schema.Defect()
}) {}

/** Node's name of a system error. */
export const systemCode = (cause: unknown): string | null =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : null

const writeAt = async (out: FileHandle, bytes: Buffer, position: number): Promise<number> => {
  let done = 0
  while (done < bytes.length) done += (await out.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  return position + done
}

const writeEntry = async (
  out: FileHandle,
  entry: ZipEntry,
  offset: number,
  block: Buffer,
  limits: Limits,
  signal: AbortSignal
): Promise<{ readonly entry: Written; readonly end: number }> => {
  await using input = await open(entry.path, "r")
  const { size } = await input.stat()
  const name = Buffer.from(entry.name, "utf8")
  const zip64 = size >= limits.zip64From
  const bare: Written = { name, size, offset, crc: 0, zip64 }
  const header = localHeader(bare)
  let position = await writeAt(out, header, offset)
  const end = position + size
  let crc = 0
  while (position < end) {
    signal.throwIfAborted()
    const { bytesRead } = await input.read(block, 0, Math.min(BLOCK, end - position), position - end + size)
    if (bytesRead === 0) throw new Error("a file became shorter while it was packed")
    const piece = block.subarray(0, bytesRead)
    crc = crc32(piece, crc)
    position = await writeAt(out, piece, position)
  }
  const made: Written = { ...bare, crc }
  await writeAt(out, localHeader(made), offset)
  return { entry: made, end }
}

const flagsOf = (name: Buffer): number => (name.some((byte) => byte > 127) ? UTF8 : 0)
const neededVersion = (zip64: boolean): number => (zip64 ? 45 : 20)
const u64 = (...values: ReadonlyArray<number>): Buffer => {
  const out = Buffer.alloc(8 * values.length)
  values.forEach((value, i) => out.writeBigUInt64LE(BigInt(value), 8 * i))
  return out
}
/** The ZIP64 field: sizes and, in the directory, the place, as far as they do not fit above. */
const extra = (...values: ReadonlyArray<number>): Buffer => {
  if (values.length === 0) return Buffer.alloc(0)
  const head = Buffer.alloc(4)
  head.writeUInt16LE(1, 0)
  head.writeUInt16LE(8 * values.length, 2)
  return Buffer.concat([head, u64(...values)])
}

const localHeader = (one: Written): Buffer => {
  const more = one.zip64 ? extra(one.size, one.size) : extra()
  const size = one.zip64 ? MAX_32 : one.size
  const out = Buffer.alloc(30)
  out.writeUInt32LE(0x04034b50, 0)
  out.writeUInt16LE(neededVersion(one.zip64), 4)
  out.writeUInt16LE(flagsOf(one.name), 6)
  out.writeUInt16LE(DOS_DATE, 12)
  out.writeUInt32LE(one.crc, 14)
  out.writeUInt32LE(size, 18)
  out.writeUInt32LE(size, 22)
  out.writeUInt16LE(one.name.length, 26)
  out.writeUInt16LE(more.length, 28)
  return Buffer.concat([out, one.name, more])
}

const centralHeader = (one: Written, limits: Limits): Buffer => {
  const far = one.offset >= limits.zip64From
  const more = extra(...(one.zip64 ? [one.size, one.size] : []), ...(far ? [one.offset] : []))
  const size = one.zip64 ? MAX_32 : one.size
  const out = Buffer.alloc(46)
  out.writeUInt32LE(0x02014b50, 0)
  out.writeUInt16LE(MADE_BY_UNIX, 4)
  out.writeUInt16LE(neededVersion(one.zip64 || far), 6)
  out.writeUInt16LE(flagsOf(one.name), 8)
  out.writeUInt16LE(DOS_DATE, 14)
  out.writeUInt32LE(one.crc, 16)
  out.writeUInt32LE(size, 20)
  out.writeUInt32LE(size, 24)
  out.writeUInt16LE(one.name.length, 28)
  out.writeUInt16LE(more.length, 30)
  out.writeUInt32LE((REGULAR_FILE << 16) >>> 0, 38)
  out.writeUInt32LE(far ? MAX_32 : one.offset, 42)
  return Buffer.concat([out, one.name, more])
}

const ending = (count: number, size: number, offset: number, limits: Limits): Buffer => {
  const zip64 = count >= MAX_16 || size >= limits.zip64From || offset >= limits.zip64From
  const parts: Array<Buffer> = []
  if (zip64) {
    const record = Buffer.alloc(24)
    record.writeUInt32LE(0x06064b50, 0)
    record.writeBigUInt64LE(44n, 4)
    record.writeUInt16LE(MADE_BY_UNIX, 12)
    record.writeUInt16LE(45, 14)
    const locator = Buffer.alloc(20)
    locator.writeUInt32LE(0x07064b50, 0)
    locator.writeBigUInt64LE(BigInt(offset + size), 8)
    locator.writeUInt32LE(1, 16)
    parts.push(record, u64(count, count, size, offset), locator)
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(zip64 ? MAX_16 : count, 8)
  end.writeUInt16LE(zip64 ? MAX_16 : count, 10)
  end.writeUInt32LE(zip64 ? MAX_32 : size, 12)
  end.writeUInt32LE(zip64 ? MAX_32 : offset, 16)
  parts.push(end)
  return Buffer.concat(parts)
}
