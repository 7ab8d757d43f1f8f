import type { Mode } from "@reelay/contracts/Export"
import { argv } from "../Argv.ts"
import { ceiling, type EncoderFamily, gop, peak, RATE } from "./Family.ts"

const QUALITY = { fast: "speed", balanced: "balanced", quality: "quality" } as const satisfies Record<Mode, string>
/** AV1 counts quantisers 0…255, more than ffmpeg's own option takes. */
const AV1_RATE = { high: 72, medium: 96, low: 124 } as const

/** AMD. It takes the first device; before ffmpeg 8 it has neither a decoder nor a scaler of its own. */
export const amf: EncoderFamily = {
  encoders: { h264: "h264_amf", hevc: "hevc_amf", av1: "av1_amf" },
  pixelFormat: "nv12",
  tell: (request) => {
    const { codec, mode, quality } = request
    // Constant quantisers (`cqp`) know no ceiling. A variable rate as high as the ceiling, that may not be finer than a
    // quantiser, is the same below it.
    return {
      output: argv`
        -usage transcoding -quality ${QUALITY[mode]} -rc vbr_latency
        ${codec === "av1" ? argv`-min_qp_i ${AV1_RATE[quality]} -min_qp_p ${AV1_RATE[quality]}` : argv`-qmin ${RATE[quality]}`}
        -b:v ${peak(request)} ${ceiling(request)} ${gop(request)}`
    }
  },
  resident: null
}
