import { MAX_PIXELS } from "@reelay/render/Safety"
import { Result } from "effect"

/**
 * What an image says of itself, read from its bytes alone: nothing is decoded before it is known how large it is, and the
 * decoder that is called is the one of these bytes, whatever the file is called.
 */
export interface ImageFile {
  readonly kind: "png" | "jpeg" | "webp"
  /** As stored. */
  readonly width: number
  readonly height: number
  /** How it has to be turned, as EXIF counts: 1 is upright. */
  readonly orientation: number
}

type OrRefusal<A> = Result.Result<A, string>

const INCOMPLETE = "The image is incomplete."
const MOVES = "The image moves: an image that is laid over a video has to stand still."
const UNKNOWN = "This is not an image that can be read: PNG, JPEG and WebP are."

export const readImage = (bytes: Uint8Array): OrRefusal<ImageFile> =>
  Result.flatMap(parse(bytes), (image) => {
    if (image.width === 0 || image.height === 0) return Result.fail("The image has no size.")
    return image.width * image.height > MAX_PIXELS
      ? Result.fail(`The image is larger than can be read: ${image.width} × ${image.height}.`)
      : Result.succeed(image)
  })

const parse = (bytes: Uint8Array): OrRefusal<ImageFile> => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (text(bytes, 1, 4) === "PNG" && view.getUint8(0) === 0x89) return png(bytes, view)
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return jpeg(bytes, view)
  if (text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 12) === "WEBP") return webp(bytes, view)
  return Result.fail(UNKNOWN)
}

/** Also of what is not there: then it is shorter. */
const text = (bytes: Uint8Array, from: number, to: number): string => String.fromCharCode(...bytes.subarray(from, to))

const png = (bytes: Uint8Array, view: DataView): OrRefusal<ImageFile> => {
  let orientation = 1
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = view.getUint32(at)
    const name = text(bytes, at + 4, at + 8)
    const body = bytes.subarray(at + 8, at + 8 + length)
    if (name === "acTL") return Result.fail(MOVES)
    if (name === "eXIf") orientation = exifOrientation(body)
    if (name === "IEND") {
      if (text(bytes, 12, 16) !== "IHDR") break
      return Result.succeed({ kind: "png", width: view.getUint32(16), height: view.getUint32(20), orientation })
    }
    at += 12 + length
  }
  return Result.fail(INCOMPLETE)
}

const JPEG_END = 0xd9
const JPEG_SCAN = 0xda
const JPEG_APP1 = 0xe1

const jpeg = (bytes: Uint8Array, view: DataView): OrRefusal<ImageFile> => {
  let size: { readonly width: number; readonly height: number } | null = null
  let orientation = 1
  for (let at = 2; at + 4 <= bytes.length;) {
    if (bytes[at] !== 0xff) break
    const marker = view.getUint8(at + 1)
    if (marker === 0xff) {
      at++
      continue
    }
    const length = view.getUint16(at + 2)
    if (marker === JPEG_SCAN) {
      if (size === null) break
      const ends = endsWithin(bytes, at)
      return ends ? Result.succeed({ kind: "jpeg", ...size, orientation }) : Result.fail(INCOMPLETE)
    }
    if (marker === JPEG_APP1 && text(bytes, at + 4, at + 10) === "Exif\0\0") {
      orientation = exifOrientation(bytes.subarray(at + 10, at + 2 + length))
    }
    // Of frames: all of them but the tables that have their numbers.
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker) && at + 9 <= bytes.length) {
      size = { height: view.getUint16(at + 5), width: view.getUint16(at + 7) }
    }
    at += 2 + length
  }
  return Result.fail(INCOMPLETE)
}

/** Cameras write more behind it: where it ends is looked for. */
const endsWithin = (bytes: Uint8Array, from: number): boolean => {
  for (let at = bytes.lastIndexOf(JPEG_END); at > from; at = bytes.lastIndexOf(JPEG_END, at - 1)) {
    if (bytes[at - 1] === 0xff) return true
  }
  return false
}

const webp = (bytes: Uint8Array, view: DataView): OrRefusal<ImageFile> => {
  const end = 8 + view.getUint32(4, true)
  if (end > bytes.length) return Result.fail(INCOMPLETE)
  let size: { readonly width: number; readonly height: number } | null = null
  let orientation = 1
  for (let at = 12; at + 8 <= end;) {
    const name = text(bytes, at, at + 4)
    const length = view.getUint32(at + 4, true)
    const body = bytes.subarray(at + 8, Math.min(end, at + 8 + length))
    const word = (from: number) => (body[from] ?? 0) | ((body[from + 1] ?? 0) << 8)
    if (name === "ANIM" || name === "ANMF") return Result.fail(MOVES)
    if (name === "VP8 ") size = { width: word(6) & 0x3fff, height: word(8) & 0x3fff }
    if (name === "VP8L") {
      size = { width: 1 + (word(1) & 0x3fff), height: 1 + (((word(2) >> 6) | (word(4) << 10)) & 0x3fff) }
    }
    if (name === "EXIF") orientation = exifOrientation(body)
    at += 8 + length + (length % 2)
  }
  return size === null ? Result.fail(INCOMPLETE) : Result.succeed({ kind: "webp", ...size, orientation })
}

const ORIENTATION = 0x0112

/** Of the first directory of a TIFF, as EXIF is; 1 where it does not say. */
const exifOrientation = (exif: Uint8Array): number => {
  const order = text(exif, 0, 2)
  if ((order !== "II" && order !== "MM") || exif.length < 14) return 1
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength)
  const little = order === "II"
  const directory = view.getUint32(4, little)
  if (directory + 2 > exif.length) return 1
  const entries = view.getUint16(directory, little)
  for (let i = 0; i < entries; i++) {
    const at = directory + 2 + 12 * i
    if (at + 12 > exif.length) return 1
    if (view.getUint16(at, little) !== ORIENTATION) continue
    const value = view.getUint16(at + 8, little)
    return value >= 1 && value <= 8 ? value : 1
  }
  return 1
}
