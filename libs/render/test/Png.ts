import { writeFile } from "node:fs/promises"
import { crc32, deflateSync } from "node:zlib"

export type Rgba = readonly [number, number, number, number]

/** A PNG of eight bits with alpha, written by hand: what is read back has not gone through anybody's conversion. */
export const pngOf = (width: number, height: number, pixel: (x: number, y: number) => Rgba): Uint8Array => {
  const rows = new Uint8Array(height * (1 + 4 * width))
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows.set(pixel(x, y), y * (1 + 4 * width) + 1 + 4 * x)
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 6, 0, 0, 0], 8)
  const chunk = (name: string, body: Uint8Array) => {
    const said = Buffer.concat([Buffer.from(name, "latin1"), body])
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
    length.writeUInt32BE(body.length)
    check.writeUInt32BE(crc32(said))
    return Buffer.concat([length, said, check])
  }
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0))
  ])
}

export const writePng = (...[path, ...picture]: [string, ...Parameters<typeof pngOf>]): Promise<void> =>
  writeFile(path, pngOf(...picture))
