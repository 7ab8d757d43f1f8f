import { assert, describe, it } from "@effect/vitest"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { realMedia } from "../../../test/RealMedia.ts"
import { footageTests } from "./Footage.ts"
import { ingest } from "./Ingest.ts"
import { runPlan } from "./RunPlan.ts"
import { H264 } from "./Sources.ts"
import { planOf, specOf } from "./Specs.ts"

const x265 = (pixels: string) => {
  const quiet = "log-level=error:keyint=12"
  return ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", quiet, "-pix_fmt", pixels]
}
const PQ = ["-colorspace", "bt2020nc", "-color_trc", "smpte2084", "-color_primaries", "bt2020", "-color_range", "tv"]
const MPEG2 = ["-c:v", "mpeg2video", "-q:v", "2", "-g", "12"]
const FIELDS = ["-flags", "+ildct+ilme"]

footageTests({
  "a phone's HEVC: ten bits, HDR": { extension: "mov", codec: [...x265("yuv420p10le"), "-tag:v", "hvc1", ...PQ] },
  "HEVC of 4:2:2, ten bits": { extension: "mov", codec: [...x265("yuv422p10le"), "-tag:v", "hvc1"] },
  "H.264 of ten bits": { extension: "mp4", codec: [...H264, "-pix_fmt", "yuv420p10le", "-g", "12"] },
  "full range": {
    extension: "mp4",
    filters: "scale=out_range=pc",
    codec: [...H264, "-pix_fmt", "yuvj420p", "-color_range", "pc", "-g", "12"],
    found: ({ media }) => assert.strictEqual(media.picture.colorRange, "pc")
  },
  "a broadcast's MPEG-2 in fields": {
    extension: "ts",
    codec: [...MPEG2, "-top", "1", ...FIELDS],
    soundCodec: ["-c:a", "mp2"],
    found: ({ media }) => assert.isTrue(media.picture.interlaced)
  },
  "a DVD's MPEG-2 in fields, anamorphic": {
    extension: "mpg",
    filters: "setdar=16/9",
    codec: [...MPEG2, "-top", "1", ...FIELDS],
    soundCodec: ["-c:a", "ac3"],
    output: ["-f", "vob"],
    found: ({ media }) => assert.strictEqual(media.picture.width, 114)
  },
  "VP8 with frames that are never shown": {
    extension: "webm",
    codec: ["-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "10", "-g", "12"],
    soundCodec: ["-c:a", "libvorbis"]
  },
  "MPEG-4 in MP4": { extension: "mp4", codec: ["-c:v", "mpeg4", "-q:v", "2", "-g", "12", "-bf", "2"] },
  "Motion JPEG in AVI": { extension: "avi", codec: ["-c:v", "mjpeg", "-q:v", "2"], soundCodec: ["-c:a", "pcm_s16le"] },
  "Flash video": {
    extension: "flv",
    codec: ["-c:v", "flv1", "-q:v", "2", "-g", "12"],
    soundCodec: ["-c:a", "libmp3lame", "-ar", "44100"]
  },
  "DNxHD in MXF": {
    extension: "mxf",
    width: 1280,
    height: 720,
    codec: ["-c:v", "dnxhd", "-b:v", "90M", "-pix_fmt", "yuv422p"],
    soundCodec: ["-c:a", "pcm_s16le"]
  },
  "FFV1, 4:1:0": { extension: "avi", silent: true, codec: ["-c:v", "ffv1", "-pix_fmt", "yuv410p"] },
  "FFV1 in grey": { extension: "mkv", silent: true, codec: ["-c:v", "ffv1", "-pix_fmt", "gray"] },
  "an MP4 that begins after fifty seconds": { extension: "mp4", output: ["-output_ts_offset", "50"] }
})

describe("a file that people made:", () => {
  it.each(["motion.mov", "balle-jbart.mp4", "retroMars2018.avi", "wannaworktogether.mp4"] as const)(
    "%s is rendered as planned, from its start and out of its middle",
    async (name) => {
      const folder = await mkdtemp(`${tmpdir()}/reelay-people-`)
      const source = await ingest(await realMedia(name))
      const { duration, frameRate, height, width } = source.media.picture
      const seconds = duration / 1e6
      const clips = [{ end: 1.1 }, { start: seconds / 3, end: Math.min(seconds, seconds / 3 + 7) }]
      const size = { width: width - (width % 2), height: height - (height % 2) }
      await runPlan(planOf(specOf([source], clips, { ...size, frameRate }), [source]), [source.path], folder)
      await rm(folder, { recursive: true })
    }
  )
})
