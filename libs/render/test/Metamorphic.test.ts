import { metamorphicTests, softPicture } from "./Metamorphic.ts"

metamorphicTests([
  {
    name: "H.264",
    source: softPicture,
    clip: { start: 0.4, end: 12.9 },
    target: { mode: "balanced", quality: "medium" }
  }
])
