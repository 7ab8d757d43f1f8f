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

/** What a probe of a family found. */
export interface Proof {
  readonly codecs: ReadonlyArray<VideoCodec>
  /** Those that work; none where ffmpeg is not told which to use. */
  readonly devices: ReadonlyArray<Device>
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

  /** The first codec tells whether the driver is there at all, and which devices work; the others follow together on one. */
  const probe = Effect.fnUntraced(function* (family: Family, codecs: ReadonlyArray<VideoCodec>) {
    const compiledIn = codecs.filter(isListed(family))
    const devices = devicesOf(family, found)
    const answer = (device: Device | null) => (codec: VideoCodec) =>
      tryOut(family, codec, device).pipe(
        // A device that is taken is there.
        Effect.map((refusal) => ({ codec, device, refusal, works: refusal === null || refusal.busy }))
      )
    const [codec, ...others] = compiledIn
    const first =
      codec === undefined
        ? []
        : yield* Effect.forEach(devices.length === 0 ? [null] : devices, (device) => answer(device)(codec), {
            concurrency: "unbounded"
          })
    const one = first.find(({ works }) => works) ?? first[0]
    const hopeless =
      one !== undefined && one.refusal !== null && !one.works && Probe.driverIsMissing(one.refusal.stderr)
    const rest = yield* Effect.forEach(hopeless ? [] : others, answer(one?.device ?? null), {
      concurrency: "unbounded"
    })
    const answers = [...(one === undefined ? [] : [one]), ...rest]
    const proven = answers.filter(({ works }) => works).map(({ codec }) => codec)
    const said = answers.find(({ refusal }) => refusal !== null)?.refusal?.stderr ?? ""
    for (const { device, refusal, works } of first) {
      if (works || proven.length === 0 || device === null || refusal === null) continue
      yield* Effect.logWarning("A device is left out", {
        family,
        device: device.name,
        reason: Probe.reasonIn(refusal.stderr, "no reason given")
      })
    }
    const proof: Proof = {
      codecs: proven,
      devices: first.flatMap(({ device, works }) => (works && device !== null ? [device] : [])),
      problem: proven.length > 0 ? null : Probe.reasonIn(said, "not in this build of ffmpeg")
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
