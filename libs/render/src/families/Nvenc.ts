import type { Mode } from "@reelay/contracts/Export"
import { argv } from "../Argv.ts"
import { ceiling, DEVICE, type EncoderFamily, gop, isDecodable, RATE, RATE_63 } from "./Family.ts"

const PRESET = { fast: "p1", balanced: "p4", quality: "p7" } as const satisfies Record<Mode, string>

/** NVIDIA. Devices are indexes in the order of the bus, as nvidia-smi has them. */
export const nvenc: EncoderFamily = {
  encoders: { h264: "h264_nvenc", hevc: "hevc_nvenc", av1: "av1_nvenc" },
  pixelFormat: "nv12",
  tell: (request) => {
    const { codec, device, frames, mode, quality } = request
    const onDevice = frames === "device"
    return {
      global: onDevice
        ? argv`-init_hw_device cuda=${DEVICE}${device === null ? "" : `:${device}`} -filter_hw_device ${DEVICE}`
        : [],
      // Frames on a device bring it with them.
      output: argv`
        ${onDevice || device === null ? [] : argv`-gpu ${device}`}
        -preset ${PRESET[mode]} -tune hq -rc vbr -cq ${(codec === "av1" ? RATE_63 : RATE)[quality]} -b:v 0
        ${ceiling(request)} ${gop(request)} -forced-idr 1 -no-scenecut 1 -strict_gop 1`
    }
  },
  resident: {
    filter: "scale_cuda",
    decodes: (picture) =>
      isDecodable(picture, ["h264", "hevc", "vp9", "av1", "vp8", "mpeg2video"], ["hevc", "vp9", "av1"]),
    // fps and the encoder hold some frames of the decoder's, which has few.
    input: () => argv`-hwaccel cuda -hwaccel_device ${DEVICE} -hwaccel_output_format cuda -extra_hw_frames 8`,
    // Always a copy: the encoder would hold the decoder's own frames for long.
    scale: ({ height, width }) => `scale_cuda=${width}:${height}:interp_algo=bicubic:format=nv12:passthrough=0`
  }
}
