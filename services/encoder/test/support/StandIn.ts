import { Effect } from "effect"
import { chmod, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { temporary } from "./Harness.ts"

/**
 * STAND-IN, NOT HARDWARE. An `ffmpeg` that accepts the names of hardware encoders: it says what their drivers say when
 * they refuse, and otherwise encodes with the software encoder of the same codec. It proves how probing, fallback and
 * failures are handled; it proves nothing about any device.
 */
const script = `#!/bin/sh
# STAND-IN, NOT HARDWARE: see StandIn.ts
here=$(dirname "$(readlink -f "$0")")
mode=$(cat "$here/mode")
case " $* " in
  *" -encoders "*)
    ffmpeg "$@"
    echo " V....D h264_amf             AMD AMF H.264 Encoder (codec h264)"
    exit 0 ;;
  *_nvenc*)
    case $mode in
      missing) echo "[h264_nvenc @ 0x5578] Cannot load libcuda.so.1" >&2; exit 1 ;;
      busy) echo "[h264_nvenc @ 0x5578] OpenEncodeSessionEx failed: out of memory (10): (no details)" >&2; exit 1 ;;
      broken) echo "[h264_nvenc @ 0x5578] OpenEncodeSessionEx failed: unsupported device (2): (no details)" >&2; exit 1 ;;
    esac ;;
  *_qsv*) echo "[h264_qsv @ 0x5578] Error initializing an internal MFX session: unsupported (-3)" >&2; exit 1 ;;
  *_amf*) echo "[h264_amf @ 0x5578] DLL libamfrt64.so.1 failed to open" >&2; exit 1 ;;
esac
# The same work by software: nvenc's own options, each with one value, are left out.
count=$#
while [ $count -gt 0 ]; do
  one=$1; shift; count=$((count - 1))
  case $one in
    h264_nvenc) set -- "$@" libx264 ;;
    hevc_nvenc) set -- "$@" libx265 ;;
    -gpu|-preset|-tune|-rc|-cq|-forced-idr|-no-scenecut|-strict_gop) shift; count=$((count - 1)) ;;
    *) set -- "$@" "$one" ;;
  esac
done
exec ffmpeg "$@"
`

export type StandInMode = "works" | "missing" | "busy" | "broken"

/** The stand-in in a folder of its own: its path, and how to change what its "driver" does. */
export const standIn = Effect.fn("standIn")(function* (mode: StandInMode) {
  const folder = yield* temporary
  const ffmpeg = join(folder, "ffmpeg-stand-in")
  const become = (mode: StandInMode) => Effect.promise(() => writeFile(join(folder, "mode"), `${mode}\n`))
  yield* become(mode)
  yield* Effect.promise(async () => {
    await writeFile(ffmpeg, script)
    await chmod(ffmpeg, 0o755)
  })
  return { ffmpeg, become }
})
