import { Family } from "@reelay/contracts/Export"
import { NodeId } from "@reelay/contracts/Ids"
import { TASK_ACK_WAIT } from "@reelay/contracts/messages/Topology"
import { mediaPrograms } from "@reelay/platform/MediaPrograms"
import { type SandboxMode, sandboxMode } from "@reelay/platform/Sandbox"
import { Config, Context, Layer, Option, Schema } from "effect"
import { randomBytes } from "node:crypto"
import { availableParallelism, hostname } from "node:os"

/** What the environment says about this encoder, decoded once. */
export interface EncoderSettings {
  readonly nodeId: NodeId
  readonly host: string
  readonly ffmpeg: string
  readonly ffprobe: string
  /** Slots for video; null: as the hardware allows. */
  readonly slots: number | null
  readonly lightSlots: number
  readonly cores: number
  /** The ladder, best first; null: the usual one. */
  readonly families: ReadonlyArray<Family> | null
  readonly forceSoftware: boolean
  readonly labels: ReadonlyArray<string>
  /** Seconds after SIGTERM in which running tasks may finish. */
  readonly graceSeconds: number
  /** Seconds without progress after which ffmpeg is taken for hung. */
  readonly stallSeconds: number
  /** Seconds that one task may take. */
  readonly taskSeconds: number
  /** Seconds, as the pools' consumers have it. */
  readonly ackWaitSeconds: number
  readonly sandbox: SandboxMode
}

/** One process, one id: two encoders of one machine must differ, and a restarted one is a new node. */
const freshNodeId = (host: string): string =>
  `${host.replaceAll(/[^A-Za-z0-9_-]/g, "-").slice(0, 48)}-${randomBytes(4).toString("hex")}`

const AtLeastOne = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const trimmed = <A extends string>(schema: Schema.Codec<A, string>) => Schema.Trim.pipe(Schema.decodeTo(schema))
const orNull = <A>(config: Config.Config<A>) => Config.option(config).pipe(Config.map(Option.getOrNull))
const number = (schema: Schema.Codec<number, number>, name: string) =>
  Config.schema(Schema.NumberFromString.pipe(Schema.decodeTo(schema)), name)
const seconds = (name: string, otherwise: number) =>
  number(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)), name).pipe(Config.withDefault(otherwise))

export const settingsConfig: Config.Config<EncoderSettings> = Config.all({
  nodeId: Config.schema(NodeId, "REELAY_NODE_ID").pipe(Config.withDefault(NodeId.make(freshNodeId(hostname())))),
  programs: mediaPrograms,
  slots: orNull(number(AtLeastOne, "REELAY_SLOTS")),
  lightSlots: number(AtLeastOne, "REELAY_LIGHT_SLOTS").pipe(Config.withDefault(2)),
  families: Config.Array(trimmed(Family), "REELAY_ENCODERS").pipe(Config.withDefault(null)),
  forceSoftware: Config.Boolean("REELAY_FORCE_SOFTWARE").pipe(Config.withDefault(false)),
  labels: Config.Array(trimmed(Schema.NonEmptyString), "REELAY_NODE_LABELS").pipe(Config.withDefault([])),
  graceSeconds: seconds("REELAY_GRACE_SECONDS", 25),
  stallSeconds: seconds("REELAY_STALL_SECONDS", 60),
  taskSeconds: seconds("REELAY_TASK_SECONDS", 1800),
  ackWaitSeconds: seconds("REELAY_TASK_ACK_WAIT", TASK_ACK_WAIT),
  sandbox: sandboxMode
}).pipe(
  Config.map(({ programs, ...settings }) => ({
    ...settings,
    ...programs,
    host: hostname(),
    cores: availableParallelism()
  }))
)

export class EncoderConfig extends Context.Service<EncoderConfig, EncoderSettings>()("@reelay/encoder/EncoderConfig") {
  static readonly layer = Layer.effect(EncoderConfig, settingsConfig)
}
