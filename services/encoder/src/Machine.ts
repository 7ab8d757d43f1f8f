import type { Family, VideoCodec } from "@reelay/contracts/Export"
import type { Build } from "@reelay/contracts/Plan"
import { Processes } from "@reelay/platform/Processes"
import { encoderName, probeArguments } from "@reelay/render/Encoders"
import { Effect, Schema } from "effect"
import { type Device, devicesOf, gpusIn, NVIDIA_QUERY, renderNodes } from "./Devices.ts"
import { verdictOf } from "./Failure.ts"
import { Ffmpeg } from "./Ffmpeg.ts"
import * as Probe from "./Probe.ts"

export class NoEncoder extends Schema.TaggedError<NoEncoder>()("NoEncoder", { message: Schema.String }) {}

/** A device, and what it was seen to encode: cards of several generations may lie side by side. */
export interface ProvenDevice extends Device {
  readonly codecs: ReadonlyArray<VideoCodec>
}

/** What a probe of a family found. */
export interface Proof {
  /** That any of its devices encodes. */
  readonly codecs: ReadonlyArray<VideoCodec>
  /** Those that work; none where ffmpeg is not told which to use. */
  readonly devices: ReadonlyArray<ProvenDevice>
  /** How many do not. */
  readonly leftOut: number
  /** Null: at least one codec works, on at least one device. */
  readonly problem: string | null
}

/** What this machine and its ffmpeg are, asked once; and what of that works, proven by doing it. */
export interface Machine {
  readonly build: Build
  /** Whether ffmpeg has any encoder of a family: not whether it works. */
  readonly has: (family: Family) => boolean
  readonly hasFilter: (name: string) => boolean
  readonly probe: (family: Family, codecs: ReadonlyArray<VideoCodec>) => Effect.Effect<Proof>
}

export const makeMachine = Effect.gen(function* () {
  const ffmpeg = yield* Ffmpeg
  const processes = yield* Processes
  const nothing = { reads: [], folder: null, devices: false }

  const ask = (argv: ReadonlyArray<string>) =>
    ffmpeg
      .ask("ffmpeg", argv, nothing, 10)
      .pipe(Effect.catchTag("CannotStart", () => Effect.succeed({ exitCode: -1, stdout: "", stderr: "not found" })))
  const [version, encoders, filters, fonts, gpus] = yield* Effect.all(
    [
      ask(["-version"]),
      ask(["-hide_banner", "-encoders"]),
      ask(["-hide_banner", "-filters"]),
      processes.collect({ file: "fc-list", args: Probe.FONTS_QUERY }, 5).pipe(
        Effect.map((answer) => (answer.exitCode === 0 ? answer.stdout : "")),
        Effect.catchTag("CannotStart", () => Effect.succeed(""))
      ),
      processes.collect({ file: "nvidia-smi", args: NVIDIA_QUERY }, 5).pipe(
        Effect.map((answer) => (answer.exitCode === 0 ? gpusIn(answer.stdout) : [])),
        Effect.catchTag("CannotStart", () => Effect.succeed([]))
      )
    ],
    { concurrency: "unbounded" }
  )
  if (version.exitCode !== 0) {
    return yield* new NoEncoder({
      message: `ffmpeg does not run: ${Probe.reasonIn(version.stderr, "no reason given")}`
    })
  }
  const listed = Probe.listedEncoders(encoders.stdout)
  const listedFilters = Probe.listedFilters(filters.stdout)
  const found = { gpus, intel: renderNodes() }
  const isListed = (family: Family) => (codec: VideoCodec) => listed.has(encoderName(family, codec) ?? "")

  /** One real encode: null when it works, else what ffmpeg said. */
  const tryOut = Effect.fnUntraced(function* (family: Family, codec: VideoCodec, device: Device | null) {
    const reach = { reads: [], folder: null, devices: family !== "software" }
    const ended = yield* ffmpeg
      .ask("ffmpeg", probeArguments(family, codec, device?.id ?? null), reach, 20)
      .pipe(
        Effect.catchTag("CannotStart", () =>
          Effect.succeed({ exitCode: -1, signal: null, stdout: "", stderr: "cannot start" })
        )
      )
    if (ended.exitCode === 0) return null
    const verdict = verdictOf({ ...ended, stopped: null, family, reads: "made" })
    return { stderr: ended.stderr, busy: verdict._tag === "Busy" }
  })

  /** What works on one device. The first codec tells whether the driver is there at all; the others follow together. */
  const probeDevice = Effect.fnUntraced(function* (
    family: Family,
    [first, ...others]: ReadonlyArray<VideoCodec>,
    device: Device | null
  ) {
    const answer = (codec: VideoCodec) => Effect.map(tryOut(family, codec, device), (refusal) => ({ codec, refusal }))
    const one = first === undefined ? [] : [yield* answer(first)]
    const hopeless = one.some(({ refusal }) => refusal !== null && Probe.driverIsMissing(refusal.stderr))
    const rest = yield* Effect.forEach(hopeless ? [] : others, answer, { concurrency: "unbounded" })
    const answers = [...one, ...rest]
    return {
      device,
      // A device that is taken is there.
      codecs: answers.filter(({ refusal }) => refusal === null || refusal.busy).map(({ codec }) => codec),
      said: answers.find(({ refusal }) => refusal !== null)?.refusal?.stderr ?? ""
    }
  })

  const probe = Effect.fnUntraced(function* (family: Family, codecs: ReadonlyArray<VideoCodec>) {
    const compiledIn = codecs.filter(isListed(family))
    const devices = devicesOf(family, found)
    const results = yield* Effect.forEach(
      devices.length === 0 ? [null] : devices,
      (device) => probeDevice(family, compiledIn, device),
      { concurrency: "unbounded" }
    )
    const proven = compiledIn.filter((codec) => results.some((result) => result.codecs.includes(codec)))
    const reason = (said: string) => Probe.reasonIn(said, "not in this build of ffmpeg")
    for (const { codecs, device, said } of proven.length === 0 ? [] : results) {
      if (codecs.length > 0 || device === null) continue
      yield* Effect.logWarning("A device is left out", { family, device: device.name, reason: reason(said) })
    }
    const works = results.flatMap(({ codecs, device }) =>
      device === null || codecs.length === 0 ? [] : [{ ...device, codecs }]
    )
    const proof: Proof = {
      codecs: proven,
      devices: works,
      leftOut: devices.length - works.length,
      problem: proven.length > 0 ? null : reason(results[0]?.said ?? "")
    }
    return proof
  })

  const machine: Machine = {
    build: Probe.buildOf(version.stdout, process.arch, fonts),
    has: (family) => Probe.CODECS.some(isListed(family)),
    hasFilter: (name) => listedFilters.has(name),
    probe
  }
  return machine
})
