import type { Mode } from "@reelay/contracts/Export"
import { argv } from "../Argv.ts"
import { ceiling, DEVICE, type EncoderFamily, gop, isDecodable, peak, RATE } from "./Family.ts"

const PRESET = { fast: "veryfast", balanced: "medium", quality: "slower" } as const satisfies Record<Mode, string>
/** What is asked for on average, of the peak: equal to it would mean a constant rate. */
const TARGET = 0.9
/** Ticks a second in which its decoders count. */
const TICKS = 90_000

const DECODERS: Record<string, string> = {
  h264: "h264_qsv",
  hevc: "hevc_qsv",
  vp9: "vp9_qsv",
  av1: "av1_qsv",
  mpeg2video: "mpeg2_qsv"
}

/** Intel. Devices are render nodes. */
export const qsv: EncoderFamily = {
  encoders: { h264: "h264_qsv", hevc: "hevc_qsv", vp9: "vp9_qsv", av1: "av1_qsv" },
  pixelFormat: "nv12",
  tell: (request) => {
    const { codec, device, frames, mode, quality } = request
    const child = device === null ? "" : `,child_device=${device}`
    return {
      global: argv`
        ${device === null && frames === "memory" ? [] : argv`-init_hw_device qsv=${DEVICE}${child}`}
        ${frames === "device" ? argv`-filter_hw_device ${DEVICE}` : []}`,
      // Quality, a peak and another average together mean "quality-defined variable bitrate" (QVBR): the average is then
      // a ceiling, too. Without one ffmpeg would say 1 Mb/s.
      output: argv`
        -preset ${PRESET[mode]} -global_quality ${RATE[quality]} -b:v ${Math.round(peak(request) * TARGET)}
        ${ceiling(request)} ${gop(request)} ${codec === "h264" || codec === "hevc" ? argv`-idr_interval 0` : []}
        ${codec === "h264" ? argv`-look_ahead 0` : []} -flags +cgop`
    }
  },
  resident: {
    filter: "vpp_qsv",
    // Times that its decoders cannot count would come back rounded, and choose other frames.
    decodes: (picture) =>
      isDecodable(picture, Object.keys(DECODERS), ["hevc", "vp9", "av1"])
      && picture.timeBase.den <= TICKS * picture.timeBase.num,
    input: ({ codec }) => argv`
      -hwaccel qsv -hwaccel_device ${DEVICE} -hwaccel_output_format qsv -extra_hw_frames 16 -c:v ${DECODERS[codec] ?? ""}`,
    scale: ({ height, width }) => `vpp_qsv=w=${width}:h=${height}:format=nv12:scale_mode=hq`
  }
}
