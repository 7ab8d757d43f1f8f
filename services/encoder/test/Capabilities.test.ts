import { assert, describe, it } from "@effect/vitest"
import * as Breaker from "@reelay/encoder/Breaker"
import { Capabilities } from "@reelay/encoder/Capabilities"
import type { EncoderSettings } from "@reelay/encoder/EncoderConfig"
import { devicesOf, gpusIn, leastBusy, renderNodes, slotsFor } from "@reelay/encoder/Devices"
import { buildOf, driverIsMissing, ladderOf, listedEncoders, listedFilters, reasonIn } from "@reelay/encoder/Probe"
import { Context, Effect, Fiber, Layer, Logger, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { ffmpegWith, temporary } from "./support/Harness.ts"
import { standIn } from "./support/StandIn.ts"

/** Capabilities of a node with these settings, and what it logged while it found them out. */
const capabilities = Effect.fn("capabilities")(function* (settings: Partial<EncoderSettings>) {
  const lines: Array<string> = []
  const logger = Logger.make((entry) => void lines.push(Logger.formatJson.log(entry)))
  const context = yield* Layer.build(
    Layer.fresh(Capabilities.layer).pipe(
      Layer.provide(ffmpegWith({ slots: null, ...settings })),
      Layer.provide(Logger.layer([logger]))
    )
  )
  return { node: Context.get(context, Capabilities), lines }
})

const summary = (node: Capabilities["Service"]) =>
  node.families.pipe(
    Effect.map((families) => families.map((one) => [one.name, one.state, one.codecs.join(), one.reason]))
  )
const pools = (node: Capabilities["Service"]) =>
  node.videoPools.pipe(Effect.map((pools) => pools.map((pool) => pool.replace(`-${node.build}`, ""))))

/** Until the first of its families is in that state. */
const until = (node: Capabilities["Service"], state: "ok" | "broken") =>
  Stream.concat(Stream.make(undefined), node.changes).pipe(
    Stream.mapEffect(() => node.families),
    Stream.filter((families) => families[0]?.state === state),
    Stream.runHead
  )

describe("Capabilities", () => {
  it.live("proves what this machine can, and says once what it chose", () =>
    Effect.gen(function* () {
      const { node, lines } = yield* capabilities({ forceSoftware: true })
      assert.deepStrictEqual(yield* pools(node), ["software-h264", "software-hevc", "software-vp9", "software-av1"])
      assert.strictEqual(node.lightPool, `light-${node.build}`)
      assert.isAtLeast(yield* node.videoSlots, 1)
      const chosen = lines.filter((line) => line.includes("Encoders chosen"))
      assert.strictEqual(chosen.length, 1)
      assert.include(chosen[0], "software (libx264)")
    })
  )

  it.live("passes over hardware that is compiled in but not there", () =>
    Effect.gen(function* () {
      const { ffmpeg } = yield* standIn({})
      const { node, lines } = yield* capabilities({ ffmpeg })
      assert.deepStrictEqual((yield* summary(node)).slice(0, 3), [
        ["nvenc", "broken", "", "Cannot load libcuda.so.1"],
        ["qsv", "broken", "", "Error initializing an internal MFX session: unsupported (-3)"],
        ["amf", "broken", "", "DLL libamfrt64.so.1 failed to open"]
      ])
      assert.isTrue((yield* pools(node)).every((pool) => pool.startsWith("software-")))
      assert.include(lines.join("\n"), "software (libx264), because nvenc: Cannot load libcuda.so.1")
    })
  )

  it.live("uses hardware that works, software below it", () =>
    Effect.gen(function* () {
      const { ffmpeg } = yield* standIn({ nvenc: "works" })
      const { node } = yield* capabilities({ ffmpeg, families: ["nvenc", "software"] })
      assert.deepStrictEqual(yield* pools(node), [
        "nvenc-h264",
        "nvenc-hevc",
        "software-h264",
        "software-hevc",
        "software-vp9",
        "software-av1"
      ])
      assert.strictEqual(yield* node.videoSlots, 2)
    })
  )

  it.live(
    "takes the least busy card, and as much at once as the cards carry; when they break, as much as the cores do",
    () =>
      Effect.gen(function* () {
        const { become, ffmpeg } = yield* standIn({ nvenc: "works" }, [
          "0, NVIDIA T400, 1800",
          "1, NVIDIA RTX 4000, 20475"
        ])
        const { node } = yield* capabilities({ ffmpeg, families: ["nvenc", "software"], cores: 16 })
        assert.strictEqual((yield* node.families)[0]?.device, "NVIDIA T400, NVIDIA RTX 4000")
        assert.strictEqual(yield* node.videoSlots, 3)
        yield* Effect.gen(function* () {
          const chosen = yield* Effect.forEach([1, 1, 2], (weight) => node.device("nvenc", "h264", weight))
          assert.deepStrictEqual(chosen, ["0", "1", "1"])
          assert.strictEqual(yield* node.device("nvenc", "h264", 1), "0")
        }).pipe(Effect.scoped)
        assert.strictEqual(yield* node.device("nvenc", "h264", 1).pipe(Effect.scoped), "0")
        assert.isNull(yield* node.device("software", "h264", 1).pipe(Effect.scoped))
        yield* become({ nvenc: "missing" })
        yield* node.failed("nvenc", "it failed")
        yield* until(node, "broken")
        assert.strictEqual(yield* node.videoSlots, 16)
      })
  )

  it.effect("leaves a card out that does not work, goes on with the others, and looks again later", () =>
    Effect.gen(function* () {
      const cards = ["0, NVIDIA RTX 4000, 20475", "1, NVIDIA T400, 1800"]
      const { become, ffmpeg } = yield* standIn({ nvenc: "works", "nvenc.1": "broken" }, cards)
      const { node } = yield* capabilities({ ffmpeg, families: ["nvenc"] })
      assert.strictEqual((yield* node.families)[0]?.device, "NVIDIA RTX 4000")
      assert.strictEqual(yield* node.videoSlots, 2)
      // One that dies on the way is found out by the probe that follows the failure.
      yield* become({ nvenc: "broken", "nvenc.1": "works" })
      yield* node.failed("nvenc", "it failed")
      yield* node.changes.pipe(
        Stream.mapEffect(() => node.families),
        Stream.filter((families) => families[0]?.device === "NVIDIA T400"),
        Stream.runHead
      )
      assert.strictEqual((yield* node.families)[0]?.state, "ok")
      assert.strictEqual(yield* node.device("nvenc", "h264", 1).pipe(Effect.scoped), "1")
      assert.isNull(yield* node.device("nvenc", "av1", 1).pipe(Effect.scoped))
      yield* become({ nvenc: "works" })
      const back = yield* node.changes.pipe(
        Stream.mapEffect(() => node.videoSlots),
        Stream.filter((slots) => slots === 3),
        Stream.runHead,
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("10 minutes")
      yield* Fiber.join(back)
    })
  )

  it.live("knows what a device could not decode", () =>
    Effect.gen(function* () {
      const { ffmpeg } = yield* standIn({ nvenc: "works" })
      const { node } = yield* capabilities({ ffmpeg, families: ["nvenc"] })
      assert.isTrue(yield* node.keepsOnDevice("nvenc", "film"))
      yield* node.leftDevice("nvenc", ["film"])
      assert.isFalse(yield* node.keepsOnDevice("nvenc", "film"))
      assert.isTrue(yield* node.keepsOnDevice("nvenc", "other"))
      // This ffmpeg has no such filter; those families have none at all.
      for (const family of ["videotoolbox", "amf", "software"] as const)
        assert.isFalse(yield* node.keepsOnDevice(family, "film"))
    })
  )

  it.live("believes in a device whose sessions are all taken", () =>
    Effect.gen(function* () {
      const { ffmpeg } = yield* standIn({ nvenc: "busy" })
      const { node } = yield* capabilities({ ffmpeg, families: ["nvenc"] })
      assert.deepStrictEqual(yield* pools(node), ["nvenc-h264", "nvenc-hevc"])
      const patience = yield* Effect.replicateEffect(node.refused("nvenc"), 11)
      assert.deepStrictEqual(patience, [...Array.from({ length: 9 }, () => true), false, true])
    })
  )

  it.effect(
    "takes a family out when it fails and its probe fails; tries it again later, and believes it once more",
    () =>
      Effect.gen(function* () {
        const { become, ffmpeg } = yield* standIn({ nvenc: "works" })
        const { node } = yield* capabilities({ ffmpeg, families: ["nvenc", "software"] })
        yield* become({ nvenc: "broken" })
        yield* node.failed("nvenc", "it failed")
        yield* until(node, "broken")
        assert.match(String((yield* summary(node))[0]?.[3]), /unsupported device/)
        assert.isTrue((yield* pools(node)).every((pool) => pool.startsWith("software-")))
        yield* become({ nvenc: "works" })
        const again = yield* until(node, "ok").pipe(Effect.forkChild({ startImmediately: true }))
        yield* TestClock.adjust("15 seconds")
        yield* Fiber.join(again)
        assert.deepStrictEqual((yield* pools(node)).slice(0, 2), ["nvenc-h264", "nvenc-hevc"])
      })
  )

  it.live("does not start without any encoder", () =>
    Effect.gen(function* () {
      const { ffmpeg } = yield* standIn({})
      const error = yield* Effect.flip(capabilities({ ffmpeg, families: ["nvenc"] }))
      assert.strictEqual(error._tag, "NoEncoder")
      assert.include(error.message, "Cannot load libcuda.so.1")
      const nothing = yield* Effect.flip(capabilities({ ffmpeg: "/nowhere/ffmpeg" }))
      assert.strictEqual(nothing._tag, "NoEncoder")
    })
  )
})

describe("Probe", () => {
  it("reads ffmpeg's list", () => {
    const text = `Encoders:
 V..... = Video
 ------
 V....D libx264              libx264 H.264 (codec h264)
 V..... h264_qsv             H.264 (codec h264)
 A....D aac                  AAC (Advanced Audio Coding)
`
    assert.deepStrictEqual([...listedEncoders(text)], ["libx264", "h264_qsv", "aac"])
  })
  it("orders the ladder", () => {
    assert.strictEqual(ladderOf(null, false)[0], "nvenc")
    assert.deepStrictEqual(ladderOf(["software", "qsv", "software"], false), ["software", "qsv"])
    assert.deepStrictEqual(ladderOf(["nvenc"], true), ["software"])
  })
  it("names a build by everything that may change its bytes", () => {
    const build = (version = "ffmpeg version 5.1", arch = "x64", fonts = "DejaVu:1\nNoto:2") =>
      buildOf(version, arch, fonts)
    assert.strictEqual(build("ffmpeg version 5.1\n"), build())
    assert.strictEqual(build(undefined, undefined, "Noto:2\nDejaVu:1\n"), build())
    assert.notStrictEqual(build(undefined, "arm64"), build())
    assert.notStrictEqual(build("ffmpeg version 5.2"), build())
    assert.notStrictEqual(build(undefined, undefined, "DejaVu:1"), build())
  })
  it("finds a reason in what encoders say", () => {
    assert.strictEqual(reasonIn("x265 [info]: HEVC\n[libx265 @ 0x1] Cannot open\nmore", "-"), "Cannot open")
    assert.strictEqual(reasonIn("", "no reason"), "no reason")
  })
  it("reads ffmpeg's filters", () => {
    const text = `Filters:
  T.. = Timeline support
 ... scale_cuda        V->V       GPU accelerated video resizer
 TSC overlay           VV->V      Overlay a video source on top of the input.
 ..C amix              N->A       Audio mixing.
`
    assert.deepStrictEqual([...listedFilters(text)], ["scale_cuda", "overlay", "amix"])
  })
  it("knows a machine without the driver, whichever way it is said", () => {
    for (const said of [
      "Cannot load libcuda.so.1",
      "Device creation failed: -542398533.",
      "DLL libamfrt64.so.1 failed to open"
    ])
      assert.isTrue(driverIsMissing(said), said)
    assert.isFalse(driverIsMissing("OpenEncodeSessionEx failed: out of memory (10): (no details)"))
  })
  it.live("finds the render nodes of a maker", () =>
    Effect.gen(function* () {
      const drm = yield* temporary
      yield* Effect.promise(async () => {
        for (const [name, vendor] of [
          ["card0", "0x8086"],
          ["renderD128", "0x10de"],
          ["renderD129", "0x8086"]
        ] as const) {
          await mkdir(join(drm, name, "device"), { recursive: true })
          await writeFile(join(drm, name, "device", "vendor"), `${vendor}\n`)
        }
      })
      assert.deepStrictEqual(renderNodes("0x8086", drm), ["/dev/dri/renderD129"])
      assert.deepStrictEqual(renderNodes("0x8086", join(drm, "nowhere")), [])
    })
  )
  it("counts slots by device and memory", () => {
    const gpus = gpusIn("0, NVIDIA RTX 4000, 20475\n1, NVIDIA T400, 1800\n[Not Found]\n")
    assert.deepStrictEqual(
      gpus.map((gpu) => gpu.index),
      [0, 1]
    )
    const found = { gpus, intel: ["/dev/dri/renderD129"] }
    assert.strictEqual(slotsFor("nvenc", devicesOf("nvenc", found), 32), 3)
    assert.strictEqual(slotsFor("qsv", devicesOf("qsv", found), 32), 2)
    assert.strictEqual(slotsFor("amf", devicesOf("amf", found), 32), 2)
    assert.strictEqual(slotsFor("software", [], 6), 6)
    assert.strictEqual(slotsFor(null, [], 0), 1)
    assert.isUndefined(leastBusy([]))
  })
})

describe("Breaker", () => {
  it("opens after three failures in a row, and after one once it was open", () => {
    let breaker = Breaker.closed
    for (let i = 0; i < 2; i++) breaker = Breaker.failed(breaker, "x", 0)
    assert.strictEqual(Breaker.succeeded(breaker).failures, 0)
    breaker = Breaker.failed(breaker, "x", 1000)
    assert.deepStrictEqual([breaker.state, breaker.probeAt, breaker.reason], ["broken", 16_000, "x"])
    breaker = Breaker.probed(breaker, null, 16_000)
    assert.strictEqual(breaker.state, "ok")
    breaker = Breaker.failed(breaker, "again", 20_000)
    assert.deepStrictEqual([breaker.state, breaker.probeAt], ["broken", 50_000])
  })

  type Event = "succeeded" | "failed" | "probeOk" | "probeFails"
  const step = (breaker: Breaker.Breaker, event: Event, now: number): Breaker.Breaker => {
    switch (event) {
      case "succeeded":
        return Breaker.succeeded(breaker)
      case "failed":
        return Breaker.failed(breaker, "f", now)
      case "probeOk":
        return Breaker.probed(breaker, null, now)
      case "probeFails":
        return Breaker.probed(breaker, "p", now)
    }
  }
  it("is broken exactly while a probe is due, with a reason, and never for longer than ten minutes", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom<Event>("succeeded", "failed", "probeOk", "probeFails")), (events) => {
        let breaker = Breaker.closed
        events.forEach((event, now) => {
          breaker = step(breaker, event, now)
          assert.strictEqual(breaker.state === "broken", breaker.probeAt !== null)
          assert.strictEqual(breaker.state === "broken", breaker.reason !== null)
          if (breaker.probeAt !== null) assert.isAtMost(breaker.probeAt - now, 600_000)
        })
      })
    )
  })
})
