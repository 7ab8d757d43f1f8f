import { Effect, Schema } from "effect"

/** What `ffprobe -show_format -show_streams -of json` says, as far as it is used. Everything else is ignored. */
const text = Schema.optionalKey(Schema.String)
const integer = Schema.optionalKey(Schema.Int)
const missing = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))

export const ProbeStream = Schema.Struct({
  index: Schema.Int,
  codec_type: text,
  codec_name: text,
  profile: text,
  level: integer,
  pix_fmt: text,
  width: integer,
  height: integer,
  sample_aspect_ratio: text,
  field_order: text,
  r_frame_rate: text,
  avg_frame_rate: text,
  time_base: text,
  nb_frames: text,
  duration: text,
  color_range: text,
  color_space: text,
  color_transfer: text,
  color_primaries: text,
  sample_rate: text,
  channels: integer,
  disposition: missing(Schema.Record(Schema.String, Schema.Int), {}),
  side_data_list: missing(
    Schema.Array(
      Schema.Struct({
        side_data_type: text,
        rotation: Schema.optionalKey(Schema.Finite),
        dv_bl_signal_compatibility_id: integer
      })
    ),
    []
  )
})
export type ProbeStream = typeof ProbeStream.Type

export const ProbeReport = Schema.Struct({
  streams: missing(Schema.Array(ProbeStream), []),
  format: Schema.Struct({ format_name: Schema.String, start_time: text, duration: text })
})
export type ProbeReport = typeof ProbeReport.Type

export const decodeReport = Schema.decodeUnknownEffect(Schema.fromJsonString(ProbeReport))
