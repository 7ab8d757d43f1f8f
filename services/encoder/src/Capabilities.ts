import type { Family, VideoCodec } from "@reelay/contracts/Export"
import type { FamilyState } from "@reelay/contracts/Node"
import { type Build, lightPool, type PoolName, videoPool } from "@reelay/contracts/Plan"
import type { Scope } from "effect"
import { Clock, Context, Duration, Effect, FiberMap, Layer, Option, Stream, SubscriptionRef } from "effect"
import { encoderName, residentOf } from "@reelay/render/Encoders"
import * as Breaker from "./Breaker.ts"
import { type Device, leastBusy, slotsFor } from "./Devices.ts"
import { EncoderConfig } from "./EncoderConfig.ts"
import { makeMachine, NoEncoder, type ProvenDevice } from "./Machine.ts"
import * as Probe from "./Probe.ts"

/** One family of encoders on this node. */
interface Rung {
  readonly family: Family
  /** Proven codecs; kept while broken, as what is probed again. */
  readonly codecs: ReadonlyArray<VideoCodec>
  /** Those that worked when it did; none where there is nothing to choose. */
  readonly devices: ReadonlyArray<ProvenDevice>
  readonly breaker: Breaker.Breaker
}

/** What this node can encode, proven by doing it, and taken back when it stops working. */
export class Capabilities extends Context.Service<
  Capabilities,
  {
    readonly build: Build
    /** Slots that what works right now allows. */
    readonly videoSlots: Effect.Effect<number>
    /**
     * The least busy device of a family that encodes this, as ffmpeg names it, busier by so many slots for the scope's length;
     * null: nothing to choose.
     */
    device(family: Family, codec: VideoCodec, weight: number): Effect.Effect<string | null, never, Scope.Scope>
    /** Whether a family's device may be expected to decode and scale a source (by its digest), too. */
    keepsOnDevice(family: Family, source: string): Effect.Effect<boolean>
    /** It was tried with these, and only encoding from memory worked. */
    leftDevice(family: Family, sources: ReadonlyArray<string>): Effect.Effect<void>
    readonly families: Effect.Effect<ReadonlyArray<FamilyState>>
    /** Video pools that can be served right now, best family first. */
    readonly videoPools: Effect.Effect<ReadonlyArray<PoolName>>
    readonly lightPool: PoolName
    /** An element at each change of families or pools. */
    readonly changes: Stream.Stream<void>
    succeeded(family: Family): Effect.Effect<void>
    /** A task failed by the encoder's fault: it is probed at once, and taken out if it fails again or goes on failing. */
    failed(family: Family, reason: string): Effect.Effect<void>
    /** The device was taken: true when the task is to wait, false when patience is at an end. */
    refused(family: Family): Effect.Effect<boolean>
  }
>()("@reelay/encoder/Capabilities") {
  static readonly layer = Layer.effect(
    Capabilities,
    Effect.gen(function* () {
      const settings = yield* EncoderConfig
      const machine = yield* makeMachine
      const { build, probe } = machine
      const started = yield* now
      const ladder = Probe.ladderOf(settings.families, settings.forceSoftware)
      const proofs = yield* Effect.forEach(
        ladder.filter(machine.has),
        (family) =>
          probe(family, Probe.CODECS).pipe(
            Effect.map((result) => {
              const breaker = Breaker.probed(Breaker.closed, result.problem, started)
              const rung: Rung = { family, codecs: result.codecs, devices: result.devices, breaker }
              return { rung, leftOut: result.leftOut > 0 }
            })
          ),
        { concurrency: "unbounded" }
      )
      const rungs = proofs.map(({ rung }) => rung)
      const works = rungs.filter((rung) => rung.breaker.state === "ok")
      if (works.length === 0) {
        const reasons = rungs.map((rung) => `${rung.family}: ${rung.breaker.reason}`)
        return yield* new NoEncoder({
          message: `no video encoder works here (${reasons.join("; ") || "none in this ffmpeg"})`
        })
      }
      const slotsOf = (rungs: ReadonlyArray<Rung>) => {
        const best = rungs.find((rung) => rung.breaker.state === "ok")
        return settings.slots ?? slotsFor(best?.family ?? null, best?.devices ?? [], settings.cores)
      }
      yield* Effect.logInfo("Encoders chosen").pipe(
        Effect.annotateLogs({
          ...Object.fromEntries(Probe.CODECS.map((codec) => [codec, choice(rungs, codec)])),
          order: settings.forceSoftware
            ? "REELAY_FORCE_SOFTWARE"
            : settings.families === null
              ? "usual"
              : "REELAY_ENCODERS",
          build,
          slots: slotsOf(rungs)
        })
      )

      /** Slots that are taken of each device. */
      const taken = new Map<string, number>()
      const take = (family: Family, { id }: Device, weight: number): void =>
        void taken.set(`${family} ${id}`, (taken.get(`${family} ${id}`) ?? 0) + weight)
      /** Sources that a device could not decode, by family: it need not try again with each of their chunks. */
      const inMemory = new Set<string>()
      const state = yield* SubscriptionRef.make<ReadonlyArray<Rung>>(rungs)
      const current = (family: Family) => SubscriptionRef.getUnsafe(state).find((rung) => rung.family === family)
      const update = (family: Family, f: (rung: Rung) => Rung) =>
        SubscriptionRef.updateSome(state, (rungs) => {
          const rung = rungs.find((one) => one.family === family)
          const next = rung === undefined ? rung : f(rung)
          return next === rung || next === undefined
            ? Option.none()
            : Option.some(rungs.map((one) => (one === rung ? next : one)))
        })

      /** Probes one family until it works, with longer and longer pauses. */
      const recover = Effect.fnUntraced(function* (family: Family) {
        while (true) {
          const rung = current(family)
          if (rung === undefined) return
          const wait = (rung.breaker.probeAt ?? 0) - (yield* now)
          if (rung.breaker.state === "broken" && wait > 0) yield* Effect.sleep(Duration.millis(wait))
          const result = yield* probe(family, rung.codecs.length > 0 ? rung.codecs : Probe.CODECS)
          const at = yield* now
          yield* update(family, (rung) => ({
            ...rung,
            codecs: result.problem === null ? result.codecs : rung.codecs,
            devices: result.problem === null ? result.devices : rung.devices,
            breaker: Breaker.probed(rung.breaker, result.problem, at)
          }))
          if (result.problem === null) {
            if (rung.breaker.state === "broken") yield* Effect.logInfo("An encoder works again", { family })
            if (result.leftOut > 0) yield* lookAgain(family)
            return
          }
          if (rung.breaker.state === "ok")
            yield* Effect.logWarning("An encoder is taken out", { family, reason: result.problem })
        }
      })
      const recoveries = yield* FiberMap.make<Family>()
      const startRecovery = (family: Family): Effect.Effect<void> =>
        FiberMap.run(recoveries, family, recover(family), { onlyIfMissing: true }).pipe(Effect.asVoid)
      const returns = yield* FiberMap.make<Family>()
      /** For devices that were left out, while others of their family work. */
      const lookAgain = (family: Family): Effect.Effect<void> =>
        FiberMap.run(returns, family, Effect.sleep(LOOK_AGAIN).pipe(Effect.andThen(startRecovery(family)))).pipe(
          Effect.asVoid
        )
      for (const { leftOut, rung } of proofs) {
        if (rung.breaker.state === "broken") yield* startRecovery(rung.family)
        else if (leftOut) yield* lookAgain(rung.family)
      }

      return Capabilities.of({
        build,
        videoSlots: Effect.map(SubscriptionRef.get(state), slotsOf),
        device: (family, codec, weight) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              const devices = (current(family)?.devices ?? []).filter((one) => one.codecs.includes(codec))
              const chosen = leastBusy(devices.map((one) => ({ ...one, busy: taken.get(`${family} ${one.id}`) ?? 0 })))
              if (chosen !== undefined) take(family, chosen, weight)
              return chosen
            }),
            (chosen) => Effect.sync(() => void (chosen !== undefined && take(family, chosen, -weight)))
          ).pipe(Effect.map((chosen) => chosen?.id ?? null)),
        keepsOnDevice: (family, source) =>
          Effect.sync(() => {
            const filter = residentOf(family)?.filter
            return filter !== undefined && machine.hasFilter(filter) && !inMemory.has(`${family} ${source}`)
          }),
        leftDevice: (family, sources) =>
          Effect.sync(() => {
            for (const source of sources) inMemory.add(`${family} ${source}`)
            for (const oldest of inMemory) if (inMemory.size > REMEMBERED) inMemory.delete(oldest)
          }),
        families: SubscriptionRef.get(state).pipe(Effect.map((rungs) => rungs.map(advertised))),
        videoPools: SubscriptionRef.get(state).pipe(
          Effect.map((rungs) =>
            rungs
              .filter((rung) => rung.breaker.state === "ok")
              .flatMap((rung) => rung.codecs.map((codec) => videoPool(rung.family, codec, build)))
          )
        ),
        lightPool: lightPool(build),
        changes: SubscriptionRef.changes(state).pipe(
          Stream.drop(1),
          Stream.map(() => undefined)
        ),
        succeeded: (family) => update(family, withBreaker(Breaker.succeeded)),
        failed: Effect.fn("Capabilities.failed")(function* (family, reason) {
          const at = yield* now
          yield* update(
            family,
            withBreaker((breaker) => Breaker.failed(breaker, reason, at))
          )
          yield* startRecovery(family)
        }),
        refused: Effect.fn("Capabilities.refused")(function* (family) {
          let patient = true
          yield* update(
            family,
            withBreaker((breaker) => {
              const answer = Breaker.refused(breaker)
              patient = answer.patient
              return answer.breaker
            })
          )
          return patient
        })
      })
    })
  )
}

const REMEMBERED = 1000
const LOOK_AGAIN = Duration.minutes(10)

/** Milliseconds of a clock that nobody sets. */
const now = Clock.monotonicTimeNanos.pipe(Effect.map((nanos) => Number(nanos / 1_000_000n)))

const withBreaker =
  (f: (breaker: Breaker.Breaker) => Breaker.Breaker) =>
  (rung: Rung): Rung => {
    const breaker = f(rung.breaker)
    return breaker === rung.breaker ? rung : { ...rung, breaker }
  }

const advertised = (rung: Rung): FamilyState => ({
  name: rung.family,
  codecs: rung.codecs,
  device: rung.devices.map((device) => device.name).join(", ") || null,
  state: rung.breaker.state,
  reason: rung.breaker.reason
})

/** Which encoder serves a codec, and why not a better one. */
const choice = (rungs: ReadonlyArray<Rung>, codec: VideoCodec): string => {
  const best = rungs.find((rung) => rung.breaker.state === "ok" && rung.codecs.includes(codec))
  const better = rungs
    .slice(0, best === undefined ? undefined : rungs.indexOf(best))
    .filter((rung) => rung.breaker.reason !== null)
  const why = better.map((rung) => `${rung.family}: ${rung.breaker.reason}`).join("; ")
  const name = best === undefined ? "none" : `${best.family} (${encoderName(best.family, codec)})`
  return why === "" ? name : `${name}, because ${why}`
}
