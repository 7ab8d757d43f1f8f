import { assert } from "@effect/vitest"
import { footageTests } from "./Footage.ts"

const X265 = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=12"]
const MPEG2 = ["-c:v", "mpeg2video", "-q:v", "3", "-g", "12", "-bf", "2"]
const INTERLACED = ["-flags", "+ildct+ilme"]

footageTests({
  "HEVC of ten bits in Matroska": { extension: "mkv", codec: [...X265, "-pix_fmt", "yuv420p10le"] },
  "a camcorder's MTS: H.264 in fields, AC-3": {
    extension: "MTS",
    codec: ["-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-bf", "2", "-x264-params", "tff=1", ...INTERLACED],
    soundCodec: ["-c:a", "ac3"],
    output: ["-f", "mpegts", "-mpegts_m2ts_mode", "1"],
    found: ({ media }) => assert.isTrue(media.picture.interlaced)
  },
  "a DVD's MPEG-2": { extension: "mpg", codec: MPEG2, soundCodec: ["-c:a", "mp2"], output: ["-f", "vob"] },
  "VP9 with frames that are never shown, in WebM": {
    extension: "webm",
    codec: ["-c:v", "libvpx-vp9", "-auto-alt-ref", "1", "-lag-in-frames", "25", "-cpu-used", "5", "-g", "12"],
    soundCodec: ["-c:a", "libopus"]
  },
  "AV1 in MP4": { extension: "mp4", codec: ["-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-g", "12"] },
  "ProRes in MOV": {
    extension: "mov",
    codec: ["-c:v", "prores_ks", "-profile:v", "0", "-pix_fmt", "yuv422p10le"],
    soundCodec: ["-c:a", "pcm_s24le"],
    found: ({ media }) => assert.strictEqual(media.picture.pixelFormat, "yuv422p10le")
  },
  "Theora in Ogg": {
    extension: "ogv",
    codec: ["-c:v", "libtheora", "-q:v", "8", "-g", "12"],
    soundCodec: ["-c:a", "libvorbis"]
  },
  "MPEG-4 in AVI, whose frames have no times": {
    extension: "avi",
    codec: ["-c:v", "mpeg4", "-q:v", "2", "-g", "12", "-bf", "2"],
    soundCodec: ["-c:a", "ac3"]
  },
  "Windows Media": {
    extension: "wmv",
    codec: ["-c:v", "wmv2", "-q:v", "2", "-g", "12"],
    soundCodec: ["-c:a", "wmav2"]
  },
  "a MOV that begins before its zero: an edit list hides that": {
    extension: "mov",
    output: ["-avoid_negative_ts", "disabled", "-output_ts_offset", "-0.48"],
    codec: ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "12"],
    shownFrom: 12
  },
  "a Matroska that begins after an hour": { extension: "mkv", output: ["-output_ts_offset", "3600"] },
  "no sound, 4:4:4, an odd size": {
    extension: "mkv",
    silent: true,
    width: 97,
    height: 65,
    codec: ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p", "-g", "12"]
  }
})
