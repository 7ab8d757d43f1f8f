import { type FrameIndex, MediaInfo } from "@reelay/contracts/Media"
import type { Rational } from "@reelay/contracts/Quantity"
import { Schema } from "effect"
import { execa } from "execa"

/** Just enough of an ingest to plan by, from every packet of the file. The product's own lives in services/api. */
const Reading = Schema.fromJsonString(
  Schema.Struct({
    packets: Schema.Array(
      Schema.Struct({
        stream_index: Schema.Int,
        pts: Schema.optionalKey(Schema.Int),
        duration: Schema.optionalKey(Schema.Int),
        pos: Schema.optionalKey(Schema.String),
        flags: Schema.String
      })
    ),
    streams: Schema.Array(
      Schema.Struct({
        index: Schema.Int,
        codec_type: Schema.String,
        codec_name: Schema.String,
        pix_fmt: Schema.optionalKey(Schema.String),
        width: Schema.optionalKey(Schema.Int),
        height: Schema.optionalKey(Schema.Int),
        sample_aspect_ratio: Schema.optionalKey(Schema.String),
        time_base: Schema.String,
        avg_frame_rate: Schema.String,
        sample_rate: Schema.optionalKey(Schema.String),
        channels: Schema.optionalKey(Schema.Int),
        color_space: Schema.optionalKey(Schema.String),
        color_transfer: Schema.optionalKey(Schema.String),
        start_time: Schema.optionalKey(Schema.String),
        side_data_list: Schema.optionalKey(Schema.Array(Schema.Struct({ rotation: Schema.optionalKey(Schema.Finite) })))
      })
    ),
    format: Schema.Struct({
      format_name: Schema.String,
      start_time: Schema.optionalKey(Schema.String),
      size: Schema.String
    })
  })
)

const rational = (text: string | undefined, fallback: Rational): Rational => {
  const [num, den] = (text ?? "").split(/[/:]/).map(Number)
  return num !== undefined && den !== undefined && num > 0 && den > 0 ? { num, den } : fallback
}

export interface Ingested {
  readonly path: string
  readonly media: MediaInfo
  readonly index: FrameIndex
}

export const ingest = async (path: string): Promise<Ingested> => {
  const { stdout } = await execa(
    "ffprobe",
    ["-v", "error", "-show_packets", "-show_streams", "-show_format", "-of", "json", path],
    { maxBuffer: 1 << 28 }
  )
  const reading = await Schema.decodeUnknownPromise(Reading)(stdout)
  const video = reading.streams.find((stream) => stream.codec_type === "video")
  const audio = reading.streams.find((stream) => stream.codec_type === "audio")
  if (video === undefined) throw new Error("no picture")
  const timeBase = rational(video.time_base, { num: 1, den: 1 })
  const tick = timeBase.num / timeBase.den
  const shown = reading.packets
    .filter((packet) => packet.stream_index === video.index && packet.pts !== undefined && !packet.flags.includes("D"))
    .map((packet) => ({
      pts: packet.pts ?? 0,
      key: packet.flags.startsWith("K"),
      pos: Number(packet.pos ?? -1),
      duration: packet.duration ?? 0
    }))
    .toSorted((a, b) => a.pts - b.pts)
  const [first, last] = [shown[0], shown[shown.length - 1]]
  if (first === undefined || last === undefined) throw new Error("no frames")
  const keys = shown.flatMap((packet, i) => (packet.key ? [i] : []))
  const gaps = keys.map((key, i) => (shown[keys[i + 1] ?? shown.length - 1]?.pts ?? 0) - (shown[key]?.pts ?? 0))
  const rotation = video.side_data_list?.find((data) => data.rotation !== undefined)?.rotation ?? 0
  const clockwise = ((-rotation % 360) + 360) % 360
  const sampleAspect = rational(video.sample_aspect_ratio, { num: 1, den: 1 })
  const [codedWidth, codedHeight] = [video.width ?? 0, video.height ?? 0]
  const upright = { width: Math.round((codedWidth * sampleAspect.num) / sampleAspect.den), height: codedHeight }
  const size = clockwise % 180 === 0 ? upright : { width: upright.height, height: upright.width }
  const zero = first.pts * tick
  const soundStart = Number(audio?.start_time ?? 0)
  const soundPackets = reading.packets.filter((packet) => packet.stream_index === audio?.index)
  const soundTick = rational(audio?.time_base, { num: 1, den: 1 })
  const soundEnd =
    Math.max(0, ...soundPackets.map((packet) => (packet.pts ?? 0) + (packet.duration ?? 0)))
    * (soundTick.num / soundTick.den)
  const media = {
    container: reading.format.format_name,
    fileStart: Math.round(Number(reading.format.start_time ?? 0) * 1e6),
    bytes: Number(reading.format.size),
    picture: {
      codec: video.codec_name,
      profile: null,
      level: null,
      pixelFormat: video.pix_fmt ?? "yuv420p",
      streamIndex: video.index,
      codedWidth,
      codedHeight,
      sampleAspect,
      rotation: clockwise,
      ...size,
      timeBase,
      zeroPts: first.pts,
      frames: shown.length,
      frameRate: rational(video.avg_frame_rate, { num: 25, den: 1 }),
      variableFrameRate: false,
      interlaced: false,
      duration: Math.round((last.pts - first.pts + last.duration) * tick * 1e6),
      longestGop: Math.round(Math.max(...gaps) * tick * 1e6),
      colorRange: null,
      colorSpace: video.color_space ?? null,
      colorTransfer: video.color_transfer ?? null,
      colorPrimaries: null
    },
    sound:
      audio === undefined
        ? null
        : {
            codec: audio.codec_name,
            streamIndex: audio.index,
            sampleRate: Number(audio.sample_rate),
            channels: audio.channels ?? 2,
            offset: Math.round((soundStart - zero) * 1e6),
            duration: Math.round((soundEnd - soundStart) * 1e6)
          }
  }
  const index: FrameIndex = {
    v: 1,
    timeBase,
    pts: shown.map((packet) => packet.pts),
    keys,
    keyBytes: keys.map((key) => shown[key]?.pos ?? -1)
  }
  return { path, media: await Schema.decodeUnknownPromise(MediaInfo)(media), index }
}
