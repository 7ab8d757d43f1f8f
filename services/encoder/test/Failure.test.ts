import { assert, describe, it } from "@effect/vitest"
import { asSmartCut, type Ending, logFor, verdictOf, verdictOfMismatch } from "@reelay/encoder/Failure"
import * as fc from "fast-check"

const ending = (some: Partial<Ending>): Ending => ({
  exitCode: 1,
  signal: null,
  stopped: null,
  stderr: "",
  family: "software",
  reads: "source",
  ...some
})
const kind = (some: Partial<Ending>) => {
  const verdict = verdictOf(ending(some))
  return verdict._tag === "Failed" ? verdict.kind : "busy"
}

describe("verdictOf", () => {
  const cases: ReadonlyArray<readonly [string, Partial<Ending>, ReturnType<typeof kind>]> = [
    [
      "session limit",
      { family: "nvenc", stderr: "[h264_nvenc @ 0x5] OpenEncodeSessionEx failed: out of memory (10): (no details)" },
      "busy"
    ],
    [
      "session limit of older drivers",
      { family: "nvenc", stderr: "OpenEncodeSessionEx failed: incompatible client key (21): (no details)" },
      "busy"
    ],
    [
      "graphics memory taken",
      { family: "nvenc", stderr: "cu->cuCtxCreate failed -> CUDA_ERROR_OUT_OF_MEMORY: out of memory" },
      "busy"
    ],
    [
      "no driver",
      {
        family: "nvenc",
        stderr: "[h264_nvenc @ 0x55d3c370d300] Cannot load libcuda.so.1\nError initializing output stream 0:0"
      },
      "encoder"
    ],
    [
      "another driver error",
      { family: "nvenc", stderr: "OpenEncodeSessionEx failed: unsupported device (2): (no details)" },
      "encoder"
    ],
    [
      "no quick sync",
      { family: "qsv", stderr: "[h264_qsv @ 0x5] Error initializing an internal MFX session: unsupported (-3)" },
      "encoder"
    ],
    [
      "no device to open",
      { family: "qsv", stderr: "[AVHWDeviceContext @ 0x5] No VA display found\nDevice creation failed: -542398533." },
      "encoder"
    ],
    [
      "an amf that refuses",
      { family: "amf", stderr: "[h264_amf @ 0x5] encoder->Init() failed with error 1" },
      "encoder"
    ],
    ["no amf", { family: "amf", stderr: "Unknown encoder 'h264_amf'" }, "encoder"],
    ["a crash in a driver", { family: "qsv", exitCode: null, signal: "SIGSEGV" }, "encoder"],
    ["a crash of our own", { exitCode: null, signal: "SIGSEGV" }, "internal"],
    ["a crash behind a wrapper", { exitCode: 139 }, "internal"],
    ["killed for memory", { exitCode: null, signal: "SIGKILL" }, "resource"],
    ["killed behind a wrapper", { exitCode: 137 }, "resource"],
    ["no memory", { stderr: "x264 [error]: malloc of size 8912896 failed" }, "resource"],
    ["no memory, by errno", { stderr: "Error while filtering: Cannot allocate memory" }, "resource"],
    [
      "disk full",
      { stderr: "av_interleaved_write_frame(): No space left on device\nInvalid data found when processing input" },
      "resource"
    ],
    ["over the size limit", { exitCode: null, signal: "SIGXFSZ" }, "resource"],
    ["hung", { exitCode: null, signal: "SIGKILL", stopped: "stalled" }, "timeout"],
    ["too long", { exitCode: null, signal: "SIGKILL", stopped: "overdue" }, "timeout"],
    ["not a video", { stderr: "text.mp4: Invalid data found when processing input" }, "input"],
    ["cut off", { stderr: "[mov,mp4 @ 0x5] moov atom not found" }, "input"],
    ["our own piece is broken", { reads: "made", stderr: "Invalid data found when processing input" }, "storage"],
    ["the store went away", { stderr: "file: Input/output error" }, "storage"],
    ["amf's library", { family: "amf", stderr: "[h264_amf @ 0x5] DLL libamfrt64.so.1 failed to open" }, "encoder"],
    ["not known", { stderr: "Something new" }, "internal"],
    ["not known, by a device", { family: "nvenc", stderr: "Something new" }, "encoder"]
  ]
  for (const [name, some, expected] of cases) it(`${name}: ${expected}`, () => assert.strictEqual(kind(some), expected))

  it("tells a person nothing of this machine", () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 0, max: 255 }), (stderr, exitCode) => {
        const verdict = verdictOf(ending({ stderr: `${stderr} /secret/place/x.mp4: ${stderr}`, exitCode }))
        if (verdict._tag === "Failed") assert.notMatch(verdict.message, /\/|secret|-c:v/)
      })
    )
  })
})

describe("verdictOfMismatch", () => {
  it("blames damage in the source only where ffmpeg saw it", () => {
    const of = (some: Partial<Ending>) => {
      const verdict = verdictOfMismatch(ending({ exitCode: 0, ...some }))
      return verdict._tag === "Failed" ? verdict.kind : "busy"
    }
    assert.strictEqual(
      of({ stderr: "Error while decoding stream #0:0: Invalid data found when processing input" }),
      "input"
    )
    assert.strictEqual(of({}), "internal")
    assert.strictEqual(of({ family: "nvenc" }), "encoder")
    assert.strictEqual(of({ family: "nvenc", reads: "made" }), "internal")
  })
})

describe("asSmartCut", () => {
  it("blames neither source nor encoder for what copying may have done; disk and memory stay what they are", () => {
    const of = (some: Partial<Ending>) => {
      const verdict = asSmartCut(verdictOf(ending(some)))
      return verdict._tag === "Failed" ? verdict.kind : "busy"
    }
    assert.strictEqual(of({ stderr: "Invalid data found when processing input" }), "smartcut")
    assert.strictEqual(of({ stderr: "Unknown encoder 'libx264'" }), "smartcut")
    assert.strictEqual(of({ stderr: "pts (512) < dts (1024) in stream 0" }), "smartcut")
    assert.strictEqual(of({ stderr: "No space left on device" }), "resource")
    assert.strictEqual(of({ stopped: "stalled", signal: "SIGKILL" }), "timeout")
  })
})

describe("logFor", () => {
  it("is at most 8 KiB of whole characters, from the end", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" }), { minLength: 0, maxLength: 400 }), (parts) => {
        const text = `${"é🎬x".repeat(3000)}${parts.join("é")}`
        const log = logFor(text, [])
        assert.isAtMost(new TextEncoder().encode(log).length, 8192)
        assert.isTrue(text.endsWith(log))
        assert.isAtLeast(log.length, 2000)
      })
    )
  })
  it("leaves the name of a file and takes its place", () => {
    assert.strictEqual(
      logFor("/data/store/a/b.mp4: bad, in /data/store/a/", ["/data/store/a/", "/data"]),
      "b.mp4: bad, in "
    )
  })
})
