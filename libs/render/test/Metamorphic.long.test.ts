import { realMedia } from "../../../test/RealMedia.ts"
import { metamorphicTests, softPicture } from "./Metamorphic.ts"

const film = () => realMedia("wannaworktogether.mp4")
const clip = { start: 31.4, end: 71.4 }
// A whole number of groups of pictures: in a drawing that repeats itself each second it matters where they begin.
const drawn = { source: softPicture, clip: { start: 0.4, end: 18.4 } }

metamorphicTests([
  {
    name: "a film in H.264, balanced",
    source: film,
    clip,
    target: { mode: "balanced", quality: "medium" },
    worse: { dB: 0.1, size: 0.02 }
  },
  { name: "a film in H.264, quality", source: film, clip, target: { mode: "quality", quality: "high" } },
  // Without a look ahead x264 spends a little more on each beginning, and is that much better there.
  {
    name: "a film in H.264, fast",
    source: film,
    clip,
    target: { mode: "fast", quality: "medium" },
    worse: { dB: 0.5, size: 0.04 }
  },
  { name: "HEVC", ...drawn, target: { codec: "hevc", mode: "balanced", quality: "high" } }
])
