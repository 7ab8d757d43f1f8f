import { Unavailable, UnsupportedMedia } from "@reelay/contracts/Problem"
import { argv } from "@reelay/render/Argv"
import { imageScaling } from "@reelay/render/ImageOverlay"
import { fileUrl, MAX_PIXELS, PROTOCOLS } from "@reelay/render/Safety"
import { Context, Effect, Layer, Result } from "effect"
import { readFile, stat } from "node:fs/promises"
import { dirname } from "node:path"
import { readImage } from "./ImageFile.ts"
import { MediaTools } from "./MediaTools.ts"
import type { ToolError } from "./MediaTools.ts"

export interface Size {
  readonly width: number
  readonly height: number
}

/** Pixels a side: as many as the widest output has. */
const MOST = 4096
const TIMEOUT = 60

/** PNGs have checksums. Of JPEGs, cameras' own are odd in places where it does not show. */
const STRICT = { png: argv`-err_detect crccheck+explode`, jpeg: [], webp: [] } as const

/** EXIF's numbers as filters that turn the picture upright. From 5 on, its sides change places. */
const UPRIGHT: Readonly<Record<number, ReadonlyArray<string>>> = {
  2: ["hflip"],
  3: ["hflip", "vflip"],
  4: ["vflip"],
  5: ["transpose=cclock_flip"],
  6: ["transpose=clock"],
  7: ["transpose=clock_flip"],
  8: ["transpose=cclock"]
}

/**
 * Turns an image that nobody vouches for into one that we made: a PNG, RGBA of 8 bits, upright. It is decoded here once,
 * confined, so that encoders only ever read files of ours.
 */
export class ImageIngest extends Context.Service<
  ImageIngest,
  {
    /** Writes the PNG to `target`; answers with its size. */
    convert(path: string, target: string): Effect.Effect<Size, UnsupportedMedia | Unavailable>
  }
>()("@reelay/api/ImageIngest") {
  static readonly layer = Layer.effect(
    ImageIngest,
    Effect.gen(function* () {
      const tools = yield* MediaTools
      return ImageIngest.of({
        convert: Effect.fn("ImageIngest.convert")(function* (path, target) {
          const bytes = yield* Effect.promise(() => readFile(path))
          const image = yield* Effect.fromResult(Result.mapError(readImage(bytes), refusal))
          const shown = image.orientation < 5 ? image : { width: image.height, height: image.width }
          const factor = Math.min(1, MOST / Math.max(shown.width, shown.height))
          const side = (pixels: number) => Math.max(1, Math.round(pixels * factor))
          const size = { width: side(shown.width), height: side(shown.height) }
          const demuxer = `${image.kind}_pipe`
          const filters = [
            ...(UPRIGHT[image.orientation] ?? []),
            ...(factor === 1 ? [] : imageScaling(size)),
            `scale=${size.width}:${size.height}:flags=accurate_rnd+full_chroma_int+full_chroma_inp+bitexact`,
            "format=rgba"
          ]
          yield* tools
            .ffmpeg({
              argv: argv`
                -v error -nostdin -y -xerror -noautorotate ${STRICT[image.kind]}
                -protocol_whitelist ${PROTOCOLS} -format_whitelist ${demuxer} -max_pixels ${MAX_PIXELS}
                -f ${demuxer} -i ${fileUrl(path)} -map 0:v:0 -frames:v 1 -vf ${filters.join(",")}
                -map_metadata -1 -fflags +bitexact -flags:v +bitexact -c:v png -f image2 -update 1 ${target}`,
              reads: [path],
              folder: dirname(target),
              timeoutSeconds: TIMEOUT
            })
            .pipe(Effect.catchTag("ToolError", refused))
          const made = yield* Effect.promise(() =>
            stat(target).then(
              (found) => found.size > 0,
              () => false
            )
          )
          return made ? size : yield* refusal("The image cannot be decoded.")
        })
      })
    })
  )
}

const refusal = (detail: string) => new UnsupportedMedia({ detail })

const refused = (error: ToolError) =>
  Effect.logInfo("a media tool refused an image").pipe(
    Effect.annotateLogs({ reason: error.reason, stderr: error.stderr }),
    Effect.andThen(Effect.fail(verdictOn(error)))
  )

const verdictOn = ({ reason }: ToolError): UnsupportedMedia | Unavailable => {
  switch (reason) {
    case "missing":
      return new Unavailable({ detail: "The tools that read images are not there.", missing: ["ffmpeg"] })
    case "killed":
      return new Unavailable({ detail: "Reading this image was broken off: try again a little later." })
    case "memory":
    case "timeout":
    case "too_much":
      return refusal("Reading this image takes more than one image is given.")
    case "unread":
    case "failed":
      return refusal("The image cannot be decoded.")
  }
}
