import type { Progress } from "@reelay/contracts/Export"
import { isTerminal, PAUSED, placeText } from "@reelay/contracts/Export"
import type { ExportId, NodeId, UserId } from "@reelay/contracts/Ids"
import type { ExportProgress, QueueOrder } from "@reelay/contracts/messages/Messages"
import { NODE_TTL } from "@reelay/contracts/messages/Topology"
import { Node } from "@reelay/contracts/Node"
import type { Advertisement } from "@reelay/contracts/Node"
import type { DateTime } from "effect"

/** What changed in the view: enough to know what to look up again. */
export type FarmChange =
  | {
      readonly _tag: "Progress"
      readonly exportId: ExportId
      readonly userId: UserId
      readonly progress: Progress
    }
  /** Positions in the queue, or whether it is paused. */
  | { readonly _tag: "Queue" }
  | { readonly _tag: "Node"; readonly id: NodeId }
  | { readonly _tag: "Scheduler"; readonly seen: boolean }

/** Seconds without a word after which the scheduler counts as gone: three of its repeats of the queue's order. */
export const SCHEDULER_SILENCE = 15
/** Seconds: the scheduler repeats the progress of what runs every 30. What it leaves out for this long has ended. */
const PROGRESS_KEPT = 120
/** Seconds for which a node that fell silent is still shown, as gone. */
const GONE_KEPT = 600
const MAX_PROGRESS = 20_000
const MAX_NODES = 2000

interface KnownNode {
  readonly advertisement: Advertisement
  /** Monotonic seconds. */
  readonly heard: number
  /** For people. */
  readonly lastSeen: DateTime.Utc
  readonly gone: boolean
}

/**
 * What is known of the farm from listening alone. No I/O and no clock: `now` is monotonic seconds, and ages count from
 * when something was heard here, never from a sender's clock. Bounded: what ended or fell silent is forgotten.
 */
export class FarmView {
  readonly #progress = new Map<ExportId, { readonly progress: Progress; readonly heard: number }>()
  readonly #nodes = new Map<NodeId, KnownNode>()
  #paused = false
  #positions: ReadonlyMap<ExportId, number> = new Map()
  /** Since when the scheduler has been heard without a gap, and when last; null: not heard. */
  #scheduler: { readonly since: number; readonly last: number } | null = null

  progressOf(id: ExportId): Progress | null {
    const known = this.#progress.get(id)
    return known === undefined ? null : this.#asShown(id, known.progress)
  }

  #asShown(id: ExportId, known: Progress): Progress {
    if (known.status !== "pending") return known
    const queuePosition = this.queuePosition(id)
    if (this.#paused) return { ...known, queuePosition, paused: true, message: PAUSED }
    // What stands in its way, where the scheduler said so, matters more than its place.
    const message = known.message === placeText(null) ? placeText(queuePosition) : known.message
    return { ...known, queuePosition, message }
  }

  /** 1 is next; null when it is not waiting. */
  queuePosition(id: ExportId): number | null {
    return this.#positions.get(id) ?? null
  }

  /** Operators have paused the queue. */
  get paused(): boolean {
    return this.#paused
  }

  schedulerSeen(now: number): boolean {
    return this.#scheduler !== null && now - this.#scheduler.last <= SCHEDULER_SILENCE
  }

  nodes(now: number): ReadonlyArray<Node> {
    return [...this.#nodes.values()]
      .map((known) => {
        const { advertisement: ad } = known
        return new Node({
          id: ad.id,
          host: ad.host,
          status: isGone(known, now) ? "gone" : ad.status,
          families: ad.families,
          slots: ad.slots,
          tasks: isGone(known, now) ? [] : ad.tasks,
          version: ad.version,
          lastSeen: known.lastSeen
        })
      })
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** An older epoch changes nothing, and within one and the same run the percentage never falls. */
  onProgress({ exportId, progress, userId }: ExportProgress, now: number): ReadonlyArray<FarmChange> {
    const before = this.#progress.get(exportId)?.progress
    if (before !== undefined && progress.epoch < before.epoch) return []
    const sameRun = before !== undefined && before.epoch === progress.epoch && before.status === progress.status
    const next = sameRun && progress.percent < before.percent ? { ...progress, percent: before.percent } : progress
    // Newest last: what is heard of least is dropped first when there is too much.
    this.#progress.delete(exportId)
    // Once it has ended the row says everything.
    if (!isTerminal(next.status)) this.#progress.set(exportId, { progress: next, heard: now })
    dropOldest(this.#progress, MAX_PROGRESS)
    return [{ _tag: "Progress", exportId, userId, progress: this.#asShown(exportId, next) }]
  }

  /** `repeated`: it lay in the stream when we began to listen, which says nothing about who lives now. */
  onQueue({ paused = false, waiting }: QueueOrder, repeated: boolean, now: number): ReadonlyArray<FarmChange> {
    const same =
      paused === this.#paused
      && waiting.length === this.#positions.size
      && waiting.every((id, index) => this.#positions.get(id) === index + 1)
    this.#paused = paused
    if (!same) this.#positions = new Map(waiting.map((id, index) => [id, index + 1]))
    const changes: Array<FarmChange> = same ? [] : [{ _tag: "Queue" }]
    if (repeated) return changes
    const seenBefore = this.schedulerSeen(now)
    this.#scheduler = { since: seenBefore ? (this.#scheduler?.since ?? now) : now, last: now }
    return seenBefore ? changes : [...changes, { _tag: "Scheduler", seen: true }]
  }

  /** `null`: it withdrew. */
  onNode(
    id: NodeId,
    advertisement: Advertisement | null,
    now: number,
    wallClock: DateTime.Utc
  ): ReadonlyArray<FarmChange> {
    const before = this.#nodes.get(id)
    this.#nodes.delete(id)
    if (advertisement !== null) {
      this.#nodes.set(id, { advertisement, heard: now, lastSeen: wallClock, gone: false })
      dropOldest(this.#nodes, MAX_NODES)
    }
    return before === undefined && advertisement === null ? [] : [{ _tag: "Node", id }]
  }

  /** Time passes: says who fell silent, and forgets. To be called every second or so. */
  onTick(now: number): ReadonlyArray<FarmChange> {
    const changes: Array<FarmChange> = []
    for (const [id, known] of this.#nodes) {
      if (now - known.heard > GONE_KEPT) this.#nodes.delete(id)
      else if (isGone(known, now) && !known.gone) this.#nodes.set(id, { ...known, gone: true })
      else continue
      changes.push({ _tag: "Node", id })
    }
    const scheduler = this.#scheduler
    if (scheduler !== null) {
      if (!this.schedulerSeen(now)) {
        this.#scheduler = null
        changes.push({ _tag: "Scheduler", seen: false })
      } else {
        // While no scheduler speaks, silence about an export means nothing.
        for (const [id, { heard }] of this.#progress) {
          if (now - Math.max(heard, scheduler.since) > PROGRESS_KEPT) this.#progress.delete(id)
        }
      }
    }
    return changes
  }

  get size(): { readonly progress: number; readonly nodes: number; readonly waiting: number } {
    return { progress: this.#progress.size, nodes: this.#nodes.size, waiting: this.#positions.size }
  }
}

const isGone = (known: KnownNode, now: number): boolean => now - known.heard > NODE_TTL

const dropOldest = <K>(map: Map<K, unknown>, limit: number): void => {
  for (const key of map.keys()) {
    if (map.size <= limit) return
    map.delete(key)
  }
}
