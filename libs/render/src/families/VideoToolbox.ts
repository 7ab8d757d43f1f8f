import type { Quality } from "@reelay/contracts/Export"
import { argv } from "../Argv.ts"
import { ceiling, type EncoderFamily, gop, isDecodable } from "./Family.ts"

/** Its scale runs the other way, 1…100. */
const RATE = { high: 68, medium: 54, low: 42 } as const satisfies Record<Quality, number>

/** Apple. One device; on the device it scales since ffmpeg 6.1. */
export const videotoolbox: EncoderFamily = {
  encoders: { h264: "h264_videotoolbox", hevc: "hevc_videotoolbox" },
  pixelFormat: "nv12",
  tell: (request) => ({
    output: argv`
      -allow_sw 0 -realtime ${request.mode === "fast" ? 1 : 0} -q:v ${RATE[request.quality]} ${ceiling(request)}
      ${gop(request)}`
  }),
  resident: {
    filter: "scale_vt",
    // It keeps the depth that it finds, and the output has eight bits.
    decodes: (picture) => isDecodable(picture, ["h264", "hevc"], []),
    input: () => argv`-hwaccel videotoolbox -hwaccel_output_format videotoolbox_vld`,
    scale: ({ height, width }) => `scale_vt=w=${width}:h=${height}`
  }
}
